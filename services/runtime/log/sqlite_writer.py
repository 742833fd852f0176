"""One thread that writes to the log's file: whatever waits shares one commit, so one sync."""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from services.runtime.errors import Unavailable
from services.runtime.log import sqlite_file
from services.runtime.reasons import away

T = TypeVar("T")

LIMIT_SECONDS = 4.8
"""A write that has not ended by then is given up as Unavailable (the port promises 5 s)."""

GROUP = 100
"""Jobs that share one commit at most, so that the first does not wait for ever for the last."""

JOIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[sqlite3.Connection], Any]
    done: "Future[Any]" = field(default_factory=Future)


class Writer:
    """The only writer of this process. Work is a function of the connection."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite_file.connect(path)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._loop, name="log-writer", daemon=True)
        self._thread.start()

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` in a transaction; returns its result once that is durable.

        Raises Unavailable within 5 s where the file cannot be written (locked, disk full), and
        whatever `work` raises, of which then nothing is written.
        """
        if self._closed:
            raise Unavailable("the log is stopped")
        job = _Job(work)
        self._jobs.put(job)
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                result: T = await asyncio.wrap_future(job.done)
        except TimeoutError:
            raise Unavailable("the log's file does not take writes in time") from None
        return result

    def close(self) -> None:
        """Finish what waits, then close. Blocks for as long as that takes, some seconds at most."""
        if self._closed:
            return
        self._closed = True
        self._jobs.put(None)
        self._thread.join(JOIN_SECONDS)

    def _loop(self) -> None:
        last = False
        while not last:
            jobs: list[_Job] = []
            waiting = self._jobs.get()
            while True:
                if waiting is None:
                    last = True
                    break
                # A caller who gave up before the work began has it not done at all.
                if waiting.done.set_running_or_notify_cancel():
                    jobs.append(waiting)
                if len(jobs) == GROUP or self._jobs.empty():
                    break
                waiting = self._jobs.get()
            if jobs:
                self._commit(jobs)
        self._connection.close()

    def _commit(self, jobs: list[_Job]) -> None:
        outcomes: list[tuple[_Job, Any, Exception | None]] = []
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes.extend((job, *self._one(job)) for job in jobs)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            reason = away(f"the log's file cannot be written: {error}", error)
            outcomes = [(job, None, reason) for job in jobs]
            self._roll_back()
        for job, result, refused in outcomes:
            if refused is None:
                job.done.set_result(result)
            else:
                job.done.set_exception(refused)

    def _one(self, job: _Job) -> tuple[Any, Exception | None]:
        """One job within the transaction; its own error undoes itself alone."""
        self._connection.execute("SAVEPOINT job")
        try:
            result = job.work(self._connection)
        except sqlite3.Error:
            raise
        except Exception as error:  # handed to the caller of `run`
            self._connection.execute("ROLLBACK TO job")
            self._connection.execute("RELEASE job")
            return None, error
        self._connection.execute("RELEASE job")
        return result, None

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:
                # SQLite rolled back by itself, or will when the file is opened next.
                return
