"""Serving a web application until a signal: uvicorn with our limits, a clean end, code 0."""

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from services.runtime.errors import Misconfigured
from services.runtime.memory import give_back_large_blocks

logger = logging.getLogger(__name__)

GRACE_SECONDS = 2
"""For requests in flight at SIGTERM; stopping the consumers takes most of the rest."""

END_SECONDS = 9.0
"""From the signal to the end of the process, whatever hangs: under the 10 s that are promised.
Nothing is lost by it: what was not finished was not committed, or is a pending receipt."""

SPEAK_SECONDS = 15.0
"""For a connection's next request to come with all its headers, and for what comes of a body after
its answer. uvicorn waits for ever for both, once a first byte is there."""

BACKLOG = 2048
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there (port 0: a free one). Raises Misconfigured where it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # As TCP by name: only then does asyncio send small answers at once (TCP_NODELAY).
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise Misconfigured(
            f"impossible d'écouter sur {host}:{port} ({error.strerror}) : choisir un autre --port"
        ) from None
    return listener


def address(listener: socket.socket) -> str:
    """Where a browser on this machine finds what listens there."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104  (compared, not listened on)
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(app: FastAPI, listener: socket.socket, proxies: str = "") -> None:
    """Serve until SIGINT or SIGTERM, then return. Raises what the application's start raises.

    `proxies` are addresses and networks, parted by commas, whose X-Forwarded-For is believed.
    """
    give_back_large_blocks()
    with suppress(asyncio.CancelledError):
        asyncio.run(_serve(app, listener, proxies))


async def _serve(app: FastAPI, listener: socket.socket, proxies: str) -> None:
    server = Server(app, proxies)
    loop, starting = asyncio.get_running_loop(), asyncio.current_task()
    assert starting is not None
    for number in SIGNALS:
        loop.add_signal_handler(number, _give_up_starting, starting)
    async with app.router.lifespan_context(app):
        for number in SIGNALS:
            loop.add_signal_handler(number, server.end)
        await server.serve(sockets=[listener])


def _give_up_starting(starting: "asyncio.Task[None]") -> None:
    _end_in_time()
    starting.cancel()


class Server(uvicorn.Server):
    """uvicorn, with the signals left to us: it would raise them again once it has shut down."""

    def __init__(self, app: FastAPI, proxies: str = "") -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Impatient,
                # By itself uvicorn believes whoever is on this machine.
                proxy_headers=bool(proxies),
                forwarded_allow_ips=proxies,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
                timeout_keep_alive=30,
                # Entered by `_serve`, so that an error at start reaches the command as it is.
                lifespan="off",
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield

    def end(self) -> None:
        """Take no more requests, finish those in flight, and return from `serve`."""
        _end_in_time()
        self.should_exit = True


class Impatient(H11Protocol):
    """uvicorn's protocol, which hangs up on whoever takes too long to say what it wants."""

    _hang_up: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a first request."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Wait for the rest of the headers, where it is not there."""
        super().data_received(data)
        self._wait()

    def on_response_complete(self) -> None:
        """Wait for the rest of the body, which nobody reads any more."""
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing to wait for."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        theirs = self.conn.their_state
        ignored = theirs is h11.SEND_BODY and self.cycle.response_complete
        if theirs is not h11.IDLE and not ignored:
            self._stop_waiting()
        elif self._hang_up is None:
            self._hang_up = self.loop.call_later(SPEAK_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._hang_up is not None:
            self._hang_up.cancel()
            self._hang_up = None


def _end_in_time() -> None:
    """Have the process end with code 0 in END_SECONDS at the latest.

    A thread that waits for a database which is frozen would hold the process for ever.
    """

    def end() -> None:
        logger.warning("not stopped after %.0f s: ending now", END_SECONDS)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)

    timer = threading.Timer(END_SECONDS, end)
    timer.daemon = True
    timer.start()
