"""The central server of a governing authority: who is a member, which servers and services are approved.

It signs and distributes the global configuration and never sees a message.
Security servers start from the anchor that it writes, and follow what it publishes.
"""
