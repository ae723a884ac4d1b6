"""What every server of the project is built from: configuration files, logs, metrics, HTTP listeners, a database.

It refuses to know what any of those servers does.
Servers compose these parts in their own composition roots; nothing here starts by itself.
"""
