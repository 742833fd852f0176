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
from functools import partial

import uvicorn
from fastapi import FastAPI

from services.runtime import python
from services.runtime.errors import Misconfigured
from services.runtime.guard.connections import SHARE, Connections, raise_files
from services.runtime.guard.heads import MAX_HEAD_BYTES
from services.runtime.guard.protocol import Impatient
from services.runtime.memory import give_back_large_blocks
from services.runtime.reasons import reason

logger = logging.getLogger(__name__)

GRACE_SECONDS = 2
"""For requests in flight at SIGTERM; stopping the consumers takes most of the rest."""

END_SECONDS = 9.0
"""From the signal to the end of the process, whatever hangs: under the 10 s that are promised.
Nothing is lost by it: what was not finished was not committed, or is a pending receipt."""

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
            f"impossible d'écouter sur {host}:{port} ({reason(error)}) : choisir un autre --port"
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
    old = python.complaint()
    if old is not None:
        logger.warning(old)
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
        connections = Connections(proxies, raise_files() // SHARE)
        super().__init__(
            uvicorn.Config(
                app,
                http=partial(Impatient, connections=connections),  # type: ignore[arg-type]
                h11_max_incomplete_event_size=MAX_HEAD_BYTES,
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
