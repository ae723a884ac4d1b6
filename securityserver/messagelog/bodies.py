"""Decides how a record's body is kept, and makes it so before the record is queued.

It refuses to know where the decision comes from: the node's configuration gives it as a function.
`MessageLog.append` calls it for each record; large bodies are sealed later, by the writer, as they are copied.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from securityserver.messagelog.bodycipher import BodySealer, context_of_encoded
from securityserver.messagelog.keys import DataKeys
from securityserver.messagelog.leaf import completed, encode
from securityserver.messagelog.records import LEAF_HASH, BodyForm, Record, Row, covered, keep_body, signature_hash_of
from xroad.errors import LoggingFailed
from xroad.merkle import leaf_hash

FormOf = Callable[[Record], BodyForm]


def always_plain(_record: Record) -> BodyForm:
    """Keep each body as it is."""
    return BodyForm.PLAIN


class BodyKeeping:
    """How bodies are kept.

    Args:
        form_of: decides.
        keys: for those that are to be encrypted; `None` where there are none.
    """

    def __init__(self, form_of: FormOf, keys: DataKeys | None) -> None:
        self._form_of, self._keys = form_of, keys
        self._making = asyncio.Lock()

    async def keep(self, record: Record, row: Row) -> BodySealer | None:
        """Bring a row's body into the form that it is kept in; gives the sealer of a large one.

        Raises:
            LoggingFailed: no data key can be made.
        """
        # An empty body hides nothing.
        form = self._form_of(record) if record.body.size else BodyForm.PLAIN
        if form is BodyForm.NOT_LOGGED:
            keep_body(row, form, None, None)
        if form is not BodyForm.ENCRYPTED:
            return None
        number, data_key = await self._data_key(record.at.date().isoformat())
        keep_body(row, form, number, None)
        encoded = encode(covered(row), signature_hash_of(row))
        sealer = BodySealer(data_key, context_of_encoded(encoded))
        if record.body.inline is None:
            return sealer
        keep_body(row, form, number, sealer.seal(0, record.body.inline), sealer.stored_digest())
        # To encode a record costs more than the rest of its leaf: it is done once.
        row[LEAF_HASH] = leaf_hash(completed(encoded, sealer.stored_digest()))
        return None

    async def _data_key(self, day: str) -> tuple[int, bytes]:
        if self._keys is None:
            raise LoggingFailed("Bodies are to be encrypted and the server has no log key; start it again to make one.")
        known = self._keys.known(day)
        if known is not None:
            return known
        async with self._making:
            known = self._keys.known(day)
            if known is not None:
                return known
            try:
                return await asyncio.to_thread(self._keys.make, day)
            except SQLAlchemyError as error:
                raise LoggingFailed("No data key could be made; look at the disk of the server's database.") from error


PLAIN: Final = BodyKeeping(always_plain, None)
