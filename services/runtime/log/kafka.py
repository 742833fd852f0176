"""The log of the distributed deployment: Apache Kafka, consumed through FastStream.

FastStream runs the batches; what it does by itself with acknowledgements and with headers loses
records (see docs/adr), so batches are taken raw and committed or rewound here, with offsets named.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    InvalidReplicationFactorError,
    KafkaError,
    NoError,
    PolicyViolationError,
    TopicAlreadyExistsError,
    for_code,
)
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.message import StreamMessage

from schemas.topics import Topic
from services.runtime.errors import Misconfigured, Unavailable
from services.runtime.log import (
    BatchHandler,
    Entry,
    Record,
    Redeliver,
    StopConsuming,
    kafka_access,
    kafka_logging,
    kafka_settings,
)
from services.runtime.log.kafka_sender import Sender
from services.runtime.settings import Settings

logger = logging.getLogger(__name__)

START_SECONDS = 60.0
"""Joining a group waits for the others to finish their batches, and for the dead to be missed."""

PROVISION_SECONDS = 30.0

LAG_SECONDS = 1.5

GRACE_SECONDS = 4.0
"""What a batch in hand gets to end when the log stops; then it is abandoned and redelivered."""

STOP_SECONDS = 6.0
"""All consumers are gone by then, or left to the broker's session time-out."""

HANDOVER_SECONDS = 15.0
"""What a batch in hand gets to end before its partitions go to another member."""

SILENCE_SECONDS = 30.0
"""A replay that hears nothing from the broker for so long ends as Unavailable."""

CHUNK_BYTES = 16 * 1024 * 1024
"""Entries under way at once for one `append`."""

COMMIT_PAUSE_SECONDS = 1.0


