"""Metrics and health of one server, for Prometheus and for whoever restarts it.

It refuses to know what is measured: servers register their own metrics and checks.
It is served on a port of its own, away from messages.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from aiohttp import web
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder

from serverkit.http import new_application


class HealthState(StrEnum):
    """How a part of the server is."""

    OK = "ok"
    DEGRADED = "degraded"  # it works, and somebody must act before it stops
    FAILED = "failed"  # no exchange can pass


@dataclass(frozen=True, slots=True)
class Health:
    """What a check found.

    Args:
        state: how it is.
        en: a sentence in English; when not ok, it says what to do.
        km: the same in Khmer.
    """

    state: HealthState
    en: str
    km: str


class HealthChecks:
    """The named checks of one server; each is quick and reads what is known already."""

    def __init__(self) -> None:
        self._checks: dict[str, Callable[[], Health]] = {}

    def register(self, name: str, check: Callable[[], Health]) -> None:
        """Add a check; a name is given once."""
        if name in self._checks:
            raise ValueError(f"there is a check {name} already")
        self._checks[name] = check

    def run(self) -> Mapping[str, Health]:
        """Give what each check finds now."""
        return {name: check() for name, check in self._checks.items()}


class Metrics:
    """The metrics of one server, apart from those of others in the same process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)


def monitoring_app(metrics: Metrics, checks: HealthChecks) -> web.Application:
    """Serve `/metrics` in the format that the scraper asks for, and `/healthz` (HTTP 503 when a check has failed)."""

    async def show_metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(metrics.registry), headers={"Content-Type": content_type})

    async def show_health(_request: web.Request) -> web.Response:
        return _health_response(checks.run())

    app = new_application()
    app.router.add_get("/metrics", show_metrics)
    app.router.add_get("/healthz", show_health)
    return app


def _health_response(found: Mapping[str, Health]) -> web.Response:
    states = {health.state for health in found.values()}
    order = (HealthState.FAILED, HealthState.DEGRADED)
    worst = next((state for state in order if state in states), HealthState.OK)
    checks = {name: {"state": health.state, "en": health.en, "km": health.km} for name, health in found.items()}
    status = 503 if worst is HealthState.FAILED else 200
    return web.json_response({"state": worst, "checks": checks}, status=status)
