"""The distributed log answers in time when its broker does not, and says little about it."""

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.topics import ALL, COMPACTION_LAG_MS, DEAD_RETENTION_MS, SUBMITTED, SUBMITTED_DEAD
from services.runtime.errors import Misconfigured, Unavailable
from services.runtime.log import Entry, Record, Redeliver, kafka, kafka_logging, kafka_settings
from services.runtime.log.kafka import KafkaLog, _chunks
from services.runtime.settings import Settings
from tests.contract.log_places import TOPIC, Place, eventually, opened, running

IN_TIME = 25.0
"""The port promises 5 s; five times that for a slow machine."""


@pytest.fixture
async def place(tmp_path) -> AsyncIterator[Place]:
    async with opened("kafka", tmp_path) as place:
        yield place


@pytest.fixture(params=["nobody listens", "nobody answers"])
def absent_broker(request) -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if request.param == "nobody answers":
            listener.listen()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


async def test_a_submission_is_refused_in_time_while_the_broker_is_away(absent_broker: str):
    log = KafkaLog(Settings(kafka=absent_broker))
    started = time.monotonic()
    answers = await asyncio.gather(
        *(log.append(TOPIC, [Entry(b"note", b"x")]) for _ in range(3)), return_exceptions=True
    )
    assert all(isinstance(answer, Unavailable) for answer in answers)
    assert time.monotonic() - started < IN_TIME
    assert not await log.ready()
    await log.stop()


async def test_a_service_does_not_start_while_the_broker_is_away(absent_broker: str):
    log = KafkaLog(Settings(kafka=absent_broker))
    subscription = log.subscribe(TOPIC, "classify", _ignore)
    started = time.monotonic()
    with pytest.raises(Unavailable):
        await log.start()
    with pytest.raises(Unavailable):
        await subscription.lag()
    assert time.monotonic() - started < IN_TIME
    await log.stop()
    assert time.monotonic() - started < IN_TIME + 8


async def _ignore(records: Sequence[Record]) -> None:
    return None


async def test_no_address_of_a_broker_is_an_error_of_the_settings():
    with pytest.raises(Misconfigured, match="VALISE_KAFKA"):
        KafkaLog(Settings(kafka=" , "))


def test_large_entries_are_sent_a_few_at_a_time_and_in_order():
    entries = [Entry(b"%d" % number, b"x" * 9_000_000) for number in range(3)]
    small = [Entry(b"s", b"y")] * 1_000
    assert [list(chunk) for chunk in _chunks([*small, *entries])] == [
        [*small, entries[0]],
        [entries[1]],
        [entries[2]],
    ]
    assert list(_chunks([])) == []


def test_topics_are_made_as_the_contract_says():
    settings = Settings(kafka="k:1", topic_prefix="essai.", partitions=4, replication=3)
    notes = kafka_settings.new_topic(SUBMITTED, settings)
    assert (notes.name, notes.num_partitions, notes.replication_factor) == (
        "essai.notes.submitted",
        4,
        3,
    )
    assert notes.topic_configs["cleanup.policy"] == "compact"
    assert notes.topic_configs["min.compaction.lag.ms"] == str(COMPACTION_LAG_MS)
    assert notes.topic_configs["retention.ms"] == "-1"
    assert notes.topic_configs["min.insync.replicas"] == "2"
    letters = kafka_settings.new_topic(SUBMITTED_DEAD, settings)
    assert letters.num_partitions == 1
    assert letters.topic_configs["cleanup.policy"] == "delete"
    assert letters.topic_configs["retention.ms"] == str(DEAD_RETENTION_MS)
    assert "min.compaction.lag.ms" not in letters.topic_configs


def test_an_outage_is_one_line_and_not_one_per_retry(caplog):
    kafka_logging.install()
    kafka_logging.install()
    library = logging.getLogger("aiokafka.conn.essai")
    for node in range(100):
        refused = ConnectionRefusedError("refused")
        library.error("Unable connect to node with id %s", node, exc_info=refused)
        library.info("not worth a line")
    library.warning("another matter")
    lines = [record for record in caplog.records if "aiokafka.conn.essai" in record.getMessage()]
    assert [record.getMessage() for record in lines] == [
        "aiokafka.conn.essai: Unable connect to node with id 0: ConnectionRefusedError('refused')",
        "aiokafka.conn.essai: another matter",
    ]
    assert not any(record.exc_info for record in lines)


