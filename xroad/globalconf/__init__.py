"""The global configuration of an X-Road instance: who is a member, who runs which server, whom to trust.

The package turns bytes into a :class:`~xroad.globalconf.snapshot.TrustSnapshot` and back, refuses what is unsigned,
altered, expired or malformed, and knows nothing of downloading or of files.
It stands before everything else in the flow: each verification asks a snapshot.
"""
