"""DCI's asynchronous messages: questions answered later, subscriptions, notifications, and what became of them.

It refuses to send: what leaves is put into the outbox, in the transaction that it belongs to. The HTTP application
hands it messages of the asynchronous paths, each service having a :class:`adapters.asynchronous.desk.Desk`.
"""
