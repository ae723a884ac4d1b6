"""Asks time-stamping authorities in order, until one gives a token that holds.

It refuses to know what is stamped and when; it keeps no token. The keeper hands it bytes; a token that it gives back
is over exactly these bytes, fresh, by an authority that the instance approves.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import aiohttp
from aiohttp import hdrs

from pki.clock import Clock
from securityserver.bounded import read_bounded
from securityserver.timestamping.settings import Timestamping
from serverkit.logs import get_logger
from xroad import timestamp
from xroad.algorithms import SHA512
from xroad.errors import TimestampingFailed, TimestampValidation, XRoadError
from xroad.globalconf.snapshot import ApprovedTsa, TrustSnapshot

log = get_logger("timestamping")

OK: Final = 200
NONCE_BITS: Final = 63  # positive in DER's 8 octets, which every authority takes
_HEADERS: Final = {hdrs.CONTENT_TYPE: "application/timestamp-query", hdrs.ACCEPT: "application/timestamp-reply"}


@dataclass(frozen=True, slots=True)
class Stamp:
    """A verified token (DER), when its authority made it, and what the authority is called."""

    token: bytes
    at: datetime
    authority: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How an authority did when it was asked last; `failure` is None when it stamped."""

    authority: str
    at: datetime
    failure: str | None


class Authorities:
    """The authorities that a node asks.

    Args:
        session: for requests; the caller closes it.
        trust: gives the trust snapshot that counts now, or raises.
        clock: the time.
        settings: order and time-outs.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        trust: Callable[[], TrustSnapshot],
        clock: Clock,
        settings: Timestamping,
    ) -> None:
        self._session, self._trust, self._clock, self._settings = session, trust, clock, settings
        self.standings: dict[str, Standing] = {}

    async def stamp(self, data: bytes) -> Stamp:
        """Have bytes stamped by the first authority that can.

        Raises:
            TimestampingFailed: none did; the detail says why, for each.
            OutdatedGlobalConf, MalformedGlobalConf: there is no configuration that says whom to ask.
        """
        trust = self._trust()
        failures = []
        for authority in self._in_order(trust):
            try:
                stamp = await self._ask(authority, data, trust)
            except XRoadError as error:
                failures.append(f"{authority.name}: {error.detail}")
                self._note(authority, error.detail)
            else:
                self._note(authority, None)
                return stamp
        raise TimestampingFailed(
            "No time-stamping authority stamped the log: " + (" | ".join(failures) or self._nobody(trust))
        )

    def _in_order(self, trust: TrustSnapshot) -> list[ApprovedTsa]:
        approved = trust.time_stamping_authorities
        if not self._settings.authorities:
            return list(approved)
        return [each for name in self._settings.authorities for each in approved if each.name == name]

    def _nobody(self, trust: TrustSnapshot) -> str:
        if not trust.time_stamping_authorities:
            return "the global configuration approves none. The governing authority must approve one."
        names = ", ".join(each.name for each in trust.time_stamping_authorities)
        return f"none of those in [timestamping] authorities is approved. Approved are: {names}."

    async def _ask(self, authority: ApprovedTsa, data: bytes, trust: TrustSnapshot) -> Stamp:
        # 1. Ask with a nonce, so that an old answer cannot pass for this one.
        nonce = secrets.randbits(NONCE_BITS)
        asked_at = self._clock.now()
        response = await self._post(authority.url, timestamp.request(SHA512.digest(data), SHA512, nonce=nonce))
        # 2. The answer grants, and carries the nonce.
        token = timestamp.token_of(response, nonce=nonce)
        # 3. The token is over these bytes, by an approved authority, not from the future.
        verified = timestamp.verify(token, data, trust, self._clock.now())
        # 4. Nor from the past: an authority whose clock stands would date the evidence wrongly for ever.
        if verified.gen_time < asked_at - timestamp.CLOCK_SKEW:
            raise TimestampValidation("The time-stamp is from the past: a clock is wrong, here or at the authority.")
        return Stamp(token, verified.gen_time, authority.name)

    async def _post(self, url: str, request: bytes) -> bytes:
        try:
            async with (
                asyncio.timeout(self._settings.timeout_seconds),
                # A redirect would let an authority send this server's requests to addresses of its choice.
                self._session.post(url, data=request, headers=_HEADERS, allow_redirects=False) as answer,
            ):
                if answer.status != OK:
                    raise TimestampingFailed(f"it answered with HTTP status {answer.status}.")
                return await read_bounded(answer.content, timestamp.MAX_BYTES)
        except TimeoutError as error:
            raise TimestampingFailed(f"it gave no answer within {self._settings.timeout_seconds:g} s.") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise TimestampingFailed(f"it gave no answer ({str(error) or type(error).__name__}).") from error

    def _note(self, authority: ApprovedTsa, failure: str | None) -> None:
        self.standings[authority.name] = Standing(authority.name, self._clock.now(), failure)
        if failure is not None:
            log.warning("timestamping_authority_failed", authority=authority.name, url=authority.url, reason=failure)
