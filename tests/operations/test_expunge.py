"""An expunged note is nowhere any more, in no file, and does not come back."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa
from aiokafka.admin import AIOKafkaAdminClient
from elasticsearch import Elasticsearch

from schemas.events import encode
from schemas.query import PUBLIC, Query
from schemas.topics import ALL, CLASSIFIED, SUBMITTED
from services.runtime.dead_letters import DeadLetter
from services.runtime.log import Entry, Record, kafka_settings
from services.runtime.originals import Originals
from services.runtime.registry import (
    DeadLetterRow,
    JournalFilter,
    Key,
    LetterFilter,
    OriginalRow,
    Registry,
)
from services.runtime.registry.expunging import OF_A_NOTE
from services.runtime.registry.tables import (
    expunged,
    held_originals,
    journal,
    keys,
    metadata,
    notes,
    sessions,
    tickets,
)
from services.runtime.settings import Settings
from services.search.expunge import Expunger
from services.search.index.embedded import TantivyIndex
from services.search.rebuild import Progress, Step, rebuild
from tests.builders import a_classified_note, a_note
from tests.contract.index_places import on_elasticsearch
from tests.contract.log_places import eventually
from tests.pipeline.deployments import (
    LIVE,
    VALISE,
    Deployment,
    Distributed,
    Embedded,
    client_of,
    environment,
    running,
)
from tests.runtime.registry_kit import correction, own_schema, submission
from tests.search.desk import Desk, open_desk

WORDS = ("Zythomancielle", "quarkoïdal", "Brimborionade", "vérolution", "Xylostomiase")
"""Of subject, body, a correction's comment, an original, and a dead letter; of no other text."""
SUBJECT, BODY, COMMENT, FILE, LETTER = WORDS
REFERENCE = "BER-2026-0666"
REASON = "Document protégé envoyé par erreur"


def where(folder: Path, *words: str) -> set[str]:
    """The files below a folder in which one of these words stands, and the words."""
    return {
        f"{path.relative_to(folder)}: {word}"
        for path in folder.rglob("*")
        if path.is_file()
        for word in words
        if word.encode() in path.read_bytes()
    }


def test_no_table_with_rows_of_a_note_is_left_out() -> None:
    of_a_note = {table.name for table in metadata.tables.values() if "note_id" in table.c}
    assert {table.name for table in OF_A_NOTE} == of_a_note - {expunged.name}
    of_callers = {keys.name, sessions.name, tickets.name}
    others = {notes.name, journal.name, held_originals.name}
    assert set(metadata.tables) == of_a_note | of_callers | others


async def test_words_of_removed_and_replaced_notes_leave_the_files_and_all_else_stays(
    tmp_path: Path,
) -> None:
    index = TantivyIndex(tmp_path / "index")
    await index.start()
    others = [a_classified_note(a_note(reference=f"BER-{number}")) for number in range(450)]
    mine = a_note(reference=REFERENCE, subject=f"Note {SUBJECT}")
    first = a_classified_note(mine)
    await index.apply([*others[:400], first])
    await index.apply([*others[400:], a_classified_note(a_note(reference=REFERENCE), revision=2)])
    aside = tmp_path / "index.aside-20260304"
    aside.mkdir()
    (aside / "segment").write_text(SUBJECT)
    assert len(where(tmp_path, SUBJECT)) > 1
    await index.forget([mine.id])
    searching = index.search(Query(reader=PUBLIC, size=100))
    await asyncio.gather(index.purge(), searching, index.apply([others[0]]))
    assert where(tmp_path, SUBJECT) == set()
    await index.refresh()
    assert await index.count() == len(others)
    kept = [await index.get(other.note_id) for other in others[::50]]
    assert kept == others[::50]
    await index.stop()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path) as opened:
        yield opened


MINE = a_classified_note(a_note(reference=REFERENCE, subject=f"Note {SUBJECT}"))


def expunger(desk: Desk, **changes: Any) -> Expunger:
    parts = {"erase": desk.log.erase, "originals": Originals(desk.data / "originals")} | changes
    return Expunger(desk.index, desk.registry, desk.log, **parts)