class KafkaLog:
    """The log port on Kafka (services.runtime.log.Log). Topic and group names get the prefix."""

    def __init__(self, settings: Settings) -> None:
        kafka_logging.install()
        self._settings = settings
        self._sender = Sender(settings)
        self._subscriptions: list[KafkaSubscription] = []
        self._broker = KafkaBroker(
            kafka_settings.servers(settings),
            client_id=kafka_settings.CLIENT_ID,
            security=kafka_settings.security(settings),
            request_timeout_ms=kafka_settings.REQUEST_TIMEOUT_MS,
            # The producer is our own: FastStream's takes only text as headers and adds its own.
            consumer_only=True,
            ack_policy=AckPolicy.MANUAL,
            graceful_timeout=GRACE_SECONDS,
            apply_types=False,
            logger=kafka_logging.FastStreamLogger(),
        )

    async def provision(self, topics: Sequence[Topic]) -> None:
        """Create the topics that do not exist. Raises Unavailable, Misconfigured."""
        wanted = [kafka_settings.new_topic(topic, self._settings) for topic in topics]
        admin = AIOKafkaAdminClient(**kafka_settings.connection(self._settings))
        try:
            async with asyncio.timeout(PROVISION_SECONDS):
                await admin.start()
                response = await admin.create_topics(wanted)
        except (KafkaError, OSError, TimeoutError) as error:
            refused = await kafka_access.refusal(self._settings)
            if refused:
                raise Misconfigured(refused) from error
            raise Unavailable(f"Kafka: {error!r}") from error
        finally:
            await admin.close()
        for created in response.to_object()["topic_errors"]:
            _check_created(created)

    def subscribe(
        self, topic: str, group: str, handler: BatchHandler, *, max_records: int = 200
    ) -> "KafkaSubscription":
        """Have `handler` called with the topic's records once the log is started."""
        subscription = KafkaSubscription(self._settings.topic_prefix, topic, group, handler)
        subscription.attach(
            self._broker, {**kafka_settings.subscriber(self._settings), "max_records": max_records}
        )
        self._subscriptions.append(subscription)
        return subscription

    async def start(self) -> None:
        """Join the groups and begin to consume. Raises Unavailable."""
        if not await self._sender.ready():
            raise Unavailable(f"no Kafka broker answers at {self._settings.kafka}")
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._broker.start()
        except (KafkaError, OSError, TimeoutError) as error:
            await self.stop()
            raise Unavailable(f"Kafka: {error!r}") from error

    async def stop(self) -> None:
        """End the batches in hand, leave the groups, disconnect; within 8 s. Never raises."""
        stops = [asyncio.create_task(subscription.stop()) for subscription in self._subscriptions]
        if stops:
            _, late = await asyncio.wait(stops, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
        with contextlib.suppress(Exception):
            async with asyncio.timeout(1.0):
                await self._broker.stop()
        await self._sender.stop()

    async def append(self, topic: str, entries: Sequence[Entry]) -> None:
        """Write entries; returns when the brokers have them. Raises Unavailable, Unprocessable."""
        for entry in entries:
            entry.check()
        try:
            async with asyncio.timeout(5):
                for chunk in _chunks(entries):
                    await self._sender.send(self._settings.topic_prefix + topic, chunk)
        except TimeoutError as error:
            raise Unavailable("Kafka did not take all entries in time") from error

    async def replay(
        self, topic: str, *, max_records: int = 500, start: Mapping[int, int] | None = None
    ) -> AsyncIterator[Sequence[Record]]:
        """All records from the start to the end as it stood at the call. Raises Unavailable."""
        consumer = AIOKafkaConsumer(
            **kafka_settings.connection(self._settings),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_bytes=kafka_settings.FETCH_BYTES,
            max_partition_fetch_bytes=kafka_settings.MAX_MESSAGE_BYTES,
        )
        try:
            name = self._settings.topic_prefix + topic
            async for batch in _replay(consumer, name, max_records, start or {}):
                yield [_record(raw, topic) for raw in batch]
        except (KafkaError, OSError, TimeoutError) as error:
            raise Unavailable(f"Kafka: {error!r}") from error
        finally:
            await consumer.stop()

    async def ready(self) -> bool:
        """Whether a broker answers now."""
        return await self._sender.ready()


class KafkaSubscription(ConsumerRebalanceListener):  # type: ignore[misc]
    """A group's place on a topic, in this process (services.runtime.log.Subscription).

    One batch is in hand at a time. A batch is committed by naming its offsets, and only those of
    partitions still held; to have it again, its partitions are rewound to its first records.
    """

    def __init__(self, prefix: str, topic: str, group: str, handler: BatchHandler) -> None:
        self.topic = topic
        self.group = group
        self.failure: BaseException | None = None
        self._prefix = prefix
        self._handler = handler
        self._subscriber: Any = None
        self._in_hand: dict[TopicPartition, int] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._hurry = asyncio.Event()
        self._leaving: asyncio.Task[None] | None = None

    def attach(self, broker: KafkaBroker, options: dict[str, Any]) -> None:
        """Register with FastStream: raw batches in, nothing acknowledged by itself."""
        self._subscriber = broker.subscriber(
            self._prefix + self.topic,
            group_id=self._prefix + self.group,
            ack_policy=AckPolicy.MANUAL,
            listener=self,
            parser=_unparsed,
            decoder=_undecoded,
            no_reply=True,
            **options,
        )
        self._subscriber(self._take)

    async def lag(self) -> int:
        """Records not committed by the group, over the partitions held here. Raises Unavailable."""
        consumer = self._consumer
        if consumer is None:
            raise Unavailable("not connected to Kafka")
        try:
            async with asyncio.timeout(LAG_SECONDS):
                held = consumer.assignment()
                if not held:
                    return 0
                ends = await consumer.end_offsets(held)
                return sum([ends[each] - await self._committed(consumer, each) for each in held])
        except (KafkaError, OSError, TimeoutError) as error:
            raise Unavailable(f"Kafka: {error!r}") from error

    async def stop(self) -> None:
        """Cut a wait short, end the batch in hand or abandon it, leave the group."""
        self._hurry.set()
        if self._leaving is not None:
            await asyncio.wait([self._leaving])
        else:
            await self._subscriber.stop()

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:  # noqa: ARG002
        """Before partitions go: let the batch in hand end, so that no two members have it."""
        self._hurry.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HANDOVER_SECONDS):
                await self._idle.wait()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Partitions came."""
        self._hurry.clear()
        logger.info("%s as %s: holds %d partitions", self.topic, self.group, len(set(assigned)))

    @property
    def _consumer(self) -> AIOKafkaConsumer | None:
        return self._subscriber.consumer

    async def _take(self, batch: tuple[ConsumerRecord, ...]) -> None:
        """FastStream's handler: have a batch handled, then commit or rewind it."""
        consumer = self._consumer
        if self.failure is not None or consumer is None:
            return
        self._idle.clear()
        try:
            await self._settle(consumer, batch)
        except Exception as error:
            self.failure = error
            if not isinstance(error, StopConsuming):
                logger.exception("%s: consuming as %s ended by itself", self.topic, self.group)
            # FastStream would stop its own task in the middle of leaving: so from another one.
            self._leaving = asyncio.create_task(self._subscriber.stop())
        finally:
            self._in_hand = {}
            self._idle.set()

    async def _settle(self, consumer: AIOKafkaConsumer, batch: Sequence[ConsumerRecord]) -> None:
        first: dict[TopicPartition, int] = {}
        behind: dict[TopicPartition, int] = {}
        for raw in batch:
            partition = TopicPartition(raw.topic, raw.partition)
            first.setdefault(partition, raw.offset)
            behind[partition] = raw.offset + 1
        self._in_hand = first
        try:
            await self._handler([_record(raw, self.topic) for raw in batch])
            await self._commit(consumer, behind)
        except Redeliver as again:
            for partition, offset in _held(consumer, first).items():
                consumer.seek(partition, offset)
            await self._pause(again.after)

    async def _commit(self, consumer: AIOKafkaConsumer, behind: dict[TopicPartition, int]) -> None:
        try:
            await consumer.commit(_held(consumer, behind))
        except (CommitFailedError, IllegalStateError) as error:
            # The group has moved on without us: whoever holds the partitions gets the batch again.
            logger.info("%s as %s: not committed: %r", self.topic, self.group, error)
        except KafkaError as error:
            logger.warning("%s as %s: not committed: %r", self.topic, self.group, error)
            raise Redeliver(repr(error), after=COMMIT_PAUSE_SECONDS) from error

    async def _committed(self, consumer: AIOKafkaConsumer, partition: TopicPartition) -> int:
        """Where the group stands: at the batch in hand, else where it reads next."""
        in_hand = self._in_hand.get(partition)
        return await consumer.position(partition) if in_hand is None else in_hand

    async def _pause(self, seconds: float) -> None:
        """Wait, less where the log is stopped or the partitions are wanted by another member."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurry.wait()


async def _unparsed(batch: tuple[ConsumerRecord, ...]) -> StreamMessage[Any]:
    """FastStream's parser takes all headers for UTF-8 and a null value for an empty one."""
    return StreamMessage(raw_message=batch, body=b"")


