"""``spean contract diff``: what changed between two versions, and whom it breaks, in both directions.

It refuses to judge whether the change is worth it. CI runs it over the standard as it was and as it is.
"""

import argparse
import json
from collections.abc import Sequence

from contracts.changes import Change, Role
from contracts.diff import changes
from contracts.library import BadLibrary, load
from spean.commands.common import told

_TITLES = {Role.ANSWER: "as an answer", Role.REQUEST: "as a request"}


def run(arguments: argparse.Namespace) -> int:
    """Print the changes; 1 when one of them breaks somebody."""
    roles = tuple(Role) if arguments.role == "both" else (Role(arguments.role),)
    with told(BadLibrary):
        found = changes(load(arguments.old), load(arguments.new))
    breaking = [each for each in found if any(map(each.breaks, roles))]
    if arguments.json:
        print(json.dumps([_told(each, roles) for each in found], ensure_ascii=False, indent=1))
    else:
        _print(found, roles)
        print(_ending(found, breaking))
    return int(bool(breaking))


def _told(change: Change, roles: Sequence[Role]) -> dict[str, object]:
    broken: dict[str, object] = {role.value: _broken(change, role) for role in roles}
    return {"contract": change.contract, "path": change.path, "what": change.what, "effect": change.effect} | broken


def _broken(change: Change, role: Role) -> list[str]:
    found = {"consumers": change.breaks_consumers(role), "providers": change.breaks_providers(role)}
    return [who for who, broken in found.items() if broken]


def _print(found: Sequence[Change], roles: Sequence[Role]) -> None:
    name = None
    for each in found:
        if each.contract != name:
            name = each.contract
            print(f"{name}")
        verdicts = "; ".join(f"{_TITLES[role]} it {_verdict(each, role)}" for role in roles)
        print(f"  {each.path or '(the whole)'}: {each.what}\n      {each.effect}: {verdicts}")


def _verdict(change: Change, role: Role) -> str:
    broken = _broken(change, role)
    return f"breaks {' and '.join(broken)}" if broken else "breaks nobody"


def _ending(found: Sequence[Change], breaking: Sequence[Change]) -> str:
    if not found:
        return "Nothing changed. គ្មានការផ្លាស់ប្តូរទេ។"
    if not breaking:
        return f"{len(found)} changes, and none breaks anybody. ការផ្លាស់ប្តូរទាំងនេះមិនប៉ះពាល់អ្នកប្រើទេ។"
    return f"{len(breaking)} of {len(found)} changes break somebody. មានការផ្លាស់ប្តូរចំនួន {len(breaking)} ដែលប៉ះពាល់អ្នកប្រើ។"
