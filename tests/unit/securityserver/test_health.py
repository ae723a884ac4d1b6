"""What health says of OCSP responses: whether exchanges can pass, and whose response is in trouble."""

from datetime import timedelta
from unittest.mock import MagicMock

import pytest

from pki.upkeep import OcspHealth, OcspUpkeep
from securityserver.health import register_checks
from serverkit.metrics import Health, HealthChecks, HealthState

HOUR = timedelta(hours=1)
FRESH = OcspHealth("CN=auth", "00", HOUR, HOUR, None, None)
FAILING = OcspHealth("CN=sign", "01", HOUR, HOUR, "no answer", None)
GONE = OcspHealth("CN=sign", "01", None, None, "no answer", None)
NOT_ASKED = OcspHealth("CN=sign", "01", None, None, None, None)


@pytest.mark.parametrize(
    ("items", "state", "says"),
    [
        ((), HealthState.OK, "fresh"),
        ((FRESH,), HealthState.OK, "fresh"),
        ((FRESH, FAILING), HealthState.DEGRADED, "CN=sign cannot be renewed: no answer"),
        ((FRESH, GONE), HealthState.DEGRADED, "CN=sign cannot be renewed: no answer"),
        ((GONE, GONE), HealthState.FAILED, "nothing can be signed"),
        ((NOT_ASKED,), HealthState.FAILED, "not been asked yet"),
    ],
    ids=["no certificate", "fresh", "failing", "one gone", "all gone", "not asked yet"],
)
def test_ocsp(items: tuple[OcspHealth, ...], state: HealthState, says: str) -> None:
    checks, unasked, upkeep = MagicMock(spec=HealthChecks), MagicMock(), MagicMock(spec=OcspUpkeep)
    upkeep.health.return_value = items
    register_checks(checks, unasked, upkeep, unasked, unasked, unasked)
    check = next(call.args[1] for call in checks.register.mock_calls if call.args[0] == "ocsp")
    health: Health = check()
    assert health.state is state
    assert says in health.en
    assert health.km
