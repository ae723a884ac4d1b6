"""The security server: an institution's own node on the bus, with its message log and its configuration.

It refuses to know adapters, programmes and schemas: a body is bytes to it.
Programmes' backends call it on one side, other security servers on the other.
"""