async def _undecoded(message: StreamMessage[Any]) -> Any:
    return message.raw_message


def _record(raw: ConsumerRecord, topic: str) -> Record:
    return Record(
        topic=topic,
        partition=raw.partition,
        offset=raw.offset,
        key=raw.key,
        value=raw.value,
        headers={name: value or b"" for name, value in raw.headers},
        timestamp_ms=raw.timestamp,
    )


def _held(
    consumer: AIOKafkaConsumer, offsets: dict[TopicPartition, int]
) -> dict[TopicPartition, int]:
    held = consumer.assignment()
    return {partition: offset for partition, offset in offsets.items() if partition in held}


def _chunks(entries: Sequence[Entry]) -> Iterable[Sequence[Entry]]:
    """The entries in order, in pieces of some megabytes."""
    chunk: list[Entry] = []
    size = 0
    for entry in entries:
        length = len(entry.value or b"")
        if chunk and size + length > CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(entry)
        size += length
    if chunk:
        yield chunk


async def _replay(
    consumer: AIOKafkaConsumer, topic: str, max_records: int, start: Mapping[int, int]
) -> AsyncIterator[Sequence[ConsumerRecord]]:
    await consumer.start()
    async with asyncio.timeout(SILENCE_SECONDS):
        numbers = await consumer._client._wait_on_metadata(topic)
        partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
        consumer.assign(partitions)
        first = await consumer.beginning_offsets(partitions)
        starts = {each: max(first[each], start.get(each.partition, 0)) for each in partitions}
        ends = await consumer.end_offsets(partitions)
    for partition in partitions:
        consumer.seek(partition, starts[partition])
    left = {each for each in partitions if starts[each] < ends[each]}
    consumer.pause(*(set(partitions) - left))
    silent = 0.0
    while left:
        batches = await consumer.getmany(timeout_ms=1_000, max_records=max_records)
        silent = 0.0 if batches else silent + 1.0
        if silent > SILENCE_SECONDS:
            raise Unavailable("Kafka fell silent in the middle of a replay")
        records = [
            raw
            for partition, batch in batches.items()
            for raw in batch
            if raw.offset < ends[partition]
        ]
        if records:
            yield records
        # A position passes over what compaction has removed; an offset counted by hand would not.
        for partition in list(left):
            if await consumer.position(partition) >= ends[partition]:
                left.discard(partition)
                consumer.pause(partition)


def _check_created(created: dict[str, Any]) -> None:
    """Raise Misconfigured or Unavailable where a topic could not be made."""
    error = for_code(created["error_code"])
    if error in (NoError, TopicAlreadyExistsError):
        return
    said = created.get("error_message") or error.__name__
    line = f"Kafka did not create topic {created['topic']}: {said}"
    if error in (InvalidReplicationFactorError, PolicyViolationError):
        raise Misconfigured(line)
    raise Unavailable(line)
