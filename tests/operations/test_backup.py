"""Backup while serving, everything destroyed, restored: the same notes, revisions and answers."""

import asyncio
import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from schemas.topics import ALL, CLASSIFIED, SUBMITTED, SUBMITTED_DEAD
from services.runtime import backup, log_dump
from services.runtime.errors import Misconfigured
from services.runtime.log import Entry
from services.runtime.log.sqlite import SqliteLog
from services.runtime.originals import Originals
from tests.pipeline.corpus import SAMPLES, many, samples
from tests.pipeline.deployments import VALISE, Deployment, Distributed, Embedded, client_of, running
from tests.pipeline.test_journey import valise
from tests.pipeline.test_kills import every_hit, total, until_accepted, wait_until

ARRIVE_SECONDS = 120.0
"""A bound for busy machines; it takes one or two seconds."""
QUESTIONS = (
    "/api/v1/search?q=retraite&sort=date",
    "/api/v1/search?theme=sante&sort=received&size=100",
    "/api/v1/search?country=DE&sort=date",
    "/feeds/all.json",
    "/feeds/travail.json",
)
MOVES = ("took_ms", "next", "score")
"""What an answer holds that is no answer: times, cursors, and scores, which depend on segments."""


def command(
    *arguments: str, env: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [VALISE, *arguments],
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **(env or {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def answers(deployment: Deployment) -> dict[str, Any]:
    """What readers get: searches, feeds, each note and the trace of each, without our address."""
    found: dict[str, Any] = {}
    with client_of(deployment.key, deployment.search) as http:
        for question in QUESTIONS:
            answer = http.get(question).raise_for_status().text
            found[question] = steady(json.loads(answer.replace(deployment.search, "")))
        for note in sorted(hit["id"] for hit in every_hit(deployment)):
            path = f"/api/v1/notes/{note}"
            found[path] = http.get(path).raise_for_status().json()
            trace = http.get(f"{path}/trace").raise_for_status().json()
            found[f"{path}/trace"] = (trace["state"], trace["revision"], trace["steps"][:2])
    return found


def steady(answer: Any) -> Any:
    """The answer without what may differ between two times that it is given."""
    if isinstance(answer, dict):
        return {key: steady(value) for key, value in answer.items() if key not in MOVES}
    return [steady(each) for each in answer] if isinstance(answer, list) else answer


@pytest.mark.slow
def test_an_office_gets_its_notes_and_answers_back_from_a_backup(tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    office = Embedded(tmp_path / "first")
    (tmp_path / "first").mkdir()
    with running(office):
        office_sends_the_samples(office)
        document = office_sends_a_document(office)
        before = answers(office)
        made = command("backup", str(saved), "--data", str(office.data))
        assert made.returncode == 0, made.stderr
        assert f"notes.submitted : {len(samples()) + 1}" in made.stdout
        assert "originaux : 1" in made.stdout
    shutil.rmtree(tmp_path / "first")

    (tmp_path / "second").mkdir()
    restored = Embedded(tmp_path / "second")
    back = command("restore", str(saved), "--data", str(restored.data))
    assert back.returncode == 0, back.stderr
    with running(restored):
        wait_until(lambda: total(restored) == len(samples()) + 1, ARRIVE_SECONDS)
        assert answers(restored) == before
        assert original(restored, document) == DOCUMENT
        again = valise(restored, "submit", str(SAMPLES), "--json")
        assert again.returncode == 0
        assert {json.loads(line)["outcome"] for line in again.stdout.splitlines()} == {"duplicate"}


def office_sends_the_samples(deployment: Deployment) -> None:
    assert valise(deployment, "submit", str(SAMPLES)).returncode == 0
    wait_until(lambda: total(deployment) == len(samples()), ARRIVE_SECONDS)
    wait_until(lambda: all_indexed(deployment), ARRIVE_SECONDS)


DOCUMENT = "<p>Objet : Réforme</p><p>Le Bundestag a adopté la loi.</p>".encode()


def office_sends_a_document(deployment: Deployment) -> str:
    """The id of the note in it."""
    metadata = {"post": "berlin", "reference": "BER-DOC-1", "date": "2026-03-04"}
    answer = deployment.http.post(
        f"{deployment.ingest}/api/v1/notes",
        files={"file": ("note.html", DOCUMENT)},
        data={"metadata": json.dumps(metadata)},
        timeout=60,
    )
    assert answer.status_code == 202, answer.text
    wait_until(lambda: total(deployment) == len(samples()) + 1, ARRIVE_SECONDS)
    wait_until(lambda: all_indexed(deployment), ARRIVE_SECONDS)
    return str(answer.json()["id"])


def original(deployment: Deployment, note: str) -> bytes:
    path = f"{deployment.ingest}/api/v1/notes/{note}/original"
    return deployment.http.get(path, timeout=30).raise_for_status().content


def all_indexed(deployment: Deployment) -> bool:
    with client_of(deployment.key, deployment.search) as http:
        return all(
            http.get(f"/api/v1/notes/{hit['id']}/trace").json()["state"] == "indexed"
            for hit in every_hit(deployment)
        )


def test_a_backup_under_load_has_every_note_that_its_registry_calls_received(
    tmp_path: Path,
) -> None:
    office = Embedded(tmp_path)
    stop = threading.Event()
    notes = iter(many(5_000, 7, "LOAD"))

    def send() -> None:
        while not stop.is_set():
            until_accepted(office, next(notes))
            time.sleep(0.05)  # leaves something of the machine to those who read

    saved = [tmp_path / f"saved-{number}" for number in range(4)]
    with running(office):
        senders = [threading.Thread(target=send) for _ in range(3)]
        for sender in senders:
            sender.start()
        try:
            source = backup.Source(
                office.data / "log.sqlite3",
                office.data / "registry.sqlite3",
                office.data / "originals",
            )
            for number, folder in enumerate(saved, start=1):
                wait_until(lambda number=number: total(office) >= number * 5, ARRIVE_SECONDS)
                backup.save(source, folder)
        finally:
            stop.set()
            for sender in senders:
                sender.join()
    sizes = []
    for folder in saved:
        backup.check(folder)
        with closing(sqlite3.connect(folder / "registry.sqlite3")) as registry:
            rows = registry.execute("SELECT note_id, state FROM revisions").fetchall()
        with closing(sqlite3.connect(folder / "log.sqlite3")) as log:
            keys = {
                bytes(key).decode().replace("-", "")
                for (key,) in log.execute(
                    "SELECT key FROM records JOIN topics ON topics.id = records.topic "
                    "WHERE name = ?",
                    (SUBMITTED.name,),
                )
            }
        receipts = {str(note).replace("-", ""): state for note, state in rows}
        received = {note for note, state in receipts.items() if state != "pending"}
        assert received <= keys, "a note was received and is not in the log"
        assert keys <= receipts.keys(), "a note is in the log and has no receipt"
        sizes.append(len(keys))
    assert sizes == sorted(sizes)
    assert sizes[0] > 0


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A small backup that is whole."""
    from services.runtime.registry import Registry

    data = tmp_path / "data"
    data.mkdir()
    registry = Registry(f"sqlite:///{data / 'registry.sqlite3'}")
    registry.migrate()
    registry.close()
    asyncio.run(fill(data / "log.sqlite3"))
    originals = Originals(data / "originals")
    name_an_original(data / "registry.sqlite3", originals.put(b"un document"))
    source = backup.Source(data / "log.sqlite3", data / "registry.sqlite3", data / "originals")
    backup.save(source, tmp_path / "saved")
    return tmp_path / "saved"


def name_an_original(registry: Path, address: str) -> None:
    note = uuid4().hex
    with closing(sqlite3.connect(registry)) as connection, connection:
        connection.execute("INSERT INTO notes VALUES (?, 'berlin', 'r', 1)", (note,))
        connection.execute(
            "INSERT INTO revisions"
            " (note_id, revision, kind, content_hash, event, received_at, state) VALUES"
            " (?, 1, 'submitted', '', x'', '2026-03-04 00:00:00', 'indexed')",
            (note,),
        )
        connection.execute(
            "INSERT INTO originals (note_id, revision, sha256, name, media_type, bytes)"
            " VALUES (?, 1, ?, 'n.txt', 'text/plain', 11)",
            (note, address),
        )


def test_a_backup_without_one_of_its_originals_is_refused(saved: Path, tmp_path: Path) -> None:
    (address,) = json.loads((saved / "manifest.json").read_text())["originals"]
    kept = Originals(saved / "originals").path(address)
    kept.write_bytes(b"autre chose")
    with pytest.raises(backup.Damaged, match="origine"):
        backup.restore(saved, tmp_path / "new")
    kept.unlink()
    with pytest.raises(backup.Damaged, match="origine"):
        backup.restore(saved, tmp_path / "new")
    assert not (tmp_path / "new").exists()


HARD_RECORDS = [
    Entry(b"a", b"1", {"trace": b"\xff\x00"}),
    Entry(b"b", None),
    Entry(b"a", b"\xe9\xff" * 1_000),
    Entry(b"a", b""),
]


async def fill(path: Path) -> None:
    log = SqliteLog(path)
    await log.provision(ALL)
    await log.append(SUBMITTED.name, HARD_RECORDS)
    await log.append(SUBMITTED_DEAD.name, [Entry(None, b"sans cl\xe9")])
    await log.stop()


def test_only_its_owner_can_read_a_backup(saved: Path) -> None:
    assert saved.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in saved.iterdir())


@pytest.mark.parametrize("name", ["log.sqlite3", "registry.sqlite3"])
def test_a_backup_with_one_changed_byte_is_refused_and_nothing_is_left(
    saved: Path, tmp_path: Path, name: str
) -> None:
    content = bytearray((saved / name).read_bytes())
    content[len(content) // 2] ^= 1
    (saved / name).write_bytes(content)
    refused = command("restore", str(saved), "--data", str(tmp_path / "new"))
    assert refused.returncode == 1
    assert name in refused.stderr
    assert not (tmp_path / "new").exists()


def test_a_backup_without_a_manifest_is_none(saved: Path, tmp_path: Path) -> None:
    (saved / "manifest.json").unlink()
    with pytest.raises(backup.Damaged, match="manifeste"):
        backup.restore(saved, tmp_path / "new")


@pytest.mark.parametrize("field", ["format", "event_schema"])
def test_a_backup_of_a_newer_release_is_refused(saved: Path, tmp_path: Path, field: str) -> None:
    manifest = json.loads((saved / "manifest.json").read_text())
    manifest[field] += 1
    (saved / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(Misconfigured, match="plus récente"):
        backup.restore(saved, tmp_path / "new")


def test_nothing_is_restored_or_saved_over_what_is_there(saved: Path, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "kept").write_text("gardé")
    refused = command("restore", str(saved), "--data", str(full))
    assert refused.returncode == 2
    assert "vide" in refused.stderr
    again = command("backup", str(full), "--data", str(tmp_path / "data"))
    assert again.returncode == 2
    assert [path.name for path in full.iterdir()] == ["kept"]


async def test_a_log_in_a_file_comes_back_with_keys_values_headers_and_order(
    saved: Path, tmp_path: Path
) -> None:
    file = tmp_path / "log.gz"
    old, new = SqliteLog(saved / "log.sqlite3"), SqliteLog(tmp_path / "new.sqlite3")
    await new.provision(ALL)
    counts = await log_dump.dump(old, ALL, file)
    assert counts[SUBMITTED.name] == len(HARD_RECORDS)
    assert await log_dump.load(new, ALL, file) == counts
    assert await contents(new) == await contents(old)
    with pytest.raises(Misconfigured, match="pas vide"):
        await log_dump.load(new, ALL, file)
    with pytest.raises(Misconfigured, match="existe déjà"):
        await log_dump.dump(old, ALL, file)
    await old.stop()
    await new.stop()


async def contents(log: SqliteLog) -> dict[str, list[Entry]]:
    return {
        topic.name: [
            Entry(record.key, record.value, dict(record.headers))
            async for records in log.replay(topic.name)
            for record in records
        ]
        for topic in ALL
    }


async def test_a_log_in_a_file_that_is_cut_or_changed_is_refused_before_anything_is_written(
    saved: Path, tmp_path: Path
) -> None:
    file = tmp_path / "log.gz"
    old, new = SqliteLog(saved / "log.sqlite3"), SqliteLog(tmp_path / "new.sqlite3")
    await new.provision(ALL)
    await log_dump.dump(old, ALL, file)
    lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    for broken in (
        lines[:-1],
        lines[:2] + lines[3:],
        [lines[0], *reversed(lines[1:-1]), lines[-1]],
        [b"{}\n", *lines[1:]],
    ):
        file.write_bytes(gzip.compress(b"".join(broken)))
        with pytest.raises(log_dump.Damaged):
            await log_dump.load(new, ALL, file)
    file.write_bytes(gzip.compress(b"".join(lines))[:-20])
    with pytest.raises(log_dump.Damaged):
        await log_dump.load(new, ALL, file)
    assert not any((await contents(new)).values())
    await old.stop()
    await new.stop()


@pytest.mark.live
def test_ministries_get_notes_and_answers_back_from_pg_dump_and_the_log_in_a_file(
    tmp_path: Path, engine: Any
) -> None:
    tools = postgres_tools()
    engines = {f"VALISE_{name}": engine(name) for name in ("KAFKA", "ELASTICSEARCH", "DATABASE")}
    dump, log = tmp_path / "registry.dump", tmp_path / "log.gz"
    first = Distributed(folder(tmp_path / "first"), f"saved-{uuid4().hex[:8]}", engines)
    with running(first):
        office_sends_the_samples(first)
        before = answers(first)
        first.services["ingest"].terminate()
        address, schema = plain(first.env["VALISE_DATABASE"])
        run(tools / "pg_dump", "--format=custom", f"--schema={schema}", f"--file={dump}", address)
        made = command("backup", "--log", str(log), env=first.env)
        assert made.returncode == 0, made.stderr
        assert f"{CLASSIFIED.name} : {len(samples())}" in made.stdout
        for service in ("classify", "search"):
            first.services[service].terminate()
        first.delete_indexes()
    # The first deployment's tables went with its schema; its topics are never looked at again.

    second = Distributed(folder(tmp_path / "second"), f"back-{uuid4().hex[:8]}", engines)
    address, empty = plain(second.env["VALISE_DATABASE"])
    psql = ("--quiet", "--set=ON_ERROR_STOP=1", address)
    run(tools / "psql", "-c", f"DROP SCHEMA {empty}", *psql)
    run(tools / "pg_restore", "--exit-on-error", "--no-owner", f"--dbname={address}", str(dump))
    run(tools / "psql", "-c", f"ALTER SCHEMA {schema} RENAME TO {empty}", *psql)
    back = command("restore", "--log", str(log), env=second.env)
    assert back.returncode == 0, back.stderr
    with running(second):
        wait_until(lambda: total(second) == len(samples()), ARRIVE_SECONDS)
        assert answers(second) == before
        again = valise(second, "submit", str(SAMPLES), "--json")
        assert {json.loads(line)["outcome"] for line in again.stdout.splitlines()} == {"duplicate"}


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def plain(url: str) -> tuple[str, str]:
    """What PostgreSQL's own tools take of an address, and the schema that it names."""
    from sqlalchemy import make_url

    made = make_url(url)
    schema = str(made.query["options"]).partition("search_path=")[2]
    return made.set(drivername="postgresql", query={}).render_as_string(False), schema


def postgres_tools() -> Path:
    found = shutil.which("pg_dump")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if found is None and not folders:
        pytest.skip("pg_dump is not installed")
    return folders[-1] if folders else Path(str(found)).parent


def run(*arguments: Path | str) -> None:
    done = subprocess.run(
        [str(each) for each in arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stderr
