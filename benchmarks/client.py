"""A small HTTP client: one kept connection, so that what is measured is the server."""

import asyncio
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

KEYS: dict[str, str] = {}
"""The administrator's key of each server that this run has started, by its address."""


def shown(url: str) -> dict[str, str]:
    """The headers by which that server knows us; none for another one."""
    return {"Authorization": f"Bearer {KEYS[url]}"} if url in KEYS else {}


class Client:
    """One connection to one server; requests one after the other."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._headers = shown(url)
        self._host, self._port = str(parts.hostname), int(parts.port or 80)
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(
            self._host, self._port, limit=2**22
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    async def ask(
        self, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (names in lower case) and body of the answer; POST where a body goes."""
        assert self._reader is not None
        assert self._writer is not None
        lines = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1", f"Host: {self._host}"]
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        headers = self._headers | headers
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + (body or b""))
        await self._writer.drain()
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split()[1])
        found = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        return status, found, await self._body(status, found)

    async def _body(self, status: int, headers: dict[str, str]) -> bytes:
        assert self._reader is not None
        if status == 304:
            return b""
        if headers.get("transfer-encoding") != "chunked":
            return await self._reader.readexactly(int(headers.get("content-length", "0")))
        parts = []
        while length := int(await self._reader.readline(), 16):
            parts.append(await self._reader.readexactly(length))
            await self._reader.readline()
        await self._reader.readline()
        return b"".join(parts)
