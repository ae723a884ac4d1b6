"""Sends a question through an institution's own security server, as a backend does: one HTTP request, one answer.

It refuses to know keys, certificates and other institutions' addresses, which is the point. The demonstration asks with
it.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from spean.sandbox.plan import LOOPBACK, NSAF, Institution, Ports
from spean.sandbox.query import Document
from spean.sandbox.story import StoryBrokenError

_SECONDS: Final = 30.0
CLERK: Final = "clerk-7"  # who sits before the fund's system; X-Road-UserId tells the registries


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the HTTP status, X-Road's error code if any, the ids, and the JSON document."""

    status: int
    error: str | None
    query_id: str
    document: Any

    @property
    def records(self) -> Sequence[Document]:
        """The records of a search answer.

        Raises:
            StoryBrokenError: it is no answer of the shared standard.
        """
        try:
            items = self.document["message"]["search_response"]
            return [record for item in items for record in item["data"]["reg_records"]]
        except (KeyError, TypeError) as problem:
            raise StoryBrokenError("the answer is no search response of the shared standard") from problem


class Backend:
    """A programme's backend; the fund's unless another is named."""

    def __init__(self, ports: Ports, institution: Institution = NSAF) -> None:
        self._institution = institution
        self._base = f"http://{LOOPBACK}:{ports.node(institution).client_http}"
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(self._base, timeout=aiohttp.ClientTimeout(total=_SECONDS))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()

    async def ask(self, path: str, question: Document) -> Answer:
        """Post a question to a service on the bus.

        Raises:
            StoryBrokenError: its security server does not answer at all.
        """
        if self._session is None:
            raise RuntimeError("use the backend in an async with statement")
        query_id = str(uuid.uuid4())
        headers = {"X-Road-Client": str(self._institution.subsystem), "X-Road-Id": query_id, "X-Road-UserId": CLERK}
        try:
            async with self._session.post(path, json=question, headers=headers) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError) as problem:
            raise StoryBrokenError(
                f"the security server of {self._institution.name} did not answer ({problem})"
            ) from problem
        return Answer(response.status, response.headers.get("X-Road-Error"), query_id, _parsed(body))


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None
