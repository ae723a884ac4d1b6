"""Where exchanges enter and their failures leave: one guard around each pipeline, one answer for each refusal.

It refuses to know what a pipeline does. Here, and only here, an unexpected exception becomes an internal error with
an id: the traceback goes to the log and nowhere else.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from securityserver.messagelog import Side
from securityserver.monitoring import Monitor, Watch
from securityserver.outgoing import Interrupted
from securityserver.slots import Slots
from serverkit.logs import get_logger
from xroad import soap
from xroad.codes import CLIENT_PROXY, SERVER_PROXY
from xroad.errors import InternalError, InvalidMessage, InvalidRequest, RemoteFault, XRoadError
from xroad.rest import error_response

log = get_logger("entrance")

FAULT_TYPE: Final = "text/xml; charset=UTF-8"

Pipeline = Callable[[web.BaseRequest, Watch], Awaitable[web.StreamResponse]]
Refuse = Callable[[web.BaseRequest | None, XRoadError], web.StreamResponse]


def refuse_backend(http: web.BaseRequest | None, error: XRoadError) -> web.StreamResponse:
    """Answer a backend as PR-REST 4.6 says, with what to do about it in English and Khmer."""
    refusal = error_response(error, http.headers.getall("Accept", ()) if http is not None else ())
    return web.Response(status=refusal.status, headers=dict(refusal.headers), body=refusal.body)


def refuse_peer(_http: web.BaseRequest | None, error: XRoadError) -> web.StreamResponse:
    """Answer a peer with a SOAP fault; its HTTP status is 200, as the reference's."""
    return web.Response(status=200, headers={"Content-Type": FAULT_TYPE}, body=soap.fault_xml(error))


@dataclass(frozen=True, slots=True)
class Entrance:
    """The guard of one side.

    Args:
        side: which one.
        pipeline: what to do with a request.
        refuse: how a refusal is told.
        monitor: hears of each exchange.
        slots: limits exchanges at once; the rest wait, their bodies unread.
    """

    side: Side
    pipeline: Pipeline
    refuse: Refuse
    monitor: Monitor
    slots: Slots

    async def handle(self, http: web.BaseRequest) -> web.StreamResponse:
        """Carry one exchange to its end, whatever it is."""
        with self.monitor.watching(self.side) as watch:
            try:
                async with self.slots:
                    answer = await self.pipeline(http, watch)
            except XRoadError as error:
                return self._refused(http, watch, error)
            except (Interrupted, ConnectionError) as error:
                self.monitor.abandoned(watch)
                raise ConnectionResetError from error
            except Exception as error:
                # The only broad net: a mistake in this code must cost one exchange, not the node.
                failure = InternalError(
                    "This security server met an error that it does not know. Its administrator "
                    "finds it in the log by the id.",
                    error_id=watch.request_id,
                )
                log.exception("internal_error", error_id=failure.error_id, side=self.side.value, exc_info=error)
                return self._refused(http, watch, failure)
            self.monitor.done(watch)
            return answer

    def unreadable(self, reason: str) -> web.StreamResponse:
        """Answer what could not be read as HTTP: no pipeline ever sees it."""
        detail = (
            f"What came cannot be read as HTTP ({reason}): correct the client that wrote it, or shorten the request "
            "line and headers if they are beyond the limits."
        )
        error: XRoadError = InvalidRequest(detail) if self.side is Side.CONSUMER else InvalidMessage(detail)
        log.warning("unreadable_request", side=self.side.value, reason=reason, error_id=error.error_id)
        with self.monitor.watching(self.side) as watch:
            return self._refused(None, watch, error)

    def _refused(self, http: web.BaseRequest | None, watch: Watch, error: XRoadError) -> web.StreamResponse:
        if watch.request_id is not None and not isinstance(error, RemoteFault):
            # One id for all: every node that the exchange touched has a line with its request id.
            error.error_id = watch.request_id
        refused = error.prefixed(CLIENT_PROXY if self.side is Side.CONSUMER else SERVER_PROXY)
        self.monitor.refused(watch, refused)
        if http is not None and http.writer is not None and http.writer.output_size > 0:
            # Part of an answer is out: cut it, so that the other side cannot take it for whole.
            raise ConnectionResetError(refused.full_code)
        return self.refuse(http, refused)
