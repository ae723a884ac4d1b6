"""``spean access-report``: who looked at a citizen's data, when, why, and at what.

It refuses to show anything of the data themselves: the access record holds no values. The adapters may run meanwhile.
"""

import argparse
import asyncio
import getpass
import sys
from collections.abc import Sequence
from pathlib import Path

from adapters.accesslog import find_accesses, load_key
from adapters.accesslog.persons import LOCAL, Given, Known, identifiers_of
from adapters.config import AdapterConfig, load_config
from adapters.errors import AccessLogError, ConfigError
from adapters.subjects import PersonId
from spean.commands.access_lines import Access, json_report, table_report
from spean.commands.common import told
from spean.errors import CommandError


def run(arguments: argparse.Namespace) -> int:
    """Print every access to a person's data in the records of the given adapters."""
    files = _files(arguments)
    with told(ConfigError, AccessLogError):
        configs = [load_config(each) for each in files]
        known = asyncio.run(identifiers_of(_given(arguments, configs), configs))
        accesses = sorted((each for config in configs for each in _accesses(config, known)), key=lambda each: each.at)
    for line in [json_report(accesses)] if arguments.json else table_report(accesses, arguments.lang):
        print(line)
    for name in known.silent:
        print(_silent(name, arguments.lang), file=sys.stderr)
    return 0


def _files(arguments: argparse.Namespace) -> list[Path]:
    if arguments.sandbox is not None and not arguments.adapters:
        found = sorted((arguments.sandbox / "adapters").glob("*.yaml"))
        if found:
            return found
        raise CommandError(f"There is no sandbox in {arguments.sandbox}: `spean sandbox up --dir` makes one.")
    if arguments.adapters and arguments.sandbox is None:
        return list(arguments.adapters)
    raise CommandError("Name the adapters' files, or a sandbox with --sandbox DIR, not both.")


def _given(arguments: argparse.Namespace, configs: Sequence[AdapterConfig]) -> list[Given]:
    """Read all numbers before anything is asked, in the order in which they were named."""
    names = [each.adapter for each in configs]
    numbers = [_number(each, names) for each in arguments.id]
    if arguments.spid is not None:
        numbers.insert(0, ("SPID", frozenset(), arguments.spid))
    if not numbers:
        raise CommandError("Say whose data: --spid VALUE or --id TYPE:VALUE. A VALUE of - asks for it.")
    return [Given(PersonId(kind, _value(value, _asked_as(kind, at))), at) for kind, at, value in numbers]


def _number(words: str, names: Sequence[str]) -> tuple[str, frozenset[str], str]:
    """Read ``TYPE:VALUE`` or ``TYPE@ADAPTER,ADAPTER:VALUE``; a type has no @ and no colon, and an adapter no comma."""
    head, _colon, value = words.partition(":")
    kind, bound, listed = head.partition("@")
    at = frozenset(listed.split(",")) if bound else frozenset[str]()
    if not kind or not value or "" in at:
        raise CommandError("--id is TYPE:VALUE, such as KHM_ID:012345678, or TYPE@ADAPTER:VALUE.")
    for each in sorted(at):
        if names.count(each) != 1:
            found = "more than one adapter is" if each in names else "no adapter is"
            raise CommandError(f"--id {head}: {found} called {each}; these are: {', '.join(sorted(names))}.")
    if kind == LOCAL and not at and len(names) > 1:
        raise CommandError(
            f"A {LOCAL} is a number of one registry, and another person's in the next: say whose it is, such as "
            f"--id {LOCAL}@{min(names)}:VALUE. Adapters: {', '.join(sorted(names))}."
        )
    return kind, at, value


def _asked_as(kind: str, at: frozenset[str]) -> str:
    return f"{kind} ({', '.join(sorted(at))})" if at else kind


def _value(given: str, kind: str) -> str:
    """A dash asks: on the terminal without showing what is typed, otherwise from standard input."""
    if given != "-":
        return given.strip()
    typed = getpass.getpass(f"{kind}: ") if sys.stdin.isatty() else sys.stdin.readline()
    if not typed.strip():
        raise CommandError(f"Give the {kind} on standard input.")
    return typed.strip()


def _accesses(config: AdapterConfig, known: Known) -> list[Access]:
    """An adapter that never ran has no record yet, and then nobody asked it."""
    if not config.access.log.exists():
        return []
    key = load_key(config.access.key_file, config=config.file)
    services = {each.code: each for each in config.services}
    return [
        Access(config.adapter, config.sender_id, services.get(each.service), each)
        for each in find_accesses(config.access.log, key, known.at(config))
    ]


def _silent(adapter: str, lang: str) -> str:
    if lang == "km":
        return f"ប្រភពទិន្នន័យរបស់ {adapter} មិនឆ្លើយតបទេ៖ របាយការណ៍នេះអាចខ្វះអ្វីដែលបានសួរតាមលេខសម្គាល់ផ្សេងទៀត។"
    return f"The source of {adapter} does not answer: what was asked by the person's other identifiers may be missing."
