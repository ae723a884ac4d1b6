"""Makes the adapter file of a packaged programme, usable from any folder.

It refuses to change what the programme's own file says beyond where it listens, and where its data and its security
server are. The sandbox and tests write adapter files with it; an institution writes its own.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from adapters import yamlfile
from adapters.services import PACKAGED, PROGRAMMES

_FILES: Final = ("source", "mapping", "release", "write")
_OF_EVENTS: Final = ("publish", "write")  # of a service; without events there is nobody to tell, and no way to hear


def adapter_yaml(
    programme: str,
    *,
    listen: str,
    sender_id: str,
    source_url: str | None = None,
    source: Mapping[str, Any] | None = None,
    metrics: str | None = None,
    access_folder: Path | None = None,
    events: Mapping[str, Any] | None = None,
) -> str:
    """Return the text of an adapter file for a packaged programme.

    Args:
        programme: folder under ``adapters/programmes``, such as ``idpoor``.
        listen: host and port.
        sender_id: the subsystem that provides the services, as the answers name it.
        source_url: where the registry is, in place of what the programme's own file says.
        source: the whole ``source:`` in its place.
        metrics: host and port of metrics and health.
        access_folder: where the access record and its key are; beside the file when absent.
        events: what takes the place of its ``events:``; None for one that only answers questions.

    Raises:
        ConfigError: there is no such programme.
    """
    data: dict[str, Any] = yamlfile.load(PROGRAMMES / programme / "adapter.yaml", "adapter")
    data |= {"listen": listen, "sender_id": sender_id}
    data["source"] = dict(source) if source is not None else data["source"]
    if source_url is not None:
        data["source"] |= {"url": source_url}
    if metrics is not None:
        data["metrics"] = metrics
    data["services"] = [_packaged(programme, each) for each in data["services"]]
    _take_part(data, programme, events)
    for key, name in (("access_log", "access.sqlite"), ("access_key_file", "access.key")):
        own = f"{programme}-{name}"
        data[key] = own if access_folder is None else str(access_folder / own)
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False)


def _take_part(data: dict[str, Any], programme: str, events: Mapping[str, Any] | None) -> None:
    """Who takes no part in events has nothing of them in its file."""
    if events is not None and "events" in data:
        data["events"] |= {"key_file": f"{programme}-events.key", **events}
        return
    for key in ("events", "subscriptions"):
        data.pop(key, None)
    data["services"] = [{key: each[key] for key in each if key not in _OF_EVENTS} for each in data["services"]]


def _packaged(programme: str, service: Mapping[str, Any]) -> dict[str, Any]:
    named = {key: f"{PACKAGED}{programme}/{service[key]}" for key in _FILES if key in service}
    others = [f"{PACKAGED}{programme}/{each}" for each in service.get("other_versions", ())]
    return {**service, **named, **({"other_versions": others} if others else {})}
