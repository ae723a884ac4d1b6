"""Lets no call of a library lose a cancellation.

It refuses to know which library: in Python 3.11 `asyncio.wait_for` returns a result that comes in the turn of the loop
in which its task is cancelled, and the cancellation is gone; a driver may catch one, too. A loop that goes on then is
never cancelled again, and who waits for it waits for ever.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


def cancellable(call: Callable[_Given, Coroutine[Any, Any, _Result]]) -> Callable[_Given, Coroutine[Any, Any, _Result]]:
    """Make a call end as cancelled when its task was asked to end meanwhile, whatever came out of it."""

    @wraps(call)
    async def heard(*args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
        before = _asked()
        try:
            return await call(*args, **kwargs)
        finally:
            if _asked() > before:
                raise asyncio.CancelledError

    return heard


def _asked() -> int:
    """Tell how often the current task was asked to end."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()
