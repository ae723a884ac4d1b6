"""``python -m bench.bulk``: a first load from one adapter through two security servers into another, all as processes.

It refuses to measure in one process what costs in four. The registry is the Social Protection Registry's persons, made
up; the operator is the National Social Security Fund, whose copy is empty. A chunk is one message, which both security
servers sign, log and time-stamp; the report counts them in both logs.
"""

import argparse
import asyncio
import json
import os
import platform
import sqlite3
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import yaml

from adapters.capture.following import position_name
from adapters.events.keys import load_events_key
from adapters.packaged import adapter_yaml
from adapters.synthetic import ALL, generate
from securityserver.commands import apply_services
from spean.sandbox import bootstrap
from spean.sandbox.casts import FULL, SPR, Cast
from spean.sandbox.plan import LOOPBACK, Institution, Layout, Ports
from spean.sandbox.ports import reserved
from spean.sandbox.processes import Crew, Server, crew

NSSF: Final = next(each for each in FULL.institutions if each.member_code == "NSSF")
PAIR: Final = Cast("load", (SPR, NSSF), {}, {})
PUBLISHER, SUBSCRIBER = "spr", "nssf"  # the packaged programmes, and the names of their databases
SERVICE, COPY = "registration", "people"
REPORT: Final = Path(__file__).parent / "out" / "bulk.json"
_NAMES: Final = {"spr": "publisher's security server", "nssf": "subscriber's security server"}
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_SECONDS: Final = 1800.0


class Bench:
    """The two institutions, their files and their processes.

    Args:
        layout: where the security servers' files are.
        ports: of everything.
        members: the running processes.
    """

    def __init__(self, layout: Layout, ports: Ports, members: Crew) -> None:
        self.layout, self.ports, self.members = layout, ports, members
        self.folder = layout.root / "adapters"

    def servers(self) -> dict[str, Server]:
        """The four processes by the names of the report."""
        found = {
            _NAMES[each.key]: Server(
                each.key, ("node", "run", str(self.layout.node(each))), LOOPBACK, self.ports.node(each).metrics,
                "/healthz", self.layout.log(each.key),
            )
            for each in (SPR, NSSF)
        }  # fmt: skip
        for name, programme in (("publisher's adapter", PUBLISHER), ("subscriber's adapter", SUBSCRIBER)):
            words = ("adapter", "serve", str(self.folder / f"{programme}.yaml"))
            port, log = self.ports.adapter(programme), self.layout.log(f"adapter-{programme}")
            found[name] = Server(f"adapter-{programme}", words, LOOPBACK, port, "/health", log)
        return found

    def processor(self) -> dict[str, float]:
        """Seconds of user and system time of the four processes so far (proc(5), stat, fields 14 and 15)."""
        pids = {each.server.name: each.pid for each in self.members.running}
        found = {}
        for name, server in self.servers().items():
            fields = Path(f"/proc/{pids[server.name]}/stat").read_text().rpartition(")")[2].split()
            found[name] = (int(fields[11]) + int(fields[12])) / _TICKS
        return found

    def rows(self, programme: str, statement: str) -> list[Any]:
        """Ask a programme's database."""
        return _rows(self.folder / f"{programme}.sqlite", statement)

    def logged(self, each: Institution) -> list[Any]:
        """Return the requests in a security server's message log: identifier, and the size of the signature."""
        return _rows(self.layout.node(each).with_name("data") / "node.db", _LOGGED)


_LOGGED: Final = "SELECT query_id, length(signature) FROM log_record WHERE response = 0"


def _rows(file: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)) as database:
        return database.execute(statement).fetchall()


def write_files(bench: Bench, households: int) -> int:
    """Write registers, adapter files and services; returns how many persons there are."""
    layout, ports, folder = bench.layout, bench.ports, bench.folder
    folder.mkdir(parents=True)
    generate(folder, households=households, seed=7, registers=ALL)
    for each, programme, code in ((SPR, PUBLISHER, SERVICE), (NSSF, SUBSCRIBER, COPY)):
        url = f"http://{LOOPBACK}:{ports.node(each).client_http}"
        text = adapter_yaml(
            programme,
            listen=f"{LOOPBACK}:{ports.adapter(programme)}",
            sender_id=str(each.subsystem),
            source_url=f"sqlite:///{programme}.sqlite",
            events={"security_server": {"url": url}},
        )
        (folder / f"{programme}.yaml").write_text(_only(yaml.safe_load(text), code))
        other = NSSF if each is SPR else SPR
        layout.services(each).write_text(_services(each, other, code, ports.adapter(programme)))
        apply_services(layout.node(each), layout.services(each))
    return int(bench.rows(PUBLISHER, "SELECT count(*) FROM person")[0][0])


def _only(adapter: dict[str, Any], code: str) -> str:
    """Leave one service and one subscription, which asks for all records first."""
    adapter["services"] = [each for each in adapter["services"] if each["code"] == code]
    if code == COPY:
        adapter["subscriptions"] = [each | {"first_load": True} for each in adapter["subscriptions"]]
    else:
        del adapter["subscriptions"]
    return yaml.safe_dump(adapter, allow_unicode=True, sort_keys=False)


def _services(owner: Institution, other: Institution, code: str, port: int) -> str:
    return f"""\
[[client]]
id = "{owner.subsystem}"
connection = "http"

[[client.service]]
code = "{code}"
url = "http://{LOOPBACK}:{port}/{code}"
timeout = 30

[[client.service.access]]
subject = "{other.subsystem}"
"""


