"""``python -m bench.firstload``: what a first load costs, from the registry's rows to the subscriber's, by its steps.

It refuses to measure the bus between them, which signs and logs one message a chunk: the steps that cost by the record
are those of the two adapters. Processor time is what it tells, since it holds on a busy machine too.
"""

import argparse
import asyncio
import gc
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import insert, select, update

from adapters.capture.firstload import FirstLoad, Next
from adapters.capture.following import Following
from adapters.capture.publisher import Publisher
from adapters.capture.reading import reader_of
from adapters.config import AdapterConfig, load_config
from adapters.events import EventsKey, EventsStore, open_events
from adapters.events.notification import read_element
from adapters.events.store import milliseconds
from adapters.events.tables import OUTBOX, SUBSCRIPTION
from adapters.packaged import adapter_yaml
from adapters.source import open_source
from adapters.synthetic import ALL, generate
from adapters.writing import open_writers
from serverkit import memory

KEY: Final = EventsKey(bytes(32))
SENDER, CLIENT = "KH-SANDBOX/GOV/SPR/REGISTRY", "KH-SANDBOX/GOV/NSSF/MEMBERS"
EVENTS: Final = {"database": "source", "key_file": "e.key", "security_server": {"url": "http://127.0.0.1:1"}}
REPORT: Final = Path(__file__).parent / "out" / "firstload.json"


class Watch:
    """Processor time by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count what the block costs."""
        began = time.process_time()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - began


def measure(folder: Path, households: int) -> dict[str, Any]:
    """Load a registry into a subscriber, and return what each step cost a record, in microseconds."""
    generate(folder, households=households, seed=7, registers=ALL)
    gc.freeze()  # an adapter has no population in its memory
    memory.calm()
    spr, nssf = _config(folder, "spr", SENDER), _config(folder, "nssf", CLIENT)
    here, there = (open_events(f"sqlite:///{folder}/{name}.sqlite", KEY, config=name) for name in ("spr", "nssf"))
    service = next(each for each in spr.services if each.code == "registration")
    source = open_source(service.source, spr.connection)
    publisher = Publisher(service, KEY, reader_of(source, at_source=True))
    _subscribe(here)
    watch = Watch()
    with watch.step("publisher: read, map, judge, remember"):
        taken = asyncio.run(Following(publisher, here, source).once())
    load = FirstLoad(publisher, "bench", sender_id=SENDER)
    with watch.step("publisher: cut, seal a chunk"):
        while here.write_now(lambda connection: load.step(connection, datetime.now(UTC))).next is not Next.DONE:
            here.write_now(lambda connection: connection.execute(update(OUTBOX).values(state="sent")))
    messages = _messages(here, watch)
    _receive(nssf, there, messages, watch)
    records = taken.records - taken.bad
    cost = {name: round(seconds / records * 1e6, 1) for name, seconds in watch.seconds.items()}
    total = sum(cost.values())
    for each in (here, there):
        each.database.close()
    return {"records": records, "messages": len(messages), "microseconds": cost, "total": round(total, 1)}


def _config(folder: Path, programme: str, sender: str) -> AdapterConfig:
    path = folder / f"{programme}.yaml"
    url = f"sqlite:///{folder}/{programme}.sqlite"
    path.write_text(adapter_yaml(programme, listen="127.0.0.1:0", sender_id=sender, source_url=url, events=EVENTS))
    return load_config(path)


def _subscribe(store: EventsStore) -> None:
    now = datetime.now(UTC)
    authorize = {"ts": now.isoformat(), "purpose": {"code": "DATA_UPDATE", "ref_uri": "https://example.org/law"}}
    row = {
        "code": "bench", "service": "registration", "client": CLIENT, "callback": f"{CLIENT}/people",
        "event_type": "REGISTER", "record_type": "Registration", "version": "1.0.0",
        "sealed": KEY.seal({"filter": {}, "authorize": authorize}), "digest": bytes(32), "purpose": "DATA_UPDATE",
        "starts": 0, "ends": milliseconds(now + timedelta(days=1)), "status": "subscribe", "created": 0,
    }  # fmt: skip
    store.write_now(lambda connection: connection.execute(insert(SUBSCRIPTION), [row]))


def _messages(store: EventsStore, watch: Watch) -> list[bytes]:
    sealed = store.read_now(lambda connection: list(connection.scalars(select(OUTBOX.c.sealed).order_by(OUTBOX.c.id))))
    with watch.step("publisher: open a chunk, write the message"):
        return [json.dumps(KEY.unseal(each)["body"], ensure_ascii=False).encode() for each in sealed]


def _receive(config: AdapterConfig, store: EventsStore, messages: list[bytes], watch: Watch) -> None:
    definitions = {each.code: each.write for each in config.services if each.write is not None}
    writer = open_writers(definitions, store)["people"]
    for each in messages:
        with watch.step("subscriber: read, judge, map back, write"):
            events = [read_element(one) for one in json.loads(each)["message"]["notify_event"]]
            store.write_now(_bound(writer.receive, events))


def _bound(receive: Callable[..., Any], events: list[Any]) -> Callable[[Any], Any]:
    return lambda connection: receive(connection, SENDER, events, datetime.now(UTC))


def main() -> int:
    """Measure, print and write the report."""
    parser = argparse.ArgumentParser(prog="bench.firstload", description=__doc__)
    parser.add_argument("--households", type=int, default=2_000, help="default %(default)s")
    with tempfile.TemporaryDirectory(prefix="spean-bench-") as folder:
        found = measure(Path(folder), parser.parse_args().households)
    for name, cost in found["microseconds"].items():
        print(f"{name:45} {cost:8.1f} µs a record")
    print(
        f"{'in all':45} {found['total']:8.1f} µs a record; {found['records']:,} records, {found['messages']} messages"
    )
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
