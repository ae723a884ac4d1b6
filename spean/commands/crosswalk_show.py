"""``spean crosswalk show``: a person's numbers, why each record is linked, and what was decided before.

It shows personal values on the screen, because that is what the person at it asks for; it refuses to log them.
"""

import argparse
import getpass
import sys

from sqlalchemy import Connection

from adapters.crosswalk.opening import Opened
from adapters.crosswalk.people import LOCAL, number
from adapters.crosswalk.reviewing import history, of_person
from adapters.crosswalk.rows import PERSON
from spean.commands.crosswalk_lines import describe, side_by_side
from spean.commands.crosswalk_open import opened
from spean.errors import CommandError, UsageError


def run(arguments: argparse.Namespace) -> int:
    """Print all that is known of the person whose number is given."""
    kind, colon, value = arguments.id.partition(":")
    if not colon or not kind or not value:
        raise UsageError("--id is TYPE:VALUE, such as SPID:-.")
    if (kind == LOCAL) != bool(arguments.registry):
        raise UsageError("A LOCAL_ID needs --registry, and no other number does.")
    if value == "-":
        value = getpass.getpass(f"{kind}: ") if sys.stdin.isatty() else sys.stdin.readline()
    with opened(arguments.config) as crosswalk:
        lines = crosswalk.store.read_now(lambda c: _lines(c, crosswalk, (kind, value.strip(), arguments.registry)))
    print("\n".join(lines))
    return 0


def _lines(connection: Connection, opened_: Opened, asked: tuple[str, str, str]) -> list[str]:
    crosswalk, lines = opened_.crosswalk, list[str]()
    owners = crosswalk.rows.owners(connection, PERSON, [crosswalk.rows.words.number(number(*asked))])
    people = crosswalk.rows.current(connection, {each for found in owners.values() for each in found})
    if not people:
        raise CommandError("Nobody in the crosswalk has this number.")
    for kept in {each.id: each for each in people.values()}.values():
        lines.append(f"{kept.person.key}  {describe(kept.person)}")
        for shown in of_person(connection, crosswalk, kept.id):
            lines += side_by_side(crosswalk.definition, shown)
            for was in history(connection, crosswalk, shown.id):
                lines.append(
                    f"    before: {was['state']} by {was['by']} until {was['at']:%Y-%m-%d %H:%M} {was['reason']}"
                )
    return lines
