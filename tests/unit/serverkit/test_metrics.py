from functools import partial

import aiohttp
import pytest
from prometheus_client import Counter

from serverkit.http import HttpServer, Listen
from serverkit.metrics import Health, HealthChecks, HealthState, Metrics, monitoring_app


async def fetch(metrics: Metrics, checks: HealthChecks, path: str) -> tuple[int, str, str]:
    server = await HttpServer.start(monitoring_app(metrics, checks), [Listen("127.0.0.1", 0)])
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{server.addresses[0]}{path}") as response,
    ):
        answer = response.status, response.headers["Content-Type"], await response.text()
    await server.close()
    return answer


def check(state: HealthState) -> Health:
    return Health(state, "The disk is full; make room.", "ឌីសពេញ សូមលុបឯកសារ។")


async def test_metrics_are_the_servers_own() -> None:
    one, other = Metrics(), Metrics()
    Counter("exchanges", "Exchanges.", registry=one.registry).inc()
    status, content_type, text = await fetch(one, HealthChecks(), "/metrics")
    assert status == 200
    assert content_type.startswith("text/plain")
    assert "exchanges_total 1.0" in text
    assert "process_resident_memory_bytes" in text
    assert "exchanges" not in (await fetch(other, HealthChecks(), "/metrics"))[2]


@pytest.mark.parametrize(
    ("states", "worst", "status"),
    [
        ([], "ok", 200),
        ([HealthState.OK, HealthState.DEGRADED], "degraded", 200),
        ([HealthState.FAILED, HealthState.DEGRADED, HealthState.OK], "failed", 503),
    ],
)
async def test_health(states: list[HealthState], worst: str, status: int) -> None:
    checks = HealthChecks()
    for number, state in enumerate(states):
        checks.register(f"check{number}", partial(check, state))
    got, _, text = await fetch(Metrics(), checks, "/healthz")
    assert got == status
    assert f'"state": "{worst}"' in text
    assert text.count("make room") == len(states)


def test_names_are_given_once() -> None:
    checks = HealthChecks()
    checks.register("a", lambda: check(HealthState.OK))
    with pytest.raises(ValueError, match="already"):
        checks.register("a", lambda: check(HealthState.OK))
