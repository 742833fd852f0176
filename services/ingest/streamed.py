"""An answer line by line (NDJSON), sent while it is found."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from services.ingest.body import NDJSON


class Streamed(StreamingResponse):
    """One line for each of `found`; what is `held` for it is let go however the response ends."""

    def __init__(self, found: AsyncIterator[BaseModel], held: AsyncExitStack) -> None:
        super().__init__(_encoded(found), media_type=NDJSON)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._held:
            await super().__call__(scope, receive, send)


async def _encoded(found: AsyncIterator[BaseModel]) -> AsyncIterator[bytes]:
    async for each in found:
        yield each.model_dump_json(exclude_none=True).encode() + b"\n"