@pytest.mark.live
async def test_topics_on_the_broker_have_the_partitions_and_the_retention_asked_for(place: Place):
    await place.provisioned(*ALL)
    settings = Settings.model_validate(place.spec)
    admin = AIOKafkaAdminClient(**kafka_settings.connection(settings))
    await admin.start()
    try:
        names = [settings.topic_prefix + topic.name for topic in ALL]
        described = await admin.describe_topics(names)
        assert {each["topic"]: len(each["partitions"]) for each in described} == dict(
            zip(names, [3, 3, 1, 1], strict=True)
        )
        (response,) = await admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, names[0])]
        )
        ((_, _, _, _, entries),) = response.resources
        configs = {entry[0]: entry[1] for entry in entries}
    finally:
        await admin.close()
    assert configs["cleanup.policy"] == "compact"
    assert configs["min.compaction.lag.ms"] == str(COMPACTION_LAG_MS)
    assert configs["retention.ms"] == "-1"


@pytest.mark.live
async def test_more_replicas_than_brokers_is_said_to_the_administrator(place: Place):
    log = KafkaLog(Settings.model_validate({**place.spec, "replication": 9}))
    with pytest.raises(Misconfigured, match="replication"):
        await log.provision([SUBMITTED])
    await log.stop()


@pytest.mark.live
async def test_nothing_is_written_to_a_topic_that_nobody_provisioned(place: Place):
    log = place.member()
    started = time.monotonic()
    with pytest.raises(Unavailable, match="knows no topic"):
        await log.append(TOPIC, [Entry(b"note", b"x")])
    assert time.monotonic() - started < IN_TIME
    await log.provision([SUBMITTED])
    await log.append(TOPIC, [Entry(b"note", b"x")])


@pytest.mark.live
async def test_what_other_programs_write_cannot_hold_up_the_partition(place: Place):
    """Headers that are no text, or null, make FastStream's own parser drop the whole batch."""
    log = await place.provisioned()
    settings = Settings.model_validate(place.spec)
    producer = AIOKafkaProducer(**kafka_settings.connection(settings))
    await producer.start()
    try:
        topic = settings.topic_prefix + TOPIC
        await producer.send_and_wait(topic, b"un", b"note", headers=[("h", b"\xff\xfe")])
        await producer.send_and_wait(topic, b"deux", b"note", headers=[("h", None)])
        await producer.send_and_wait(topic, b"trois", b"note", headers=[("h", b"a"), ("h", b"b")])
    finally:
        await producer.stop()
    seen: list[Record] = []

    async def take(records: Sequence[Record]) -> None:
        seen.extend(records)

    log.subscribe(TOPIC, "classify", take)
    async with running(log):
        await eventually(lambda: len(seen) >= 3)
    assert [record.value for record in seen] == [b"un", b"deux", b"trois"]
    assert [record.headers["h"] for record in seen] == [b"\xff\xfe", b"", b"b"]


@pytest.mark.live
async def test_a_batch_in_hand_ends_before_its_partitions_go_to_another_member(place: Place):
    log = await place.provisioned()
    taken: list[Record] = []
    begun = asyncio.Event()

    async def take_slowly(records: Sequence[Record]) -> None:
        begun.set()
        await asyncio.sleep(5)
        taken.extend(records)

    async def take(records: Sequence[Record]) -> None:
        taken.extend(records)

    log.subscribe(TOPIC, "classify", take_slowly)
    await log.append(TOPIC, [Entry(b"note-%d" % n, b"%d" % n) for n in range(100)])
    await log.start()
    await asyncio.wait_for(begun.wait(), 60)
    other = place.member()
    other.subscribe(TOPIC, "classify", take)
    await other.start()
    await eventually(lambda: len(taken) >= 100)
    await log.append(TOPIC, [Entry(b"note-%d" % n, b"%d" % (100 + n)) for n in range(100)])
    await eventually(lambda: len(taken) >= 200)
    assert sorted(int(record.value or b"-1") for record in taken) == list(range(200))


@pytest.mark.live
async def test_a_batch_rewound_after_some_of_its_partitions_have_gone_loses_none_of_it(
    place: Place, monkeypatch
):
    """The handler took longer than a handover may: FastStream's own rewind gives up half-way."""
    monkeypatch.setattr(kafka, "HANDOVER_SECONDS", 0.05)
    log, other = await place.provisioned(), place.member()
    taken: list[Record] = []
    begun, moved = asyncio.Event(), asyncio.Event()

    async def refuse_once(records: Sequence[Record]) -> None:
        if not begun.is_set():
            begun.set()
            await moved.wait()
            raise Redeliver("not yet")
        taken.extend(records)

    async def take(records: Sequence[Record]) -> None:
        taken.extend(records)

    subscription = log.subscribe(TOPIC, "classify", refuse_once)
    other.subscribe(TOPIC, "classify", take)
    await log.append(TOPIC, [Entry(b"note-%d" % n, b"%d" % n) for n in range(100)])
    await log.start()
    await asyncio.wait_for(begun.wait(), 60)
    await other.start()
    # The other member has its share; the first still holds a batch of all partitions.
    await eventually(lambda: taken)
    moved.set()
    await eventually(lambda: len({record.value for record in taken}) == 100)
    assert subscription.failure is None
