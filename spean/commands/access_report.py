"""``spean access-report``: who looked at a citizen's data, when, why, and at what.

It refuses to show anything of the data themselves: the access record holds no values. The adapters may run meanwhile.
"""

import argparse
import asyncio
import getpass
import sys
from pathlib import Path

from adapters.accesslog import find_accesses, load_key
from adapters.accesslog.persons import Known, identifiers_of
from adapters.config import AdapterConfig, load_config
from adapters.errors import AccessLogError, ConfigError
from adapters.subjects import PersonId
from spean.commands.access_lines import Access, json_report, table_report
from spean.commands.common import told
from spean.errors import CommandError


def run(arguments: argparse.Namespace) -> int:
    """Print every access to a person's data in the records of the given adapters."""
    files = _files(arguments)
    person = _person(arguments)
    with told(ConfigError, AccessLogError):
        configs = [load_config(each) for each in files]
        known = asyncio.run(identifiers_of(person, configs))
        accesses = sorted((each for config in configs for each in _accesses(config, known)), key=lambda each: each.at)
    if arguments.json:
        print(json_report(accesses))
        return 0
    for line in table_report(accesses, arguments.lang):
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


def _person(arguments: argparse.Namespace) -> PersonId:
    if arguments.spid is not None:
        return PersonId("SPID", _value(arguments.spid, "SPID"))
    kind, colon, value = arguments.id.partition(":")
    if not colon or not kind or not value:
        raise CommandError("--id is TYPE:VALUE, such as KHM_ID:012345678.")
    return PersonId(kind, _value(value, kind))


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
