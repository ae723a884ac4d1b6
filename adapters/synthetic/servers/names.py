"""The name by which adapters introduce themselves to the systems that are stood in for.

It refuses to know secrets: those are in files. Servers check it, and the sandbox writes it into adapter files.
"""

from typing import Final

CLIENT: Final = "spean"
