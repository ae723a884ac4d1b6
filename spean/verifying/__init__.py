"""Verifies signed documents for people: files and folders in, sentences out; the judging itself is `xroad.asic`'s.

It refuses to know servers, databases and the network, so that it works wherever the documents are, years later.
`spean verify` is made of it.
"""
