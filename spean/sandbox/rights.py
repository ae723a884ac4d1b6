"""Which member may call which path of a service, as the programme's own declarations say: the least that is needed.

It refuses to grant what no declaration names. The sandbox writes each node's SERVICES.toml with it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import adapters
from spean.sandbox.plan import SEARCH_PATH, Service

PROGRAMMES: Final = Path(adapters.__file__).parent / "programmes"
_ASKING: Final[Mapping[str, tuple[str, ...]]] = {
    "Social": (SEARCH_PATH,),
    "IBR": (SEARCH_PATH, "/registry/sync/enrolled"),
    "DR": (
        SEARCH_PATH,
        "/registry/sync/disabled",
        "/registry/sync/get-disability-details",
        "/registry/sync/get-disability-support",
    ),
}
"""What may be asked of each kind of registry."""
_SUBSCRIBING: Final = ("/registry/subscribe", "/registry/unsubscribe", "/registry/sync/digests")
_ANSWERING: Final = ("/registry/on-subscribe", "/registry/on-unsubscribe", "/registry/on-search")
_TELLING: Final = ("/registry/notify",)


def rights(service: Service, *, events: bool) -> tuple[tuple[str, str], ...]:
    """Give each client with a path that it may post to; ``events`` also those of subscriptions and notifications."""
    return tuple(sorted(set(_rights(service, events=events))))


def _rights(service: Service, *, events: bool) -> Iterator[tuple[str, str]]:
    from adapters import yamlfile  # noqa: PLC0415 - loaded beside the people's making, not before the start

    folder = PROGRAMMES / service.programme
    adapter = yamlfile.load(folder / "adapter.yaml", "adapter")
    own = next(each for each in adapter["services"] if each["code"] == service.code)
    rules = yamlfile.load(folder / own["release"], "release")["give"]
    yield from _each((client for rule in rules for client in rule["to"]), _ASKING[service.registry])
    if not events:
        return
    if "publish" in own:
        free = (rule for rule in rules if rule.get("basis") != "consent")  # nobody can consent to all that will happen
        yield from _each((client for rule in free for client in rule["to"]), _SUBSCRIBING)
    if "write" in own:
        yield from _each((each["client"] for each in yamlfile.load(folder / own["write"], "write")["from"]), _TELLING)
    if adapter["source"].get("kind") == "crosswalk":  # it takes what registries tell without a write file
        yield from _each(_publishers(adapter, service.code), _TELLING)
    yield from _each(_publishers(adapter, service.code), _ANSWERING)


def _publishers(adapter: Mapping[str, Any], code: str) -> Iterator[str]:
    """They answer to what this adapter subscribes to, at the service that takes it."""
    yield from (each["at"].rpartition("/")[0] for each in adapter.get("subscriptions", ()) if each["into"] == code)


def _each(clients: Iterator[str], paths: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for client in clients:
        yield from ((client, path) for path in paths)
