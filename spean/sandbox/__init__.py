"""A whole instance on one computer: seven processes on loopback, and the story that shows them at work.

It refuses to do anything that the commands cannot: each server is a process of the same command line. It sits at the
top, and nothing but the commands ``sandbox up`` and ``sandbox demo`` uses it.
"""
