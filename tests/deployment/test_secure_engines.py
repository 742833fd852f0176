"""Kafka, Elasticsearch and PostgreSQL with TLS and passwords: Valise gets in, and says why not."""

import asyncio
import logging
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from uuid import uuid4

import pytest

from schemas.topics import SUBMITTED
from services.runtime.errors import Misconfigured, Unavailable
from services.runtime.log import Entry, Record
from services.runtime.log.kafka import KafkaLog
from services.runtime.registry import Registry
from services.runtime.settings import Settings
from services.search.index.elastic import ElasticIndex
from tests.builders import a_classified_note
from tests.deployment import secure
from tests.pipeline.deployments import VALISE

pytestmark = pytest.mark.live

LIMIT_SECONDS = 60.0
QUICK_SECONDS = 15.0
"""A refusal takes a second; a client that hangs takes its time limit of 30 s and more."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return secure.prepare(tmp_path_factory.mktemp("prepared"))


@pytest.fixture(scope="module")
def kafka(
    engine: Callable[[str], str], prepared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    engine("KAFKA")  # skips where no engine runs
    with secure.kafka(prepared, tmp_path_factory.mktemp("kafka")) as address:
        yield address


@pytest.fixture(scope="module")
def elasticsearch(engine: Callable[[str], str], prepared: Path) -> Iterator[str]:
    with secure.elasticsearch(prepared, engine("ELASTICSEARCH")) as address:
        yield address


@pytest.fixture(scope="module")
def database(engine: Callable[[str], str], prepared: Path) -> Iterator[str]:
    engine("DATABASE")
    with secure.postgres(prepared) as url:
        yield url


def settings(prepared: Path, **changes: str) -> Settings:
    env = {
        "VALISE_KAFKA": "localhost:1",
        "VALISE_ELASTICSEARCH": "https://localhost:1",
        "VALISE_DATABASE": "postgresql://valise@localhost:1/valise",
        "VALISE_TOPIC_PREFIX": f"{uuid4().hex[:8]}.",
        "VALISE_INDEX": f"valise-{uuid4().hex[:8]}",
        "VALISE_PARTITIONS": "2",
        **secure.settings(prepared),
    } | changes
    return Settings.from_env({name: value for name, value in env.items() if value})


def wrong_password(folder: Path) -> str:
    path = folder / "wrong"
    path.write_text("pas-le-bon-mot-de-passe\n")
    return str(path)


async def test_a_note_goes_through_a_kafka_with_tls_and_a_password(
    kafka: str, prepared: Path
) -> None:
    log = KafkaLog(settings(prepared, VALISE_KAFKA=kafka))
    taken: list[Record] = []
    arrived = asyncio.Event()

    async def take(batch: Sequence[Record]) -> None:
        taken.extend(batch)
        arrived.set()

    await log.provision([SUBMITTED])
    log.subscribe(SUBMITTED.name, "classify", take)
    await log.start()
    try:
        await log.append(SUBMITTED.name, [Entry(key=b"berlin", value=b"une note")])
        async with asyncio.timeout(LIMIT_SECONDS):
            await arrived.wait()
        assert [record.value for record in taken] == [b"une note"]
        replayed = [record.value async for batch in log.replay(SUBMITTED.name) for record in batch]
        assert replayed == [b"une note"]
    finally:
        await log.stop()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"VALISE_KAFKA_PASSWORD_FILE": "wrong"}, "refuses VALISE_KAFKA_USER"),
        ({"VALISE_KAFKA_USER": "personne"}, "refuses VALISE_KAFKA_USER"),
        ({"VALISE_KAFKA_MECHANISM": "PLAIN"}, "does not offer VALISE_KAFKA_MECHANISM=PLAIN"),
        ({"VALISE_KAFKA_CA": ""}, "not trusted (VALISE_KAFKA_CA)"),
    ],
)
async def test_kafka_that_refuses_us_is_one_clear_line_soon(
    kafka: str, prepared: Path, tmp_path: Path, changes: dict[str, str], said: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    if "VALISE_KAFKA_PASSWORD_FILE" in changes:
        changes = {"VALISE_KAFKA_PASSWORD_FILE": wrong_password(tmp_path)}
    log = KafkaLog(settings(prepared, VALISE_KAFKA=kafka, **changes))
    began = time.monotonic()
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Misconfigured) as refused:
        await log.provision([SUBMITTED])
    await log.stop()
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert time.monotonic() - began < QUICK_SECONDS
    for password in (
        "pas-le-bon-mot-de-passe",
        secure.secret(prepared, "valise", "kafka-password"),
    ):
        assert password not in caplog.text + repr(refused.value)


async def test_a_password_changed_while_we_run_is_a_wait_not_a_hang(
    kafka: str, prepared: Path, tmp_path: Path
) -> None:
    wrong = settings(
        prepared, VALISE_KAFKA=kafka, VALISE_KAFKA_PASSWORD_FILE=wrong_password(tmp_path)
    )
    log = KafkaLog(wrong)
    began = time.monotonic()
    with pytest.raises(Unavailable):
        await log.append(SUBMITTED.name, [Entry(key=b"k", value=b"v")])
    await log.stop()
    assert time.monotonic() - began < QUICK_SECONDS


async def test_without_tls_kafka_says_nothing_and_we_do_not_hang(
    kafka: str, prepared: Path
) -> None:
    plain = settings(
        prepared, VALISE_KAFKA=kafka, VALISE_KAFKA_SECURITY="SASL_PLAINTEXT", VALISE_KAFKA_CA=""
    )
    log = KafkaLog(plain)
    began = time.monotonic()
    with pytest.raises((Unavailable, Misconfigured)):
        await log.provision([SUBMITTED])
    await log.stop()
    assert time.monotonic() - began < LIMIT_SECONDS


async def test_a_note_is_indexed_in_an_elasticsearch_with_tls_and_a_password(
    elasticsearch: str, prepared: Path
) -> None:
    index = ElasticIndex(settings(prepared, VALISE_ELASTICSEARCH=elasticsearch))
    note = a_classified_note()
    try:
        await index.start()
        await index.apply([note])
        assert await index.get(note.note_id) == note
        assert await index.ready()
    finally:
        await index.stop()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"VALISE_ELASTICSEARCH_PASSWORD_FILE": "wrong"}, "refuses VALISE_ELASTICSEARCH_USER"),
        ({"VALISE_ELASTICSEARCH_CA": ""}, "not trusted (VALISE_ELASTICSEARCH_CA)"),
    ],
)
async def test_elasticsearch_that_refuses_us_is_one_clear_line(
    elasticsearch: str, prepared: Path, tmp_path: Path, changes: dict[str, str], said: str
) -> None:
    if "VALISE_ELASTICSEARCH_PASSWORD_FILE" in changes:
        changes = {"VALISE_ELASTICSEARCH_PASSWORD_FILE": wrong_password(tmp_path)}
    index = ElasticIndex(settings(prepared, VALISE_ELASTICSEARCH=elasticsearch, **changes))
    try:
        with pytest.raises(Misconfigured) as refused:
            await index.start()
    finally:
        await index.stop()
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "pas-le-bon" not in str(refused.value)


async def test_an_index_whose_password_was_changed_waits_and_parks_nothing(
    elasticsearch: str, prepared: Path, tmp_path: Path
) -> None:
    wrong = {"VALISE_ELASTICSEARCH_PASSWORD_FILE": wrong_password(tmp_path)}
    index = ElasticIndex(settings(prepared, VALISE_ELASTICSEARCH=elasticsearch, **wrong))
    try:
        with pytest.raises(Unavailable, match="401"):
            await index.apply([a_classified_note()])
    finally:
        await index.stop()


def test_the_registry_is_reached_over_tls_with_its_password_and_no_other_way(
    database: str, prepared: Path
) -> None:
    given = settings(prepared, VALISE_DATABASE=database)
    registry = Registry(given.registry_url)
    registry.migrate()
    assert registry.ready()
    registry.close()
    url = given.registry_url
    assert secure.connects(url)
    assert not secure.connects(url.replace("sslmode=verify-full", "sslmode=disable"))
    assert not secure.connects(url.replace(url.split(":")[2].split("@")[0], "faux"))
    assert not secure.connects(url.replace("/valise?", "/postgres?"))


def test_provision_prepares_all_three_and_can_be_repeated(
    kafka: str, elasticsearch: str, database: str, prepared: Path
) -> None:
    env = {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "VALISE_KAFKA": kafka,
        "VALISE_ELASTICSEARCH": elasticsearch,
        "VALISE_DATABASE": database,
        "VALISE_TOPIC_PREFIX": f"{uuid4().hex[:8]}.",
        "VALISE_INDEX": f"valise-{uuid4().hex[:8]}",
        **secure.settings(prepared),
    }
    for _ in range(2):
        done = subprocess.run(
            [VALISE, "provision"], env=env, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert f"{env['VALISE_TOPIC_PREFIX']}notes.submitted" in done.stdout
        assert env["VALISE_INDEX"] in done.stdout
