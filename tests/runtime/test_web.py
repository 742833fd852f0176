"""What serves the applications: its sockets."""

import asyncio
import socket

from services.runtime import web


async def test_a_small_answer_on_a_kept_connection_is_sent_at_once() -> None:
    """Otherwise it waits for the reader's acknowledgement, 40 ms on Linux."""
    found: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def accepted(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        found.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listener = web.listen("127.0.0.1", 0)
    async with await asyncio.start_server(accepted, sock=listener):
        _, writer = await asyncio.open_connection(*listener.getsockname())
        assert await found == 1
        writer.close()
        await writer.wait_closed()
