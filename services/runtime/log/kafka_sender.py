"""Sends entries to Kafka and answers in time: written, or not available.

The producer is made when first needed, and made anew after a failure: what an idempotent producer
has given up leaves a gap in its sequence, after which the broker refuses everything from it.
"""

import asyncio
import contextlib
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    UnknownError,
    UnknownTopicOrPartitionError,
)

from services.runtime.errors import Unavailable, Unprocessable
from services.runtime.log import Entry, kafka_settings
from services.runtime.settings import Settings

LIMIT_SECONDS = 4.8
"""The whole of a send, connecting included (the port promises 5 s)."""

READY_SECONDS = 1.0

STOP_SECONDS = 2.0
"""What entries under way get when the log stops; whoever appended them is told either way."""


class Sender:
    """One producer at a time, shared by all who append."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    async def send(self, topic: str, entries: Sequence[Entry]) -> None:
        """Send entries in order; returns when the brokers have them all.

        Raises Unavailable within 5 s, Unprocessable where a broker will not take one so large.
        """
        producer: AIOKafkaProducer | None = None
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                producer = await self._connected()
                await _send_all(producer, topic, entries)
        except (KafkaError, OSError, TimeoutError) as error:
            self._abandon(producer)
            raise _translated(error, topic, entries) from error

    async def ready(self) -> bool:
        """Whether a broker answers now."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                producer = await self._connected()
                await producer.client.fetch_all_metadata()
        except (KafkaError, OSError, TimeoutError):
            return False
        return True

    async def stop(self) -> None:
        """Let what is under way arrive, for a moment, and disconnect. Never raises."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await producer.flush()
            await _close(producer)
        if self._closing:
            await asyncio.wait(self._closing, timeout=STOP_SECONDS)

    async def _connected(self) -> AIOKafkaProducer:
        async with self._connecting:
            if self._producer is None:
                producer = AIOKafkaProducer(**kafka_settings.producer(self._settings))
                try:
                    await producer.start()
                except BaseException:
                    self._close_later(producer)
                    raise
                self._producer = producer
            return self._producer

    def _abandon(self, producer: AIOKafkaProducer | None) -> None:
        """Have the next who appends get a new producer."""
        if producer is not None and producer is self._producer:
            self._producer = None
            self._close_later(producer)

    def _close_later(self, producer: AIOKafkaProducer) -> None:
        task = asyncio.create_task(_close(producer), name="close a Kafka producer")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _send_all(producer: AIOKafkaProducer, topic: str, entries: Sequence[Entry]) -> None:
    """All under way at once: one by one, each would wait for the answer to the one before."""
    under_way: list[asyncio.Future[object]] = []
    try:
        for entry in entries:
            under_way.append(
                await producer.send(
                    topic, value=entry.value, key=entry.key, headers=list(entry.headers.items())
                )
            )
        await asyncio.gather(*under_way)
    finally:
        for answer in under_way:
            answer.cancel()


async def _close(producer: AIOKafkaProducer) -> None:
    """Disconnect without waiting for what can no longer arrive.

    aiokafka's own `stop` waits for the answer to every batch, for ever where no broker is there.
    Whoever still waits for an answer from this producer gives up when his time is over.
    """
    producer._closed = True
    with contextlib.suppress(KafkaError, OSError):
        await producer._sender.close()
    with contextlib.suppress(KafkaError, OSError):
        await producer.client.close()


def _translated(error: Exception, topic: str, entries: Sequence[Entry]) -> Exception:
    if isinstance(error, MessageSizeTooLargeError):
        return Unprocessable(f"Kafka does not take an entry so large on {topic}")
    if isinstance(error, UnknownError) and any(entry.key is None for entry in entries):
        # INVALID_RECORD, a code that aiokafka does not know.
        return Unprocessable(f"an entry without a key does not fit on {topic}, which is compacted")
    if isinstance(error, UnknownTopicOrPartitionError):
        return Unavailable(f"Kafka knows no topic {topic}")
    if isinstance(error, TimeoutError):
        return Unavailable("Kafka did not answer in time")
    return Unavailable(f"Kafka: {error!r}")
