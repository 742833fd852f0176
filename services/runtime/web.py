"""Serving a web application until a signal: uvicorn with our limits."""

import uvicorn
from fastapi import FastAPI

GRACE_SECONDS = 3
"""For requests in flight at SIGTERM; with the log's 8 s to stop, a service exits within 10 s of
most signals and always loses nothing."""


def server(app: FastAPI, host: str, port: int) -> uvicorn.Server:
    """A server of the app, to be run; port 0 takes a free one."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            timeout_keep_alive=30,
            lifespan="on",
        )
    )


def serve(app: FastAPI, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM. Raises SystemExit(1) where the port or an engine is away."""
    running = server(app, host, port)
    running.run()
    if not running.started:
        raise SystemExit(1)
