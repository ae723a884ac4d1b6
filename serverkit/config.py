"""Reads a TOML file into frozen dataclasses, or says which key of which file breaks which rule.

It refuses to know what the settings mean: the dataclasses that servers declare carry the rules.
A composition root calls it once at start; after that settings are plain values.
"""

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from serverkit.config_values import Problem, convert

T = TypeVar("T")


class ConfigError(Exception):
    """A setting breaks a rule.

    Args:
        source: the file, as the administrator named it.
        key: dotted path of the setting, such as ``ports.message`` or ``client[2].id``; empty for the whole file.
        value: what stands there, or `None` when it is absent or secret.
        rule: what must be, as the end of a sentence.
    """

    def __init__(self, source: str, key: str, value: object, rule: str) -> None:
        self.source, self.key, self.value, self.rule = source, key, value, rule
        shown = "" if value is None else f" = {_shorten(value)}"
        place = f"{source}: {key}{shown}" if key else source
        super().__init__(f"{place}: {rule}")


def setting(
    *,
    default: Any = dataclasses.MISSING,  # noqa: ANN401 - the type checker reads a field as its own type
    key: str | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    pattern: str | None = None,
    rule: str | None = None,
    secret: bool = False,
) -> Any:  # noqa: ANN401 - as above
    """Declare a field with rules (plain `dataclasses.field(default_factory=…)` is fine where there are none).

    Args:
        default: value when the key is absent.
        key: the key in the file, when it is not the field's name.
        minimum: least number (or least length of text and lists).
        maximum: greatest number (or greatest length of text and lists).
        pattern: regular expression that the whole text must match.
        rule: sentence to show instead of the pattern.
        secret: never show the value in an error.
    """
    rules = {"key": key, "minimum": minimum, "maximum": maximum, "pattern": pattern, "rule": rule, "secret": secret}
    return dataclasses.field(default=default, metadata=rules)


def load_toml(path: Path, into: type[T]) -> T:
    """Read a file; relative `Path` settings are resolved against its directory.

    Raises:
        ConfigError: the file cannot be read, is not TOML, or a setting breaks a rule.
    """
    return parse_toml(read_text(path), into, source=path.name, base=path.resolve().parent)


def read_text(path: Path) -> str:
    """Read a file's text.

    Raises:
        ConfigError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), "", None, f"cannot be read: {_reason(error)}") from error


def parse_toml(text: str, into: type[T], *, source: str, base: Path) -> T:
    """Read TOML text.

    Args:
        text: the document.
        into: a dataclass; its fields are the allowed keys.
        source: what errors call the document.
        base: directory that relative `Path` settings are resolved against.

    Raises:
        ConfigError: the text is not TOML, or a setting breaks a rule.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(source, "", None, f"is not TOML: {error}") from error
    except RecursionError as error:
        raise ConfigError(source, "", None, "is no configuration: its values are nested too deeply") from error
    try:
        return _table(document, into, base)
    except Problem as problem:
        value = None if problem.secret else problem.value
        raise ConfigError(source, problem.key, value, problem.rule) from problem


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror or "input/output error"


def _fields(into: type[Any]) -> Mapping[str, tuple[dataclasses.Field[Any], object]]:
    """Give what may stand in a table: key → (field, type)."""
    hints = get_type_hints(into)
    fields = (field for field in dataclasses.fields(into) if field.init)
    return {field.metadata.get("key") or field.name: (field, hints[field.name]) for field in fields}


def _table(table: Mapping[str, object], into: type[T], base: Path) -> T:
    known = _fields(into)
    for key in table:
        if key not in known:
            raise Problem(None, _unknown(key, known)).under(key)
    arguments = {}
    for key, (field, kind) in known.items():
        if key in table:
            arguments[field.name] = _value(table[key], field, kind, key, base)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise Problem(None, "is missing").under(key)
    try:
        return into(**arguments)
    except ValueError as error:
        raise Problem(None, str(error)) from error


def _value(raw: object, field: dataclasses.Field[Any], kind: object, key: str, base: Path) -> object:
    try:
        value = convert(raw, kind, base, _table)
        _check(value, raw, field.metadata)
    except Problem as problem:
        problem.secret = problem.secret or bool(field.metadata.get("secret"))
        raise problem.under(key) from problem.__cause__
    return value


def _check(value: object, raw: object, rules: Mapping[str, Any]) -> None:
    size = value if isinstance(value, int | float) else len(value) if isinstance(value, str | tuple) else None
    unit = "" if isinstance(value, int | float) else " long"
    if size is not None and (least := rules.get("minimum")) is not None and size < least:
        raise Problem(raw, f"must be at least {least}{unit}")
    if size is not None and (most := rules.get("maximum")) is not None and size > most:
        raise Problem(raw, f"must be at most {most}{unit}")
    pattern = rules.get("pattern")
    if pattern is not None and isinstance(value, str) and not re.fullmatch(pattern, value):
        raise Problem(raw, rules.get("rule") or f"must match {pattern}")


def _unknown(key: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(sorted(known))}"
    return f"is not a known setting; {hint}"


def _shorten(value: object) -> str:
    text = repr(value)
    limit = 100  # an error must stay readable when someone put a whole file into a setting
    return text if len(text) <= limit else f"{text[:limit]}…"
