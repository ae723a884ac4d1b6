"""Builds small mappings, sources and registries for tests of the adapters."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from adapters.mapping import CompiledMapping, compile_mapping, parse_mapping

NOW = "2026-11-22T09:00:00+07:00"
CLIENT = "KH-SANDBOX/GOV/NSAF/FAMILY-PACKAGE"


def mapping_data(rules: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """Return a mapping to ``cambodia/person`` as YAML would give it."""
    return {
        "mapping": "test",
        "version": "1.0.0",
        "title": {"en": "Test", "km": "សាកល្បង"},
        "target": {"contract": "cambodia/person", "version": "1.0.0"},
        "rules": rules,
    } | more


def dump(data: object) -> bytes:
    """Write YAML, without the aliases that the dumper makes of an object that stands twice."""
    return yaml.safe_dump(json.loads(json.dumps(data)), allow_unicode=True).encode()


def compiled(rules: list[dict[str, Any]], *, shape: list[str] | None = None, **more: Any) -> CompiledMapping:
    """Compile rules that map to ``cambodia/person``."""
    return compile_mapping(parse_mapping(dump(mapping_data(rules, **more)), name="test.yaml"), shape)


def search_item(query: object, query_type: str = "idtype-value", **criteria: Any) -> dict[str, Any]:
    """Return one search."""
    return {
        "reference_id": "r-1",
        "timestamp": NOW,
        "search_criteria": {"query_type": query_type, "query": query} | criteria,
    }


def search_message(*items: object, **header: Any) -> dict[str, Any]:
    """Return a whole request."""
    head = {
        "version": "1.0.0",
        "message_id": "m-1",
        "message_ts": datetime.now(UTC).isoformat(),
        "action": "search",
        "sender_id": CLIENT,
        "total_count": len(items),
    }
    return {"header": head | header, "message": {"transaction_id": "t-1", "search_request": list(items)}}


def expression(query: object, **more: Any) -> dict[str, Any]:
    """Return the query of an ``expression``."""
    return {"type": "expression", "value": {"expression": {"query": query} | more}}


def write_yaml(path: Path, data: object) -> Path:
    """Write a YAML file and return its path."""
    path.write_bytes(dump(data))
    return path
