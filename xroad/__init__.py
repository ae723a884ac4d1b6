"""X-Road's protocols as pure functions: bytes, a trust snapshot and a time in; a value or an `XRoadError` out.

It refuses to know sockets, files, clocks, logs and configuration: a test holds it to that.
It is the lowest level: the security server, the central server and the pilot authority are built on it.
"""
