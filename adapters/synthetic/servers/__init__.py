"""Stand-ins for the systems that answer calls: a REST server and a SOAP server over synthetic registers.

They refuse to be more than stand-ins: they are for the sandbox and for tests, on loopback. ``python -m
adapters.synthetic.servers`` runs those that its arguments name, in one process.
"""
