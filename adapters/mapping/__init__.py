"""The mapping engine: a declarative YAML file in, a function from local record to standard record out.

It refuses code and expressions in a mapping, and to drop anything silently: each source field is mapped, or ignored
with a reason.
The registry API compiles a mapping once at its start and runs it on each record that a query finds.
"""

from adapters.mapping.engine import CompiledMapping, compile_mapping
from adapters.mapping.load import load_mapping, parse_mapping
from adapters.mapping.model import MISSING, Mapping

__all__ = ["MISSING", "CompiledMapping", "Mapping", "compile_mapping", "load_mapping", "parse_mapping"]
