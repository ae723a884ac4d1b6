"""What an administrator changes while the server runs: clients, services, access rights.

It refuses to know messages.
"""
