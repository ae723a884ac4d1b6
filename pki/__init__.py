"""Keys and certificates: tokens, requests, OCSP upkeep, and an authority for pilots.

The package refuses to know who may exchange what. It stands between the operating system and ``xroad``: it stores,
fetches and signs, and ``xroad`` judges.
"""
