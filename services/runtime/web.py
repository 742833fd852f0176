"""Serving a web application until a signal: uvicorn with our limits, a clean end, code 0."""

import asyncio
import signal
import socket

import uvicorn
from fastapi import FastAPI

from services.runtime.errors import Misconfigured

GRACE_SECONDS = 3
"""For requests in flight at SIGTERM; the log's worst stop is 8 s, and both rarely add up."""

BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there (port 0: a free one). Raises Misconfigured where it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
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


def serve(app: FastAPI, listener: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM, then return. Raises what the application's start raises."""
    # uvicorn raises the signal again once it has shut down: a clean end must not look like a kill.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    asyncio.run(_serve(app, listener))


async def _serve(app: FastAPI, listener: socket.socket) -> None:
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            timeout_keep_alive=30,
            # Entered here, so that an error at start reaches the command as it is.
            lifespan="off",
        )
    )
    async with app.router.lifespan_context(app):
        await server.serve(sockets=[listener])
