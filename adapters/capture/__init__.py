"""Notices what changed in a source, and tells those who may know: events, first loads, reconciliation.

It refuses to send: what it tells is put into the outbox, in the transaction in which it was noticed. Releases decide
what leaves, subscriptions who is told.
"""
