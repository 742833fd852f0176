"""Calling the registry from a coroutine: in a thread, within a time limit."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from services.runtime.errors import Busy

CALL_SECONDS = 4.5
"""Under the 5 s that an answer may take. The database's own limits come first where it can still
speak; this one is for a server that is frozen and answers nothing."""

P = ParamSpec("P")
T = TypeVar("T")


async def aside(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the blocking `call` returns, run off the event loop.

    Raises what it raises, or Busy when it takes longer than CALL_SECONDS (the call itself goes on
    in its thread: what it wrote is found by the next attempt).
    """
    try:
        # Not wait_for: until Python 3.12 it may swallow a cancellation that comes with the result.
        async with asyncio.timeout(CALL_SECONDS):
            return await asyncio.to_thread(call, *args, **kwargs)
    except TimeoutError:
        raise Busy("the registry does not answer") from None
