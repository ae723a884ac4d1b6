"""Writing: a record that another registry sends becomes rows of a programme's own tables, once, and nothing in silence.

It refuses whom and what the write file does not name; a value that staff changed is kept or replaced as declared, and
reported either way.
``asynchronous`` hands events to :meth:`Writer.receive` inside its transaction; ``capture`` publishes what was written.
"""

from adapters.writing.definition import WriteDefinition
from adapters.writing.loading import load_write
from adapters.writing.tables import open_writers
from adapters.writing.writer import Writer

__all__ = ["WriteDefinition", "Writer", "load_write", "open_writers"]
