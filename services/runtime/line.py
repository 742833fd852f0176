"""A line between a process and its child: questions one way, answers the other, and its end."""

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from contextlib import suppress

ANSWER_BYTES = 192 * 1024
"""Largest answer: under the kernel's usual limit for one packet (208 KB). Figures take 10 KB."""

ANSWER_SECONDS = 1.0
"""Longest wait for an answer; whoever asked goes on without it."""


class Line:
    """Our end of a line whose other end, `theirs`, becomes the child's standard input.

    It carries packets: an answer comes whole or not at all. When this process ends, however it
    ends, the child reads the end of the line.
    """

    def __init__(self) -> None:
        self._ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.setblocking(False)
        self._one = asyncio.Lock()
        self._asked = 0

    async def ask(self) -> bytes:
        """What the child answers; empty where it does not in time."""
        loop = asyncio.get_running_loop()
        async with self._one:
            self._asked += 1
            question = f"{self._asked}\n".encode()
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(ANSWER_SECONDS):
                    await loop.sock_sendall(self._ours, question)
                    # What comes first may be the answer to a question that was given up.
                    while packet := await loop.sock_recv(self._ours, ANSWER_BYTES):
                        if packet.startswith(question):
                            return packet.removeprefix(question)
        return b""

    def close(self) -> None:
        """Hang up; the child takes it for our end."""
        self._ours.close()


def answer_until_end(
    descriptor: int,
    loop: asyncio.AbstractEventLoop,
    answer: Callable[[], Coroutine[None, None, bytes]],
) -> None:
    """Answer each question on that end of a line, in `loop`; returns when the line has ended.

    For a thread of its own. On a plain pipe there are no questions, only the end.
    """
    while question := os.read(descriptor, ANSWER_BYTES):
        # Whatever fails, this thread goes on: it is what notices the end.
        with suppress(Exception, CancelledError):
            given = asyncio.run_coroutine_threadsafe(answer(), loop).result(ANSWER_SECONDS)
            os.write(descriptor, question + given)
