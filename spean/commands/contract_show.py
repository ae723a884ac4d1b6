"""``spean contract show``: one record with its fields, or one code list with its codes, in both languages.

It refuses to follow references: a field says which record or list it refers to, and that is shown by its own name.
"""

import argparse
import json
from collections.abc import Iterator

import contracts
from contracts.fields import Field, fields
from spean.commands.columns import columns
from spean.commands.contract_names import code_list_version, contract_version
from spean.errors import UsageError


def run(arguments: argparse.Namespace) -> int:
    """Print it."""
    name, _at, beside = arguments.name.partition("@")  # as the other contract commands name a version
    named = arguments.version or beside or None
    if name in contracts.code_list_names():
        _code_list(name, named, arguments)
        return 0
    version = contract_version(name, named)
    if arguments.schema:
        print(json.dumps(contracts.schema(name, version), ensure_ascii=False, indent=1))
    elif arguments.examples:
        _examples(name, version)
    else:
        _record(name, version)
    return 0


def _record(name: str, version: str) -> None:
    schema = contracts.schema(name, version)
    others = [each for each in contracts.versions(name) if each != version]
    more = f" (other versions: {', '.join(others)})" if others else ""
    print(f"{name} {version}{more}: {schema['title']} · {schema['x-title-km']}\n{schema['description']}")
    print(f"{schema['x-description-km']}\n")
    for line in columns([("FIELD", "", "TYPE", "TITLE", ""), *map(_row, fields(schema))]):
        print(line)


def _row(field: Field) -> tuple[str, ...]:
    return field.path, "required" if field.required else "", field.kind, field.title.en, field.title.km


def _examples(name: str, version: str) -> None:
    for each in contracts.examples(name, version):
        what = "accepted" if each.valid else f"refused by {each.rule} at {each.pointer or '/'}"
        print(f"# {each.title}: {what}\n{json.dumps(each.document, ensure_ascii=False, indent=1)}")


def _code_list(name: str, version: str | None, arguments: argparse.Namespace) -> None:
    if arguments.schema or arguments.examples:
        raise UsageError(f"{name} is a code list: it has neither a schema of its own nor examples.")
    found = contracts.code_list(name, code_list_version(name, version))
    print(f"{found.name} {found.version}: {found.title.en} · {found.title.km}\n{found.description.en}")
    print(f"{found.description.km}\n")
    for line in columns([("CODE", "TITLE", ""), *_codes(found)]):
        print(line)


def _codes(found: contracts.CodeList) -> Iterator[tuple[str, str, str]]:
    yield from ((code, label.en, label.km) for code, label in found.codes.items())