async def test_an_event_that_comes_after_the_null_value_does_not_bring_the_note_back(
    desk: Desk,
) -> None:
    desk.receive(MINE)
    await desk.write(CLASSIFIED.name, MINE.note_id, MINE)
    done = await expunger(desk).expunge(MINE.note_id, REASON)
    assert done.finished_at is not None
    # A request of ingest that had read the receipt before; a classify that had the event in hand.
    await desk.write(SUBMITTED.name, MINE.note_id, MINE)
    await desk.write(CLASSIFIED.name, MINE.note_id, MINE)

    async def null_again() -> bool:
        last = [await desk.last(topic, MINE.note_id) for topic in (SUBMITTED.name, CLASSIFIED.name)]
        return last == [None, None]

    await eventually(null_again)
    assert await desk.index.get(MINE.note_id) is None
    # And a letter that some service parks as late.
    late = DeadLetterRow(
        "notes.submitted/0/1", "classify", "x", datetime.now(UTC), b"?", encode(MINE)
    )
    assert desk.registry.park(late) is False
    again = await expunger(desk).expunge(MINE.note_id, "encore")
    assert again == done
    assert where(desk.data, SUBJECT) == set()


async def test_the_post_may_send_the_reference_again_and_that_note_is_left_alone(
    desk: Desk,
) -> None:
    desk.receive(MINE)
    await desk.write(CLASSIFIED.name, MINE.note_id, MINE)
    await expunger(desk).expunge(MINE.note_id, REASON)
    later = datetime.now(UTC) + timedelta(minutes=1)
    anew = a_classified_note(a_note(reference=REFERENCE), received_at=later)
    desk.receive(anew)
    await desk.write(CLASSIFIED.name, MINE.note_id, anew)
    # The old one's event, late: what is newer is written behind it.
    await desk.write(CLASSIFIED.name, MINE.note_id, MINE)

    async def there() -> bool:
        kept = await desk.index.get(MINE.note_id)
        last = await desk.last(SUBMITTED.name, MINE.note_id)
        return kept is not None and kept.note == anew.note and last is not None

    await eventually(there)
    letter = DeadLetterRow("notes.submitted/0/9", "classify", "x", later, b"?", encode(anew))
    assert desk.registry.park(letter) is True


async def test_a_note_that_the_registry_has_is_not_taken_for_the_expunged_one(desk: Desk) -> None:
    desk.receive(MINE)
    ahead = MINE.received_at + timedelta(minutes=1)
    desk.registry.begin_correction(correction("sante", note_id=MINE.note_id, at=ahead))
    await expunger(desk).expunge(MINE.note_id, REASON)
    # Sent again to a machine whose clock is behind that of the one that took the correction.
    behind = MINE.received_at + timedelta(seconds=1)
    anew = a_classified_note(a_note(reference=REFERENCE), received_at=behind)
    desk.receive(anew)
    await desk.write(CLASSIFIED.name, MINE.note_id, anew)
    await eventually(lambda: desk.index.get(MINE.note_id))
    assert await desk.last(SUBMITTED.name, MINE.note_id) is None  # nothing was written again
    letter = DeadLetterRow("notes.submitted/0/9", "classify", "x", behind, b"?", encode(anew))
    assert desk.registry.park(letter) is True
    late = replace(letter, origin="notes.submitted/0/1", value=encode(MINE))
    assert desk.registry.park(late) is False


