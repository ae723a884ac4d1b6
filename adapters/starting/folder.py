"""Writes the files of a new adapter: source, mapping, adapter, and a page to fill in.

It refuses to write into a folder that has anything in it. What cannot be guessed is left open and named in the files.
``spean adapter new`` calls it; ``spean adapter check`` says afterwards what is open.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

import contracts
from adapters.errors import ConfigError
from adapters.starting.guessing import LOCAL, Guess
from adapters.starting.proposal import Proposal

_PRIVATE: Final = 0o600
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")
_CHANGE_THIS: Final = "/CHANGE-THIS"
_REGISTRY_TYPES: Final = {"disability-assessment": "DR", "civil-event": "Civil", "enrolment": "IBR"}
_README: Final = """# {name}

What is known of the institution's own schema, and from where: …

What is not known, or made up: …

Next: `spean adapter check adapter.yaml` says what is open; with `--against-data` it looks at the data as well.
Who may get which fields for which purpose stands in a release file; without one nothing is given to anybody.

> បន្ទាប់៖ `spean adapter check adapter.yaml` ប្រាប់អ្វីដែលនៅខ្វះ។
"""


def start_folder(folder: Path, proposal: Proposal, contract: str) -> tuple[str, ...]:
    """Write the files and return their names.

    Raises:
        ConfigError: the folder has files, its name cannot be an adapter's, or there is no such contract.
    """
    name = folder.resolve().name
    if not _NAME.fullmatch(name):
        raise ConfigError(str(folder), "name", "is the adapter's: small letters, digits and dashes, such as pupils")
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(str(folder), "folder", "has files already: choose a new one")
    if contract not in contracts.names():
        raise ConfigError(str(folder), "--contract", f"there is no record {contract} in the standard")
    folder.mkdir(parents=True, exist_ok=True)
    for each in proposal.folders:
        (folder / each).mkdir()
    guess = Guess(contract, contracts.versions(contract)[-1], proposal.samples, proposal.labels)
    rules = guess.rules(_key(proposal))
    files = {
        "source.yaml": _yaml(_source(name, proposal, guess.identifiers)),
        "mapping.yaml": _mapping(name, contract, guess, rules),
        "adapter.yaml": _yaml(_adapter(name, proposal, contract)),
        "README.md": _README.format(name=name),
    }
    for file, text in files.items():
        (folder / file).write_text(text, encoding="utf-8")
    if proposal.password is not None:
        _write_secret(folder / "password", proposal.password)
    return (*files, *(["password"] if proposal.password is not None else []))


def _source(name: str, proposal: Proposal, identifiers: Mapping[str, str]) -> dict[str, Any]:
    """Let searches name each identifier that was found; where it is the record's key, it is asked for in its place."""
    source, key = dict(proposal.source), _key(proposal)
    attributes = dict(source["queries"]["attributes"])
    for kind, path in identifiers.items():
        if path == key:
            attributes[kind] = attributes.pop(LOCAL)
        else:
            asked = dict(proposal.askable[path])
            # What has an index has an attribute already, under its column's name.
            attributes = {each: said for each, said in attributes.items() if said != asked} | {kind: asked}
    named = {kind: path for kind, path in ({LOCAL: key} | dict(identifiers)).items() if kind in attributes}
    source["queries"] = {"identifiers": list(named), "attributes": attributes}
    if "requests" in source:
        by = [{kind: path.rpartition(".")[2]} for kind, path in named.items()]
        source["requests"] = [{"path": _CHANGE_THIS, "by": each} for each in by]
    return {"source": name, **source}


def _mapping(name: str, contract: str, guess: Guess, rules: Sequence[Mapping[str, Any]]) -> str:
    data: dict[str, Any] = {
        "mapping": name,
        "version": "0.1.0",
        "title": {"en": name, "km": name},
        "target": {"contract": contract, "version": contracts.versions(contract)[-1]},
    }
    data |= {"code_lists": guess.code_lists} if guess.code_lists else {}
    return (
        "# Proposed by its names and samples: read every rule. A field that is not the standard's affair goes under\n"
        "# ignored: [{path: ..., reason: ...}]\n" + _yaml(data | {"rules": list(rules)})
    )


def _key(proposal: Proposal) -> str:
    """Return the field that names a record."""
    record = proposal.source["record"]
    fields = record["fields"]
    if isinstance(fields, list):
        return str(record["key"])
    return str(next(path for path, column in fields.items() if column == record["key"]))


def _adapter(name: str, proposal: Proposal, contract: str) -> dict[str, Any]:
    record = contract.rpartition("/")[2]
    return {
        "adapter": name,
        "listen": "127.0.0.1:7010",
        "sender_id": f"CHANGE-THIS/GOV/INSTITUTION/{name.upper()}",
        "source": dict(proposal.connection),
        "services": [
            {
                "code": name,
                "source": "source.yaml",
                "mapping": "mapping.yaml",
                "record": {"reg_type": _REGISTRY_TYPES.get(record, "Social"), "type": record.title().replace("-", "")},
            }
        ],
        "access_log": "access.sqlite",
        "access_key_file": "access.key",
    }


def _yaml(data: object) -> str:
    return str(yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=120))


def _write_secret(path: Path, secret: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "w", encoding="utf-8") as file:
        file.write(f"{secret}\n")
