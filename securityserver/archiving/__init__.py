"""Archives of the message log: linked ZIP files of signed documents, in a directory or an object store.

It refuses to know exchanges; it reads the message log, and removes from it what is safely elsewhere.
The node runs it on its schedule, ``spean archive`` by hand, and auditors verify what it wrote without it.
"""
