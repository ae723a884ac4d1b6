"""The command line and the sandbox.

This package is the one place that composes the others into processes. It refuses to know how a message is signed, a
registry is mapped or a certificate is judged. It sits above every other package, and none imports it.
"""

__version__ = "0.1.0"
