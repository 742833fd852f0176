"""The classify process of the embedded deployment: reads the SQLite log beside the server.

It ends at SIGTERM, and when its parent does: its standard input is a line from the parent, whose
end comes when the parent is gone, however it went. On that line the parent asks for its figures.
"""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path

from schemas.topics import ALL
from services.classify.app import worker
from services.classify.classifier import warm_up
from services.runtime import logs, metrics, tracing
from services.runtime.errors import Misconfigured
from services.runtime.line import answer_until_end
from services.runtime.log.sqlite import SqliteLog
from services.runtime.settings import Settings
from services.runtime.worker import Worker

logger = logging.getLogger("valise.classify")

NICENESS = 5
"""Below the server's: a search is answered first, notes are classified with what is left."""

LOG_FILE = "log.sqlite3"
WATCH_SECONDS = 1.0


def main(data_dir: Path, settings: Settings) -> int:
    """Classify until a signal or the parent's end; the exit code: 0, or 1 where work stopped.

    Raises Misconfigured where the language model is missing, Unavailable without the log.
    """
    os.nice(NICENESS)
    return asyncio.run(_run(data_dir / LOG_FILE, settings))


async def _run(path: Path, settings: Settings) -> int:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    reading: Worker | None = None

    async def figures() -> bytes:
        return await metrics.exposition([] if reading is None else [reading])

    _watch_parent(loop, stopped, figures)
    await asyncio.to_thread(warm_up)
    if stopped.is_set():
        return 0
    log = SqliteLog(path)
    await log.provision(ALL)
    reading = worker(log, settings)
    reading.subscribe()
    await log.start()
    logger.info("classify: reading %s", path)
    try:
        return await _until(stopped, reading.health)
    finally:
        await log.stop()


async def _until(stopped: asyncio.Event, health: Callable[[], Awaitable[str | None]]) -> int:
    """Wait for the stop; 1 where the worker gets nowhere, so that a new process takes over."""
    while not stopped.is_set():
        try:
            async with asyncio.timeout(WATCH_SECONDS):
                await stopped.wait()
        except TimeoutError:
            if reason := await health():
                logger.error("classify: %s", reason)  # noqa: TRY400  (nothing was raised but time)
                return 1
    return 0


def _watch_parent(
    loop: asyncio.AbstractEventLoop,
    stopped: asyncio.Event,
    figures: Callable[[], Coroutine[None, None, bytes]],
) -> None:
    """Set `stopped` at the end of standard input; answer each question on it with our figures.

    A thread: a line that no loop can forget.
    """

    def watch() -> None:
        answer_until_end(sys.stdin.fileno(), loop, figures)
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(stopped.set)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _begin() -> int:
    settings = Settings.from_env(os.environ)
    logs.set_up(settings.log_level, settings.log_format or "text", "classify")
    with tracing.started(os.environ):
        return main(settings.data, settings)


if __name__ == "__main__":
    try:
        sys.exit(_begin())
    except Misconfigured as error:
        sys.exit(str(error))
