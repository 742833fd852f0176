"""The processes that classify beside a server, so that what it answers does not wait for them.

Without arguments: the classify process of the embedded deployment, which reads the SQLite log. With
`reclassify [--dry-run]`: one run of the present release over the log of either deployment, which
tells on standard output how it goes (lines of `reclassify.Line`) and then ends.

Both end at SIGTERM, and when their parent does: standard input is a line from the parent, whose end
comes when the parent is gone, however it went. On that line the parent asks for figures.
"""

import asyncio
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path

from schemas.topics import ALL
from services.classify import ner
from services.classify.app import worker
from services.classify.classifier import classify, load_data, warm_up
from services.classify.reclassify import Classify, Line, Progress, reclassify
from services.classify.release import RELEASE
from services.runtime import logs, metrics, tracing
from services.runtime.errors import Misconfigured, Unavailable
from services.runtime.inspection import refuse_inspection
from services.runtime.line import answer_until_end
from services.runtime.log import Log
from services.runtime.log.sqlite import SqliteLog
from services.runtime.problems import problem
from services.runtime.settings import Settings
from services.runtime.worker import Worker

logger = logging.getLogger("valise.classify")

NICENESS = 5
"""Below the server's: a search is answered first, notes are classified with what is left."""

RECLASSIFY_NICENESS = 10
"""Below new notes too: what has tags already can wait."""

RECLASSIFY_WORKERS = 2
"""Processes at most, however many cores there are: each takes half a gigabyte once it has loaded
the language model, and the container of classify has 1.5 GB for these and its own."""

LOG_FILE = "log.sqlite3"
WATCH_SECONDS = 1.0
TELL_SECONDS = 0.5

AWAY = (
    "Le journal ne répond pas. Relancer la commande une fois qu'il répond : elle reprend où elle "
    "s'est arrêtée."
)


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


def reclassify_all(
    settings: Settings,
    *,
    dry_run: bool,
    classify: Classify = classify,
    release: int = RELEASE,
    executor: Executor | None = None,
) -> int:
    """Run `classify`, which gives the tags of `release`, over the log of these settings.

    Writes lines of JSON (`reclassify.Line`) to standard output: progress, then a summary or a
    problem. The exit code: 0, or 1 with a problem.
    """
    os.nice(RECLASSIFY_NICENESS)
    last = asyncio.run(_reclassified(settings, dry_run, classify, release, executor))
    _say(last)
    return 0 if last.summary else 1


def pool() -> ProcessPoolExecutor:
    """Processes for the classifier, one a core up to RECLASSIFY_WORKERS; started when needed."""
    return ProcessPoolExecutor(
        min(RECLASSIFY_WORKERS, len(os.sched_getaffinity(0))),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_in_pool,
    )


async def _reclassified(
    settings: Settings, dry_run: bool, classify: Classify, release: int, executor: Executor | None
) -> Line:
    """The last line. Says the progress meanwhile."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    _watch_parent(loop, stopped, _no_figures)
    log = _log(settings)
    latest = _Latest()
    telling: asyncio.Task[None] | None = None
    try:
        if not await log.ready():
            return Line(problem=problem(503, detail=AWAY))
        telling = asyncio.create_task(latest.said())
        summary = await reclassify(
            log,
            classify,
            release,
            dry_run=dry_run,
            tell=latest.keep,
            stopping=stopped,
            executor=executor,
        )
        return Line(summary=summary)
    except Unavailable as error:
        logger.error("reclassify: %s", error.reason)  # noqa: TRY400  (an engine, not a bug)
        return Line(problem=problem(503, detail=AWAY))
    finally:
        if telling is not None:
            telling.cancel()
        await log.stop()


class _Latest:
    """The progress as it stands, said every now and then: whoever waits knows that there is some.

    It is said again while it stays the same, so that a connection through a proxy does not rest.
    """

    def __init__(self) -> None:
        self._progress: Progress | None = None

    def keep(self, progress: Progress) -> None:
        """How it stands now."""
        self._progress = progress

    async def said(self) -> None:
        """Say it, until cancelled."""
        while True:
            if self._progress is not None:
                _say(Line(progress=self._progress))
            await asyncio.sleep(TELL_SECONDS)


async def _no_figures() -> bytes:
    return b""


def _say(line: Line) -> None:
    # A parent that is gone hears nothing; the end of the line stops the work.
    with suppress(OSError):
        sys.stdout.buffer.write(line.model_dump_json(exclude_none=True).encode() + b"\n")
        sys.stdout.buffer.flush()


def _log(settings: Settings) -> Log:
    if not settings.distributed:
        return SqliteLog(settings.data / LOG_FILE)
    from services.runtime.log.kafka import KafkaLog  # noqa: PLC0415  (not in every install)

    return KafkaLog(settings)


def _in_pool() -> None:
    """A process of the pool ends with the one that started it, and by nothing else."""
    refuse_inspection()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, name="parent", daemon=True).start()
    load_data()


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _begin(arguments: list[str]) -> int:
    refuse_inspection()
    settings = Settings.from_env(os.environ)
    logs.set_up(settings.log_level, settings.log_format or "text", "classify")
    with tracing.started(os.environ):
        if arguments[:1] != ["reclassify"]:
            return main(settings.data, settings)
        ner.check()
        with pool() as executor:
            return reclassify_all(settings, dry_run="--dry-run" in arguments, executor=executor)


if __name__ == "__main__":
    try:
        sys.exit(_begin(sys.argv[1:]))
    except Misconfigured as error:
        sys.exit(str(error))