async def test_what_was_cut_short_is_finished_by_asking_again(tmp_path: Path) -> None:
    async with open_desk(tmp_path, classifying=False) as desk:
        desk.receive(MINE)
        original = desk.data / "originals"
        address = Originals(original).put(FILE.encode())
        row = OriginalRow(sha256=address, name="note.docx", media_type="x", bytes=9)
        desk.registry.keep_original(Key(MINE.note_id, 1), row)
        await desk.write(CLASSIFIED.name, MINE.note_id, MINE)
        await eventually(lambda: desk.index.get(MINE.note_id))
        refused = await desk.http.post("/api/v1/notes/x/expunge", json={"reason": " "})
        assert refused.status_code == 422
        with pytest.raises(Exception, match="409"):
            await expunger(desk, originals=None).expunge(MINE.note_id, REASON)
        done = await expunger(desk, patience=0.0).expunge(MINE.note_id, REASON)
        assert done.finished_at is None

        async def gone() -> bool:
            return await desk.index.get(MINE.note_id) is None

        await eventually(gone)
        assert desk.registry.receipt(MINE.note_id) is None
        assert where(original, FILE) == set()
        unknown = await desk.post(f"/notes/{uuid4()}/expunge", {"reason": REASON})
        assert unknown.status_code == 404
    async with open_desk(tmp_path) as desk:
        finished = await expunger(desk).expunge(MINE.note_id, "une autre raison")
        assert finished.finished_at is not None
        assert (finished.at, finished.reason) == (done.at, REASON)
        assert where(tmp_path, SUBJECT) == set()


async def test_a_reason_is_kept_with_what_acts_on_a_terminal_written_out(tmp_path: Path) -> None:
    async with open_desk(tmp_path, classifying=False) as desk:
        desk.receive(MINE)
        reason = "motif \x1b]0;PWN\x07\u202e\r\nfin"
        done = asyncio.create_task(desk.post(f"/notes/{MINE.note_id}/expunge", {"reason": reason}))
        row = await eventually(lambda: desk.registry.expunged(MINE.note_id))
        done.cancel()
        kept = "motif %1B]0;PWN%07%E2%80%AE%0D%0Afin"
        assert row.reason == kept
        (entry,) = desk.registry.journal_page(JournalFilter(action="administered"))
        assert json.loads(entry.draft.details)["reason"] == kept


@pytest.mark.parametrize("when", [Step.READ, Step.CHECK, Step.EXCHANGE, Step.CLEAN])
async def test_a_note_expunged_while_the_index_is_rebuilt_is_in_no_file_afterwards(
    desk: Desk, when: Step
) -> None:
    desk.receive(MINE)
    await desk.write(CLASSIFIED.name, MINE.note_id, MINE)
    others = [a_classified_note(a_note(reference=f"BER-{number}")) for number in range(1_500)]
    await desk.log.append(
        CLASSIFIED.name, [Entry(str(each.note_id).encode(), encode(each)) for each in others]
    )

    async def all_there() -> bool:
        return await desk.index.count() == len(others) + 1

    await eventually(all_there)
    expunging: list[asyncio.Task[Any]] = []

    def tell(progress: Progress) -> None:
        if progress.step is when and progress.done > 0 and not expunging:
            expunging.append(asyncio.create_task(expunger(desk).expunge(MINE.note_id, REASON)))

    done = await rebuild(desk.log, desk.index, tell=tell)
    assert done.complete
    assert (await expunging[0]).finished_at is not None
    await desk.index.refresh()
    assert await desk.index.count() == len(others)
    assert where(desk.data, SUBJECT) == set()


@pytest.mark.slow
@pytest.mark.live
async def test_words_leave_elasticsearch_by_a_forced_merge(engine: Callable[[str], str]) -> None:
    async with on_elasticsearch(engine("ELASTICSEARCH")) as index:
        others = [a_classified_note(a_note(reference=f"BER-{number}")) for number in range(40)]
        await index.apply([*others, MINE])
        await index.forget([MINE.note_id])
        await index.purge()
        await index.refresh()
        assert await index.count() == len(others)
        stats = await index._client.indices.stats(index=index._names.write, metric="docs")
        assert stats["_all"]["primaries"]["docs"]["deleted"] == 0


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.live)])
def registry(
    request: pytest.FixtureRequest, tmp_path: Path, engine: Callable[[str], str]
) -> Iterator[Registry]:
    """A registry on each database."""
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path / 'registry.sqlite3'}"
        if request.param == "postgresql":
            url = stack.enter_context(own_schema(engine("DATABASE")))
        registry = Registry(url)
        stack.callback(registry.close)
        registry.migrate()
        yield registry


