"""The log of the embedded deployment: one SQLite file, shared by the processes of one machine.

Each topic has one partition. Within a group one member at a time consumes: it holds a lock of the
operating system, which goes to the next member when its process ends, however it ends.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from schemas.topics import COMPACTION_LAG_MS, Topic
from services.runtime.errors import Unavailable
from services.runtime.log import BatchHandler, Entry, Record, Redeliver, StopConsuming, sqlite_file
from services.runtime.log.sqlite_writer import Writer
from services.runtime.sqlite_rewrite import rewrite

T = TypeVar("T")

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.025
"""How often an idle consumer looks for what other processes wrote: one short query, 0.1 ms."""

LOCK_SECONDS = 0.2
"""How often a waiting member tries to take over."""

RETRY_SECONDS = 0.5
"""Between tries to read or commit while the file does not answer."""

GRACE_SECONDS = 5.0
"""What a batch in hand gets to end when the log stops; then it is abandoned and redelivered."""

BATCH_BYTES = 32 * 1024 * 1024
"""Keys and values of one batch at most (the same as Kafka's fetches), whatever `max_records`."""


class SqliteLog:
    """The log port on one SQLite file (services.runtime.log.Log)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Writer | None = None
        self._reader: _Reader | None = None
        self._opening = asyncio.Lock()
        self._subscriptions: list[SqliteSubscription] = []

    async def provision(self, topics: Sequence[Topic]) -> None:
        """Create the topics that do not exist. Raises Unavailable."""
        writer, _ = await self._opened()
        await writer.run(lambda connection: sqlite_file.provision(connection, topics))

    def subscribe(
        self, topic: str, group: str, handler: BatchHandler, *, max_records: int = 200
    ) -> "SqliteSubscription":
        """Have `handler` called with the topic's records once the log is started."""
        subscription = SqliteSubscription(self, topic, group, handler, max_records)
        self._subscriptions.append(subscription)
        return subscription

    async def start(self) -> None:
        """Open the file and begin to consume. Raises Unavailable."""
        await self._opened()
        for subscription in self._subscriptions:
            subscription.start()

    async def stop(self) -> None:
        """End the batches in hand, within 8 s, and close the file. Never raises."""
        await asyncio.gather(
            *(subscription.stop() for subscription in self._subscriptions), return_exceptions=True
        )
        writer, self._writer = self._writer, None
        reader, self._reader = self._reader, None
        if writer is not None:
            await asyncio.to_thread(writer.close)
        if reader is not None:
            await asyncio.to_thread(reader.close)

    async def append(self, topic: str, entries: Sequence[Entry]) -> None:
        """Write entries; returns when all are on the disk. Raises Unavailable, Unprocessable."""
        for entry in entries:
            entry.check()
        if not entries:
            return
        writer, _ = await self._opened()
        await writer.run(lambda connection: sqlite_file.append(connection, topic, entries))
        for subscription in self._subscriptions:
            if subscription.topic == topic:
                subscription.wake()

    async def replay(
        self, topic: str, *, max_records: int = 500, start: Mapping[int, int] | None = None
    ) -> AsyncIterator[Sequence[Record]]:
        """All records from the start to the end as it stood at the call. Raises Unavailable."""
        end = await self.read(lambda connection: sqlite_file.end_offset(connection, topic))
        position = (start or {}).get(0, 0)
        while records := await self.read_records(topic, position, max_records, end):
            yield records
            position = records[-1].offset + 1

    async def ready(self) -> bool:
        """Whether the file can be read now."""
        try:
            await self.read(lambda connection: sqlite_file.end_offset(connection, ""))
        except Unavailable:
            return False
        return True

    async def compact(self, topic: str, older_than_ms: int = COMPACTION_LAG_MS) -> int:
        """Delete what the topic need not keep; returns how many records went.

        Of a compacted topic: records older than `older_than_ms` with a newer one of the same key.
        Of a topic with a retention: records older than that. Others may write in between.
        """
        writer, _ = await self._opened()
        deleted = 0
        start: int | None = 0
        while start is not None:
            swept = await writer.run(_sweep(topic, start, older_than_ms))
            deleted += swept.deleted
            start = swept.next_offset
        return deleted

    async def erase(self, key: bytes) -> None:
        """Have no byte left of what lies under a key before its last null value, on every topic.

        The file is written anew: while that lasts (a minute for some gigabytes) nobody's writes
        come through. Raises Unavailable.
        """
        writer, _ = await self._opened()
        await writer.run(lambda connection: sqlite_file.erase(connection, key))
        await asyncio.to_thread(rewrite, self._path)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do a short piece of reading. Raises Unavailable."""
        _, reader = await self._opened()
        return await reader.run(work)

    async def read_records(
        self, topic: str, start: int, max_records: int, end: int | None = None
    ) -> list[Record]:
        """Records from an offset on, in order. Raises Unavailable."""
        return await self.read(
            lambda connection: sqlite_file.read(
                connection, topic, start, max_records=max_records, max_bytes=BATCH_BYTES, end=end
            )
        )

    async def commit(self, topic: str, group: str, next_offset: int) -> None:
        """Note down where a group goes on. Raises Unavailable."""
        writer, _ = await self._opened()
        await writer.run(
            lambda connection: sqlite_file.commit(connection, topic, group, next_offset)
        )

    def lock_file(self, topic: str, group: str) -> Path:
        """The file whose lock says who consumes for a group."""
        name = f"{self._path.name}-{quote(topic, safe='')}-{quote(group, safe='')}.lock"
        return self._path.with_name(name)

    async def _opened(self) -> tuple[Writer, "_Reader"]:
        async with self._opening:
            if self._writer is None or self._reader is None:
                try:
                    self._writer = await asyncio.to_thread(Writer, self._path)
                    self._reader = await asyncio.to_thread(_Reader, self._path)
                except (sqlite3.Error, OSError) as error:
                    raise Unavailable(
                        f"the log's file {self._path} cannot be opened: {error}"
                    ) from error
            return self._writer, self._reader


class SqliteSubscription:
    """A group's place on a topic, in this process (services.runtime.log.Subscription)."""

    def __init__(
        self, log: SqliteLog, topic: str, group: str, handler: BatchHandler, max_records: int
    ) -> None:
        self.topic = topic
        self.group = group
        self.failure: BaseException | None = None
        self._log = log
        self._handler = handler
        self._max_records = max_records
        self._woken = asyncio.Event()
        self._stopping = asyncio.Event()
        self._holding = False
        self._task: asyncio.Task[None] | None = None

    async def lag(self) -> int:
        """Records not committed by the group; 0 where another member consumes."""
        if not self._holding:
            return 0
        return await self._log.read(
            lambda connection: sqlite_file.lag(connection, self.topic, self.group)
        )

    def wake(self) -> None:
        """There is something new: look now."""
        self._woken.set()

    def start(self) -> None:
        """Begin to consume, or to wait for the group's lock."""
        self._stopping.clear()
        self.failure = None
        self._task = asyncio.create_task(self._run(), name=f"consume {self.topic} as {self.group}")

    async def stop(self) -> None:
        """End the batch in hand, or abandon it after a while."""
        if self._task is None:
            return
        self._stopping.set()
        self._woken.set()
        await asyncio.wait([self._task], timeout=GRACE_SECONDS)
        self._task.cancel()
        await asyncio.wait([self._task])
        self._task = None

    async def _run(self) -> None:
        try:
            lock = await self._take_lock()
            if lock is None:
                return
            try:
                self._holding = True
                await self._consume()
            finally:
                self._holding = False
                os.close(lock)
        except Exception as error:
            self.failure = error
            if not isinstance(error, StopConsuming):
                logger.exception("%s: consuming as %s ended by itself", self.topic, self.group)

    async def _take_lock(self) -> int | None:
        """The group's lock as an open file; None when stopped before it was free."""
        path = self._log.lock_file(self.topic, self.group)
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        while not self._stopping.is_set():
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                await self._pause(LOCK_SECONDS)
            else:
                return lock
        os.close(lock)
        return None

    async def _consume(self) -> None:
        position = await self._persist(self._committed)
        while position is not None and not self._stopping.is_set():
            self._woken.clear()
            records = await self._persist(
                partial(self._log.read_records, self.topic, position, self._max_records)
            )
            if records:
                position = await self._deliver(records, position)
            elif records is not None:
                await self._wait_for_news()

    async def _deliver(self, records: Sequence[Record], position: int) -> int | None:
        """Hand a batch over. Returns where to go on: behind it, or at it again; None: stopped."""
        try:
            await self._handler(records)
        except Redeliver as again:
            await self._pause(again.after)
            return position
        behind = records[-1].offset + 1
        await self._persist(partial(self._log.commit, self.topic, self.group, behind))
        return behind

    async def _committed(self) -> int:
        return await self._log.read(
            lambda connection: sqlite_file.committed(connection, self.topic, self.group)
        )

    async def _persist(self, work: Callable[[], Awaitable[T]]) -> T | None:
        """Do `work`, again and again while the file does not answer; None: stopped before."""
        complained = False
        while True:
            try:
                return await work()
            except Unavailable as error:
                if not complained:
                    logger.warning("%s as %s: waiting: %s", self.topic, self.group, error.reason)
                    complained = True
                if self._stopping.is_set():
                    return None
            await self._pause(RETRY_SECONDS)

    async def _wait_for_news(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await self._woken.wait()

    async def _pause(self, seconds: float) -> None:
        """Wait, less where the log is stopped meanwhile."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()


class _Reader:
    """One thread with a connection of its own: reading blocks neither the loop nor the writer."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite_file.connect(path)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="log-reader")

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._thread, work, self._connection
            )
        except sqlite3.Error as error:
            raise Unavailable(f"the log's file cannot be read: {error}") from error

    def close(self) -> None:
        self._thread.shutdown(wait=True)
        self._connection.close()


def _sweep(
    topic: str, start: int, older_than_ms: int
) -> Callable[[sqlite3.Connection], sqlite_file.Swept]:
    return lambda connection: sqlite_file.sweep(connection, topic, start, older_than_ms)
