"""The body of a request: its type, its size before it is read, and its lines in flat memory."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO

from fastapi import Request
from starlette.requests import ClientDisconnect

from services.runtime.guard.limits import counts_itself
from services.runtime.problems import ProblemError
from services.runtime.reasons import away

JSON = "application/json"
NDJSON = "application/x-ndjson"
MULTIPART = "multipart/form-data"

DRAINED_BYTES = 64 * 1024 * 1024
DRAIN_SECONDS = 10.0
"""What is read on and thrown away of a body that is too large: a client that is still sending
would find its connection cut and never see the answer."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an NDJSON body; `raw` is None for one that is too long."""

    number: int
    raw: bytes | None


ALSO_NDJSON = frozenset(
    f"application/{prefix}{name}"
    for prefix in ("", "x-")
    for name in ("ndjson", "jsonl", "jsonlines", "json-lines", "ldjson")
)
"""Other names under which programs send lines of JSON; none is registered."""

TAKEN = {
    JSON: "une note",
    NDJSON: "une note par ligne",
    MULTIPART: "un document, et au besoin ses métadonnées",
}
"""What a submission may be."""


def media_type(request: Request, taken: Mapping[str, str] = TAKEN) -> str:
    """Which of the types `taken` the body has: JSON, NDJSON or a form with a file.

    Raises ProblemError 415 for another type, charset or encoding.
    """
    given, _, parameters = request.headers.get("content-type", "").partition(";")
    kind = given.strip().lower()
    kind = NDJSON if kind in ALSO_NDJSON else kind
    charset = _charset(parameters)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if (
        kind in taken
        and charset in {"utf-8", "utf8", "us-ascii", "ascii"}
        and encoding == "identity"
    ):
        return kind
    raise ProblemError(
        415,
        detail=f"Types admis : {_and(taken)}, en UTF-8 et sans compression.",
        headers={"Accept-Post": ", ".join(taken)},
    )


def _and(taken: Mapping[str, str]) -> str:
    *first, last = (f"{kind} ({meaning})" for kind, meaning in taken.items())
    return f"{', '.join(first)} et {last}" if first else last


async def whole(request: Request, limit: int) -> bytes:
    """The body, of at most `limit` bytes. Raises ProblemError 413 before more is kept."""
    parts = [part async for part in counted(request, limit)]
    return b"".join(parts)


async def spooled(request: Request, limit: int) -> IO[bytes]:
    """The body in an unnamed temporary file, at its start; the caller closes it.

    It is read to its end before the first answer: most clients read nothing while they write, and
    both sides would wait for each other for ever. Raises ProblemError 413, and Unavailable where
    the disk is full.
    """
    file = TemporaryFile()  # noqa: SIM115  (the caller's)
    try:
        async for part in counted(request, limit):
            await asyncio.to_thread(file.write, part)
        file.seek(0)
    except OSError as error:
        file.close()
        raise away(f"no room for the body: {error}", error) from error
    except BaseException:
        file.close()
        raise
    return file


def lines(file: IO[bytes], limit: int) -> Iterator[Line]:
    """The lines of at most `limit` bytes, blank ones skipped, numbered from 1 as an editor does.

    A longer line is read past without being kept.
    """
    number = 0
    while raw := file.readline(limit + 2):
        number += 1
        if len(raw.rstrip(b"\r\n")) > limit:
            while raw and not raw.endswith(b"\n"):
                raw = file.readline(limit)
            yield Line(number, None)
        elif raw.strip():
            yield Line(number, raw.rstrip(b"\r\n"))


async def counted(request: Request, limit: int) -> AsyncGenerator[bytes]:
    """The body in parts as they come. Raises ProblemError: 413 once there is more than `limit`
    bytes of it, 400 where the sender hangs up."""
    counts_itself(request)
    declared = request.headers.get("content-length", "0")
    stream = request.stream()
    if declared.isdecimal() and int(declared) > limit:
        if "expect" not in request.headers:
            await _drain(stream)
        raise _too_large(limit)
    received = 0
    try:
        async for part in stream:
            received += len(part)
            if received > limit:
                await _drain(stream)
                raise _too_large(limit)
            yield part
    except ClientDisconnect:
        raise ProblemError(400, detail="L'envoi a été interrompu.") from None


async def _drain(stream: AsyncIterator[bytes]) -> None:
    drained = 0
    with contextlib.suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(DRAIN_SECONDS):
            async for part in stream:
                drained += len(part)
                if drained > DRAINED_BYTES:
                    return


def _too_large(limit: int) -> ProblemError:
    return ProblemError(413, detail=f"L'envoi dépasse la taille admise de {limit} octets.")


def _charset(parameters: str) -> str:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'").lower()
    return "utf-8"
