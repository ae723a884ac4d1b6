"""The OpenAPI files that DCI published, read in place, with our corrections applied as JSON Patch (RFC 6902).

It refuses to know our schemas: it is the other side of the comparison. Schemas come out with their references
followed, so that any validator can judge by them; the published files have no recursion.
"""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from contracts import openapi

FILES: Final = {
    "crvs": "crvs_api_v1.0.0.yaml",
    "dr": "dr_api_v1.0.0.yaml",
    "ibr": "ibr_api_v1.0.0.yaml",
    "sr": "social_api_v1.0.0.yaml",
}
_TEXTS: Final = frozenset({"description", "example", "examples", "summary", "externalDocs", "title"})


@cache
def corrections() -> Sequence[Mapping[str, Any]]:
    """Return each correction: id, why, and patches by file."""
    found: list[dict[str, Any]] = json.loads((openapi.FOLDER / "corrections.json").read_text(encoding="utf-8"))
    return found


@cache
def published(folder: Path, registry: str, *, corrected: bool = True) -> Mapping[str, Any]:
    """Return a registry's published file, parsed once; with the corrections unless asked for as it is."""
    text = (folder / FILES[registry]).read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)  # as safe as safe_load, ten times as fast
    for each in corrections() if corrected else ():
        for operation in each["patches"].get(FILES[registry], ()):
            _apply(document, copy.deepcopy(operation))
    return document


def _apply(document: Any, operation: Mapping[str, Any]) -> None:
    """Apply one operation; one that does not fit the file is a mistake in the corrections and fails."""
    *above, last = _tokens(operation["path"])
    target = _at(document, above)
    if operation["op"] == "move":
        *source, name = _tokens(operation["from"])
        target[last] = _at(document, source).pop(name)
    elif operation["op"] == "add":
        _add(target, last, operation["value"])
    else:
        _at(target, [last])  # replacing what is not there is a mistake
        target[int(last) if isinstance(target, list) else last] = operation["value"]


def _add(target: Any, last: str, value: object) -> None:
    if isinstance(target, list):
        target.append(value)
        return
    if last in target:
        raise KeyError(f"{last} is there already")
    target[last] = value


def _tokens(pointer: str) -> list[str]:
    return [each.replace("~1", "/").replace("~0", "~") for each in pointer.split("/")[1:]]


def _at(node: Any, tokens: Sequence[str]) -> Any:
    for each in tokens:
        node = node[int(each)] if isinstance(node, list) else node[each]
    return node


def resolved(document: Mapping[str, Any], pointer: str) -> Any:
    """Return what a pointer leads to, references followed and texts left out."""
    return _resolve(document, _at(document, _tokens(pointer)), fields=False)


def _resolve(document: Mapping[str, Any], node: Any, *, fields: bool) -> Any:
    if isinstance(node, list):
        return [_resolve(document, each, fields=False) for each in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$ref"), str):
        return resolved(document, node["$ref"].removeprefix("#"))
    return {
        key: _resolve(document, value, fields=key == "properties" and not fields)
        for key, value in node.items()
        if fields or key not in _TEXTS
    }


def body_schemas(document: Mapping[str, Any], path: str) -> tuple[Any, Any]:
    """Return the schemas of a path's JSON request and of its answer."""
    at = f"/paths/{path.replace('/', '~1')}/post"
    content = "content/application~1json/schema"
    answer = _at(document, _tokens(f"{at}/responses"))
    status = "200" if "200" in answer else "default"
    asked = resolved(document, f"{at}/requestBody/{content}")
    given = answer[status]
    given = given if "$ref" not in given else _at(document, _tokens(given["$ref"].removeprefix("#")))
    return asked, _resolve(document, given["content"]["application/json"]["schema"], fields=False)


def spoiled(document: Any, skip: frozenset[str]) -> Iterator[Any]:
    """Yield copies of a document, each with one thing wrong: a member gone, of another type, empty, or too long.

    What stands below a member named in ``skip`` is left as it is.
    """
    for tokens, value in _places(document, (), skip):
        if isinstance(tokens[-1], str):
            yield _changed(document, tokens, ())
        for other in _others(value):
            yield _changed(document, tokens, (other,))


def _places(
    node: Any, above: tuple[str | int, ...], skip: frozenset[str]
) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    inside: Any = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inside:
        yield (*above, key), value
        if key not in skip:
            yield from _places(value, (*above, key), skip)


def _others(value: Any) -> tuple[object, ...]:
    match value:
        case bool():
            return ("yes",)
        case str():
            return (7, "", "x" * 1000, "2026-11-22T09:00:00")
        case int() | float():
            return ("7", -1, 1.5)
        case list():
            return ([], {})
        case _:
            return ([], "text")


def _changed(node: Any, tokens: tuple[str | int, ...], instead: tuple[object, ...]) -> Any:
    """Return a copy in which what ``tokens`` lead to is gone, or is what ``instead`` holds."""
    first, *rest = tokens
    new = (_changed(node[first], tuple(rest), instead),) if rest else instead
    if isinstance(node, list):
        return [*node[: int(first)], *new, *node[int(first) + 1 :]]
    kept = {key: value for key, value in node.items() if key != first}
    return kept | ({first: new[0]} if new else {})
