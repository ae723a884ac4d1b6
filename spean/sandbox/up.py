"""``spean sandbox up``: leaves an instance running, and says how to send it a first query.

It refuses to end while anyone may use the instance: Ctrl-C or SIGTERM ends it. A server that dies is told, and the
others go on.
"""

import json
import shlex
from pathlib import Path
from typing import Final

from spean.sandbox import query
from spean.sandbox.casts import FULL
from spean.sandbox.instance import Instance, running
from spean.sandbox.plan import LOOPBACK, MOP, NSAF, NSSF, Institution
from spean.sandbox.query import Document

_BEGINNING: Final = {
    False: "Starting seven servers. This takes some seconds.\nកំពុងចាប់ផ្ដើមម៉ាស៊ីនមេប្រាំពីរ។",
    True: "Starting nine institutions and their programmes. This takes half a minute at most.\n"
    "កំពុងចាប់ផ្ដើមស្ថាប័នទាំងប្រាំបួន និងកម្មវិធីរបស់ពួកគេ។",
}
_LAST_WORDS: Final = "All servers have ended: see their logs in {logs}, then start the sandbox again."


async def up(root: Path, base_port: int | None, *, full: bool = False, households: int | None = None) -> int:
    """Run until cancelled; return 1 when every server died by itself."""
    print(_BEGINNING[full], flush=True)
    async with running(root, base_port, cast=FULL if full else None, households=households) as instance:
        print(_welcome(instance), flush=True)
        await instance.crew.report_deaths(_tell)
    print(_LAST_WORDS.format(logs=instance.layout.logs))
    return 1


def _tell(death: str) -> None:
    print(f"\n{death}", flush=True)


def _welcome(instance: Instance) -> str:
    nodes = "\n".join(
        f"  {each.server}  http://{LOOPBACK}:{instance.ports.node(each).client_http}  {each.name}"
        for each in instance.cast.institutions
    )
    return f"""
The instance is running. Stop it with Ctrl-C; start it again on the same folder to go on.
ប្រព័ន្ធកំពុងដំណើរការ។ ចុច Ctrl-C ដើម្បីបញ្ឈប់។

Security servers, and where their institutions' systems send requests:
{nodes}
Folder: {instance.layout.root}
For scripts: {instance.layout.report}

Ask for a household by equity card, as NSAF (people are made up):
សួររកគ្រួសារតាមលេខប័ណ្ណសមធម៌៖

{curl(instance, MOP, query.household_by_card(instance.example.card_no))}

Ask which of its members NSSF insures:
សួររកសមាជិកភាព ប.ស.ស.៖

{curl(instance, NSSF, query.membership_of(instance.example.khmer_ids))}
"""


def curl(instance: Instance, provider: Institution, question: Document) -> str:
    """Give a line for a shell that sends a question through NSAF's security server."""
    url = f"http://{LOOPBACK}:{instance.ports.node(NSAF).client_http}{query.path_of(provider)}"
    words = [
        "curl",
        "-sS",
        url,
        "-H",
        f"X-Road-Client: {NSAF.subsystem}",
        "-H",
        "Content-Type: application/json",
        "-d",
        json.dumps(question, ensure_ascii=False),
    ]
    return shlex.join(words)