def test_a_mail_in_which_the_note_lies_goes_with_it(registry: Registry) -> None:
    mine, mail = submission(), submission(reference="BER-2026-9")
    registry.begin([mine, mail])
    inner = OriginalRow(sha256="a" * 64, name="note.docx", media_type="x", bytes=9)
    outer = OriginalRow("b" * 64, "mail.eml", "message/rfc822", 90, holds=("a" * 64,))
    registry.keep_original(Key(mail.event.note_id, 1), outer)
    registry.keep_original(Key(mine.event.note_id, 1), inner)
    assert registry.own_originals(mine.event.note_id) == ["a" * 64, "b" * 64]
    assert registry.own_originals(mail.event.note_id) == ["b" * 64]
    registry.expunge(mine.event.note_id, REASON, datetime.now(UTC))
    assert registry.original(mail.event.note_id) is None
    assert registry.newest(mail.event.note_id) is not None, "the mail's own note stays"
    assert registry.held_notes("b" * 64, "berlin") == []


def test_the_registry_keeps_nothing_of_the_note_but_the_journal(registry: Registry) -> None:
    mine, other = submission(), submission(reference="BER-2026-9")
    registry.begin([mine, other])
    registry.begin_correction(correction("sante"))
    note_id, now = mine.event.note_id, datetime.now(UTC)
    row = OriginalRow(sha256="a" * 64, name="note.docx", media_type="x", bytes=9)
    for each in (mine, other):
        registry.keep_original(Key(each.event.note_id, 1), row)
    assert registry.own_originals(note_id) == []  # the other note has the same document
    for key in (str(note_id).upper().encode(), b"?"):
        value = None if key != b"?" else encode(mine.event)
        letter = DeadLetterRow(f"notes.submitted/0/{len(key)}", "classify", "x 100 %", now, key)
        assert registry.park(replace(letter, value=value)) is True
    assert len(registry.letters(LetterFilter(reason="X 100 %", replayed=False))) == 2
    registry.mark_replayed(1, now)
    assert [each.id for each in registry.letters(LetterFilter(), after=0, standing=True)] == [2]
    registry.mark_returned(1)
    entry = registry.expunge(note_id, REASON, now)
    assert registry.knows(note_id) is False
    assert registry.letters(LetterFilter()) == []
    assert registry.newest(note_id) is None
    assert registry.newest(other.event.note_id) is not None
    assert registry.own_originals(other.event.note_id) == ["a" * 64]
    assert set(registry.barred([note_id, other.event.note_id])) == {note_id}
    assert entry.until >= mine.event.received_at
    registry.mark_forgotten(note_id, entry.id, now)
    registry.mark_erased(note_id, entry.id, now)
    registry.mark_erased(note_id, entry.id, now + timedelta(days=1))
    registry.erase()
    finished = registry.expunged(note_id)
    assert finished is not None
    assert (finished.forgotten_at, finished.finished_at) == (now, now)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """An embedded deployment."""
    with running(Embedded(tmp_path_factory.mktemp("expunge"))) as started:
        assert isinstance(started, Embedded)
        yield started


