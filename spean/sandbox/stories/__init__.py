"""The stories of the full sandbox: what once-only means for a family, and how people without any card are served.

They refuse to do anything that a programme's backend could not: each step is a question through the fund's own security
server. ``spean sandbox demo --story`` tells them.
"""
