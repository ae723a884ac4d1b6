"""What the stories start from: the one number by which somebody is known, written beside the registers.

It refuses to hold what the stories find out. The generator writes it; the sandbox tells it to scripts and starts its
stories from it.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from adapters.synthetic.people import NO_SPID, ONCE_ONLY

if TYPE_CHECKING:
    from adapters.synthetic.population import People

_FILE: Final = "stories.json"


def write_stories(directory: Path, people: "People") -> None:
    """Write what each story knows at its start; nothing for a population that is too small for them."""
    if len(people.households) > NO_SPID:
        mother, grandmother = people.households[ONCE_ONLY].people[1], people.households[NO_SPID].people[0]
        found = people.roll.disability(grandmother)
        stories = {
            "once-only": {"spid": people.roll.spid(mother)},
            "no-spid": {"household": people.households[NO_SPID].uuid, "case": found and found.case_no},
        }
        (directory / _FILE).write_text(json.dumps(stories, indent=1) + "\n")


def read_stories(directory: Path) -> dict[str, dict[str, Any]]:
    """Read what each story knows at its start; empty where nothing was written."""
    path = directory / _FILE
    stories: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}
    return stories