def valise(deployment: Deployment, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [VALISE, *arguments],
        env=environment(deployment),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def note(**changes: str) -> dict[str, str]:
    return {
        "post": "berlin",
        "reference": REFERENCE,
        "date": "2026-03-04",
        "subject": f"Note {SUBJECT}",
        "body": f"En Allemagne, la réforme {BODY} des retraites est débattue. " * 20,
    } | changes


async def _park(deployment: Deployment, note_id: str) -> None:
    """A record that classify can never read, under the note's key, and one already parked."""
    log = deployment.open_log()
    nonsense = f'{{"subject": "{LETTER}"}}'.encode()
    await log.append(SUBMITTED.name, [Entry(note_id.encode(), nonsense)])
    record = Record(CLASSIFIED.name, 0, 99, note_id.encode(), nonsense, {}, 0)
    letter = DeadLetter.of(record, reason="x", service="search", at=datetime.now(UTC))
    await log.append("notes.classified.dead", [letter.entry()])
    await log.stop()


def found(http: httpx.Client, words: str) -> int:
    """How many notes a search finds. The journal keeps the words of searches, so none of the note's
    own is looked for."""
    return int(http.get("/api/v1/search", params={"q": words}).json()["total"])


def until(check: Any) -> None:
    asyncio.run(eventually(check))


def submitted_corrected_and_parked(deployment: Deployment) -> str:
    """A note in every store there is, and another beside it; the id of the first."""
    http = client_of(deployment.key, deployment.search)
    with http, client_of(deployment.key, deployment.ingest) as posts:
        page = f"<p>Les retraites.</p><p hidden>{FILE}</p>"
        metadata = (None, json.dumps(note()), "application/json")
        files = {"file": ("note.html", page), "metadata": metadata}
        sent = posts.post("/api/v1/notes", files=files)
        assert sent.status_code == 202, sent.text
        mine = str(sent.json()["id"])
        other = note(reference="BER-2026-0667", subject="Une autre note", body="Les retraites.")
        assert posts.post("/api/v1/notes", json=other).status_code == 202
        until(lambda: found(http, REFERENCE) == 1 and found(http, "retraites") == 2)
        tags = {"themes": ["sante"], "countries": ["AT"], "comment": f"Voir {COMMENT}"}
        assert posts.post(f"/api/v1/notes/{mine}/corrections", json=tags).status_code == 202
        asyncio.run(_park(deployment, mine))
        until(lambda: len(letters(http, mine)) == 2)
        until(lambda: http.get("/api/v1/search?theme=sante").json()["total"] == 1)
    return mine


def letters(http: httpx.Client, note_id: str) -> list[Any]:
    return list(http.get(f"/api/v1/dead-letters?note_id={note_id}").json()["letters"])


@pytest.mark.slow
def test_an_expunged_note_leaves_every_file_and_neither_restart_nor_replay_brings_it_back(
    deployment: Embedded,
) -> None:
    data = deployment.data
    with client_of(deployment.key, deployment.search) as http:
        mine = submitted_corrected_and_parked(deployment)
        held = where(data, *WORDS)
        assert {entry.rpartition(" ")[2] for entry in held} == set(WORDS)
        assert {entry.partition("/")[0] for entry in held if "index" in entry} == {"index"}
        order = ("expunge", f"berlin/{REFERENCE}", "--reason", REASON)
        assert valise(deployment, *order).returncode == 1  # nobody confirms
        assert found(http, REFERENCE) == 1
        done = valise(deployment, *order, "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        assert found(http, REFERENCE) == 0
        assert found(http, "retraites") == 1
        for path in ("", "/trace"):
            assert http.get(f"/api/v1/notes/{mine}{path}").status_code == 404
        assert letters(http, mine) == []
        assert where(data, *WORDS) == set()
        again = valise(deployment, "expunge", mine, "--reason", "encore", "--yes", "--json")
        assert again.returncode == 0
        assert REASON in again.stdout
    deployment.server.kill()
    shutil.rmtree(data / "index")
    deployment.start()
    with client_of(deployment.key, deployment.search) as http:
        until(lambda: found(http, "retraites") == 1)
        assert found(http, REFERENCE) == 0
        assert where(data, *WORDS) == set()
        anew = note(subject="Une note permise", body="Les retraites en Allemagne.")
        accepted = http.post("/api/v1/notes", json=anew)
        assert (accepted.status_code, accepted.json()["id"]) == (202, mine)
        trace = f"/api/v1/notes/{mine}/trace"
        until(lambda: http.get(trace).json()["state"] == "indexed")


QUICK = {
    "min.compaction.lag.ms": "0",
    "min.cleanable.dirty.ratio": "0.0",
    "segment.ms": "500",
    "file.delete.delay.ms": "0",
    "delete.retention.ms": "60000",
}
"""Of topics that are compacted in seconds, not after a week."""


async def quick_topics(env: dict[str, str]) -> None:
    """The deployment's topics, of one partition each, those that are compacted QUICK."""
    settings = Settings.from_env(env)
    admin = AIOKafkaAdminClient(**kafka_settings.connection(settings))
    await admin.start()
    try:
        topics = [kafka_settings.new_topic(each, settings) for each in ALL]
        for topic, made in zip(ALL, topics, strict=True):
            made.topic_configs.update(QUICK if topic.compacted else {})
        await admin.create_topics(topics)
    finally:
        await admin.close()


def in_the_registry(url: str) -> set[str]:
    """The tables in which one of the words stands, in text or in bytes, and the words."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return {
            f"{table}: {word}"
            for table in metadata.tables
            for word in WORDS
            if connection.scalar(
                sa.text(
                    f"SELECT count(*) FROM {table} WHERE {table}::text LIKE :text "
                    f"OR {table}::text LIKE :bytes"
                ),
                {"text": f"%{word}%", "bytes": f"%{word.encode().hex()}%"},
            )
        }


class Files:
    """Where the engines keep what is this deployment's."""

    def __init__(self, engines: Path, deployment: Distributed) -> None:
        self._run = engines / "run"
        self._env = deployment.env

    def of_kafka(self) -> set[str]:
        """The topics in whose files one of the words stands."""
        prefix = self._env["VALISE_TOPIC_PREFIX"]
        folders = (self._run / "kafka" / "data").glob(f"{prefix}*")
        return {
            folder.name.removeprefix(prefix).rpartition("-")[0]
            for folder in folders
            if where(folder, *WORDS)
        }

    def of_elasticsearch(self) -> set[str]:
        """The files and the words of the index."""
        with Elasticsearch(self._env["VALISE_ELASTICSEARCH"]) as client:
            found = client.indices.get(index=f"{self._env['VALISE_INDEX']}*")
            folders = [each["settings"]["index"]["uuid"] for each in found.values()]
        data = self._run / "elasticsearch" / "data" / "indices"
        return {each for folder in folders for each in where(data / folder, *WORDS)}


@pytest.mark.slow
@pytest.mark.live
def test_an_expunged_note_leaves_the_engines_and_the_log_once_that_is_compacted(
    tmp_path: Path, engine: Callable[[str], str]
) -> None:
    addresses = {f"VALISE_{name}": engine(name) for name in LIVE}
    kept = os.environ.get("VALISE_TEST_ENGINES")
    if not kept:
        pytest.skip("VALISE_TEST_ENGINES does not say where the engines' files are")
    more = {"VALISE_ORIGINALS": str(tmp_path / "originals"), "VALISE_PARTITIONS": "1"}
    deployment = Distributed(tmp_path, f"expunge-{uuid4().hex[:8]}", addresses, more)
    asyncio.run(quick_topics(deployment.env))
    files = Files(Path(kept), deployment)
    with running(deployment), client_of(deployment.key, deployment.search) as http:
        mine = submitted_corrected_and_parked(deployment)
        originals = tmp_path / "originals"
        assert files.of_kafka() == {each.name for each in ALL}
        assert files.of_elasticsearch()
        assert len(in_the_registry(deployment.registry_url)) >= len(WORDS) - 1
        assert where(originals, FILE)

        done = valise(deployment, "expunge", mine, "--reason", REASON, "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        assert found(http, REFERENCE) == 0
        assert found(http, "retraites") == 1
        assert http.get(f"/api/v1/notes/{mine}/trace").status_code == 404
        assert letters(http, mine) == []
        assert in_the_registry(deployment.registry_url) == set()
        assert files.of_elasticsearch() == set()
        assert where(originals, *WORDS) == set()

        async def compacted() -> bool:
            # The segment that is written to is never compacted: what comes next begins another.
            await another(deployment)
            return files.of_kafka().isdisjoint({SUBMITTED.name, CLASSIFIED.name})

        until(compacted)
        # As docs/operations.md says: letters are kept a year, and no null value removes them.
        assert files.of_kafka() == {each.name for each in ALL if not each.compacted}


async def another(deployment: Deployment) -> None:
    """One more record on the topics of notes: a null value of a note that never was."""
    log = deployment.open_log()
    for topic in (SUBMITTED, CLASSIFIED):
        await log.append(topic.name, [Entry(str(uuid4()).encode(), None)])
    await log.stop()
