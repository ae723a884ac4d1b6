"""The memory of verdicts: bounded, and forgetful when a verdict's time is over."""

from datetime import timedelta

from tests.support.pki import AT
from xroad.verdicts import VerdictCache

MINUTE = timedelta(minutes=1)


def test_a_verdict_stands_for_its_span() -> None:
    cache = VerdictCache()
    cache.put("key", "good", AT, AT + MINUTE)
    assert cache.get("key", str, AT) == "good"
    assert cache.get("key", str, AT + MINUTE) == "good"
    assert cache.get("key", str, AT + 2 * MINUTE) is None
    assert cache.get("key", str, AT - MINUTE) is None


def test_a_verdict_of_another_kind_is_none() -> None:
    cache = VerdictCache()
    cache.put("key", "good", AT, AT)
    assert cache.get("key", int, AT) is None
    assert cache.get("other", str, AT) is None


def test_the_oldest_makes_room() -> None:
    cache = VerdictCache(limit=2)
    for number in range(5):
        cache.put(number, "good", AT, AT)
    assert len(cache) == 2
    assert [cache.get(number, str, AT) for number in range(5)] == [None, None, None, "good", "good"]


def test_putting_again_renews() -> None:
    cache = VerdictCache(limit=2)
    for key in ("a", "b", "a", "c"):
        cache.put(key, "good", AT, AT)
    assert cache.get("a", str, AT) == "good"
    assert cache.get("b", str, AT) is None
