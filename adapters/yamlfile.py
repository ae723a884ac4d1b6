"""Reads the YAML files of an adapter: configuration, mapping and source.

It refuses what YAML allows beyond plain data: aliases, tags, repeated keys, and words that YAML turns into something
else (``no``, ``2026-01-01``) where a string was meant. The loaders check the result against a JSON Schema.
"""

import json
from collections.abc import Callable, Hashable
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from jsonschema import Draft202012Validator

from adapters.errors import ConfigError

try:
    from yaml import CSafeLoader as _Fast  # libyaml's: a tenth of the time
except ImportError:  # a PyYAML that was built without it
    from yaml import SafeLoader as _Fast  # type: ignore[assignment]  # the same methods

MAX_BYTES: Final = 512 * 1024  # a mapping of a thousand rules is a tenth of this
MAX_DEPTH: Final = 64  # rules within rules within rules are ten deep
SCHEMAS: Final = Path(__file__).parent / "schemas"


class _Loader(_Fast):
    """SafeLoader with unique string keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002  # PyYAML's
        seen: set[object] = set()
        for key_node, _value in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str) or key in seen:
                problem = "a key stands twice" if key in seen else "a key must be a string: put it in quotes"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


# A day in a file is text: the mapping says how to read it, not YAML.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(path: Path, schema: str) -> dict[str, Any]:
    """Read a file and check it against ``schemas/<schema>.schema.json``.

    Raises:
        ConfigError: the file cannot be read, is not plain YAML, or breaks the schema; names the key and the rule.
    """
    return parse(read(path), schema, name=str(path))


def read(path: Path) -> bytes:
    """Return a file's bytes; raises :class:`ConfigError`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(str(path), "file", f"cannot be read: {error.strerror}") from error


def parse(data: bytes, schema: str | Callable[[object], str], *, name: str) -> dict[str, Any]:
    """As :func:`load`, from bytes.

    Args:
        data: the file's.
        schema: its schema, or what chooses one by looking at the document.
        name: what messages call the file.
    """
    if len(data) > MAX_BYTES:
        raise ConfigError(name, "file", f"is larger than {MAX_BYTES} bytes")
    try:
        _refuse_unusual(data)
        document = yaml.load(data, _Loader)  # noqa: S506  # _Loader is a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(name, "file", f"is not plain YAML: {_first_line(error)}") from error
    check(name, document, schema if isinstance(schema, str) else schema(document))
    return document  # type: ignore[no-any-return]  # the schema says object


def _refuse_unusual(data: bytes) -> None:
    """Look through the file before anything is made of it."""
    depth = 0
    for event in yaml.parse(data, Loader=_Fast):
        if isinstance(event, yaml.AliasEvent):
            # An alias that refers to aliases grows a small file into gigabytes of data.
            raise _unusual("aliases (*name) are not used here", event)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:  # libyaml's loader would end the process
            raise _unusual(f"nests deeper than {MAX_DEPTH}", event)


def _unusual(problem: str, event: yaml.Event) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)  # type: ignore[arg-type]  # libyaml's has a line too


def check(name: str, document: object, schema: str) -> None:
    """Raise :class:`ConfigError` when a document breaks ``schemas/<schema>.schema.json``."""
    error = next(_validator(schema).iter_errors(document), None)
    if error is not None:
        key = ".".join(map(str, error.absolute_path)) or "file"
        raise ConfigError(name, key, f"rule {error.validator}: {error.message}") from None


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((SCHEMAS / f"{schema}.schema.json").read_text(encoding="utf-8")))


def _first_line(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem} (line {error.problem_mark.line + 1})"
    return str(error).partition("\n")[0] or type(error).__name__