async def measure(folder: Path, households: int) -> dict[str, Any]:
    """Bring everything up, load, and return what was seen."""
    layout = Layout(folder / "bus")
    with reserved(None, PAIR) as ports:
        await asyncio.to_thread(bootstrap.make, layout, ports)
        async with crew() as members:
            bench = Bench(layout, ports, members)
            persons = await asyncio.to_thread(write_files, bench, households)
            await members.spawn(_authorities(layout, ports))
            await members.ready()
            servers = bench.servers()
            await members.spawn(each for name, each in servers.items() if name != "subscriber's adapter")
            began = time.monotonic()
            await members.ready()
            print(f"{persons:,} persons; the publisher reads its registry for the first time …", flush=True)
            await _until(lambda: _is_compared(bench))
            stock = {"seconds": time.monotonic() - began, "processor": _processor_of(members, "adapter-spr")}
            await members.spawn([servers["subscriber's adapter"]])
            await members.ready()
            before = bench.processor()
            await _until(lambda: _is_loaded(bench))
            spent = {name: after - before[name] for name, after in bench.processor().items()}
            return {"persons": persons} | _report(bench, stock, spent)


def _processor_of(members: Crew, name: str) -> float:
    [pid] = (each.pid for each in members.running if each.server.name == name)
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


async def _until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(_SECONDS):
        while not await asyncio.to_thread(done):  # noqa: ASYNC110  # what other processes have written is looked up
            await asyncio.sleep(0.5)


def _position(bench: Bench, name: str) -> Mapping[str, Any]:
    key = load_events_key(bench.folder / "spr-events.key", config="bench")
    rows = bench.rows(PUBLISHER, f"SELECT value FROM spean_position WHERE name = '{name}'")  # noqa: S608  # of this module
    return key.unseal(rows[0][0]) if rows else {}


def _is_compared(bench: Bench) -> bool:
    return "done" in _position(bench, position_name(SERVICE)).get("whole", {})


def _is_loaded(bench: Bench) -> bool:
    """All chunks were put, and none of them waits any more."""
    loads = bench.rows(PUBLISHER, "SELECT state FROM spean_outbox WHERE kind = 'load'")
    waits = any(state == "waiting" for (state,) in loads)
    if not loads or waits:
        return False
    [code] = bench.rows(PUBLISHER, "SELECT code FROM spean_subscription WHERE event_type = 'REGISTER'")[0]
    return bool(_position(bench, f"load:{code}").get("done"))


def _report(bench: Bench, stock: Mapping[str, float], spent: Mapping[str, float]) -> dict[str, Any]:
    chunks = bench.rows(PUBLISHER, "SELECT message, state, created, finished FROM spean_outbox WHERE kind = 'load'")
    records = int(bench.rows(SUBSCRIBER, "SELECT count(*) FROM spr_person")[0][0])
    seconds = (max(each[3] for each in chunks) - min(each[2] for each in chunks)) / 1000
    messages = {each[0] for each in chunks}
    logs = {
        _NAMES[each.key]: sum(query in messages and size > 0 for query, size in bench.logged(each))
        for each in (SPR, NSSF)
    }
    return {
        "records": records,
        "chunks": len(chunks),
        "not_delivered": sum(each[1] != "sent" for each in chunks),
        "signed_and_logged": logs,
        "seconds": round(seconds, 1),
        "records_a_second": round(records / seconds),
        "microseconds_a_record": {name: round(each / records * 1e6) for name, each in spent.items()},
        "reading_the_registry_first": {
            "seconds": round(stock["seconds"], 1), "microseconds_a_record": round(stock["processor"] / records * 1e6),
        },
        "machine": {"python": platform.python_version(), "processor": platform.machine(), "cores": os.cpu_count()},
    }  # fmt: skip


def _authorities(layout: Layout, ports: Ports) -> list[Server]:
    authority = ("authority", "run", str(layout.authority), "--listen", f"{LOOPBACK}:{ports.authority}")
    central = ("central", "run", str(layout.central))
    return [
        Server("authority", authority, LOOPBACK, ports.authority, "/healthz", layout.log("authority")),
        Server("central", central, LOOPBACK, ports.central, "/healthz", layout.log("central")),
    ]


def _print(found: Mapping[str, Any]) -> None:
    first, each = found["reading_the_registry_first"], found["microseconds_a_record"]
    for name, cost in each.items():
        print(f"{name:32} {cost:8,} µs of processor time a record")
    print(f"{'all four':32} {sum(each.values()):8,}")
    print(f"{'the publisher, once, before':32} {first['microseconds_a_record']:8,}  ({first['seconds']} s)")
    print(
        f"{found['records']:,} of {found['persons']:,} records in {found['seconds']} s: "
        f"{found['records_a_second']:,} a second; wanted: 2,000; "
        f"{found['chunks']} chunks, each one message; signed and in the logs: {found['signed_and_logged']}"
    )


def main() -> int:
    """Measure, print and write the report; 1 when a chunk or a person did not arrive, or a log lacks a chunk."""
    parser = argparse.ArgumentParser(prog="bench.bulk", description=__doc__)
    parser.add_argument("--households", type=int, default=8_700, help="of some 3.5 persons; default %(default)s")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="spean-bulk-") as folder:
        found = asyncio.run(measure(Path(folder), wanted.households))
    _print(found)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(found, indent=2) + "\n")
    logged = set(found["signed_and_logged"].values())
    return 1 if found["not_delivered"] or found["records"] != found["persons"] or logged != {found["chunks"]} else 0


if __name__ == "__main__":
    raise SystemExit(main())
