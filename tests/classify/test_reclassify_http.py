"""`POST /api/v1/reclassify`: one run at a time, told line by line, by a process of its own."""

import asyncio
import fcntl
import json
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from schemas.events import ClassifiedNote, classified, decode, encode
from schemas.topics import ALL, CLASSIFIED, SUBMITTED
from services.classify import http
from services.classify.child import LOG_FILE, RECLASSIFY_NICENESS
from services.classify.classifier import classify as present
from services.classify.release import RELEASE
from services.runtime import problems
from services.runtime.access import gate
from services.runtime.journal import Journal, install
from services.runtime.log import Entry
from services.runtime.log.sqlite import SqliteLog
from services.runtime.registry import Registry
from tests.builders import a_note, an_event
from tests.classify.other_release import OTHER
from tests.contract.log_places import eventually
from tests.keys import HEADERS, admit_everything

NOTES = 60
OTHER_RELEASE = (sys.executable, "-m", "tests.classify.other_release")


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    """A log with notes that the present release has classified."""
    log = SqliteLog(tmp_path / LOG_FILE)
    await log.provision(ALL)
    events = [an_event(a_note(reference=f"BER-{number}")) for number in range(NOTES)]
    keys = [str(one.note_id).encode() for one in events]
    tags = present(events[0].note)
    await log.append(SUBMITTED.name, list(map(Entry, keys, map(encode, events))))
    states = [encode(classified(one, tags, one.at)) for one in events]
    await log.append(CLASSIFIED.name, list(map(Entry, keys, states)))
    yield log
    await log.stop()


@contextmanager
def served(runs: http.Runs) -> Iterator[str]:
    """The route on a real server, as a client meets it; its address."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await runs.stop()  # as the service does: a process must not outlive the loop that hears it

    app = FastAPI(lifespan=lifespan)
    problems.install(app)
    with tempfile.TemporaryDirectory() as folder:
        registry = Registry(f"sqlite:///{folder}/registry.sqlite3")
        admit_everything(registry)
        gate.install(app, gate.Gate(registry))
        install(app, Journal(registry, 365))
        yield from _listening(app, runs)


def _listening(app: FastAPI, runs: http.Runs) -> Iterator[str]:
    app.include_router(http.router(runs))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=5))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}{http.PATH}"
        finally:
            server.should_exit = True
            thread.join()


class Gate:
    """A file whose lock keeps the other release's process from its first note."""

    def __init__(self, path: Path) -> None:
        self.env = {"OTHER_RELEASE_GATE": str(path)}
        self._file = path.open("w")
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def open(self) -> None:
        self._file.close()


@contextmanager
def closed_gate(folder: Path) -> Iterator[Gate]:
    gate = Gate(folder / "gate")
    try:
        yield gate
    finally:
        gate.open()


def runs(tmp_path: Path, command: tuple[str, ...] = OTHER_RELEASE, **env: str) -> http.Runs:
    return http.Runs({"VALISE_DATA": str(tmp_path), **env}, command)


async def asked(url: str, **parameters: Any) -> httpx.Response:
    async with httpx.AsyncClient(timeout=120, trust_env=False, headers=HEADERS) as client:
        return await client.post(url, params=parameters)


def lines(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


async def releases(log: SqliteLog) -> list[int]:
    return [
        decode(ClassifiedNote, one.value or b"").classification.release
        async for batch in log.replay(CLASSIFIED.name)
        for one in batch
    ]


@pytest.mark.slow
async def test_a_dry_run_then_the_run_then_nothing_left(log: SqliteLog, tmp_path: Path) -> None:
    with served(runs(tmp_path)) as url:
        dry = lines(await asked(url, dry_run=True))[-1]["summary"]
        assert (dry["due"], dry["changed"], dry["published"]) == (NOTES, NOTES, 0)
        assert dry["tags"][0] == {"tag": "theme:travail", "added": NOTES, "removed": 0}
        assert await releases(log) == [RELEASE] * NOTES
        said = lines(await asked(url))
        assert said[0]["progress"]["step"] in ("read", "compare", "classify")
        assert all("progress" in line for line in said[:-1])
        assert said[-1]["summary"]["published"] == NOTES
        assert await releases(log) == [RELEASE] * NOTES + [OTHER] * NOTES
        again = lines(await asked(url))[-1]["summary"]
        assert (again["current"], again["published"]) == (NOTES, 0)


async def test_a_second_run_is_refused_and_a_client_that_leaves_stops_the_first(
    log: SqliteLog, tmp_path: Path
) -> None:
    with closed_gate(tmp_path) as gate, served(runs(tmp_path, **gate.env)) as url:
        async with (
            httpx.AsyncClient(timeout=120, trust_env=False, headers=HEADERS) as client,
            client.stream("POST", url) as answer,
        ):
            assert "progress" in json.loads(await anext(answer.aiter_lines()))
            second = await asked(url)
            assert second.status_code == 409
            assert second.headers["content-type"] == problems.MEDIA_TYPE
            assert "déjà en cours" in second.json()["detail"]
        gate.open()

        async def free() -> bool:
            return (await asked(url)).status_code == 200

        await eventually(free)
    assert sorted(await releases(log)) == [RELEASE] * NOTES + [OTHER] * NOTES


async def test_a_run_works_at_a_low_priority_and_ends_with_its_server(
    log: SqliteLog, tmp_path: Path
) -> None:
    with closed_gate(tmp_path) as gate:
        own = runs(tmp_path, **gate.env)
        run = await own.begin(dry_run=False)
        assert "progress" in json.loads(await run.line())
        niceness = os.getpriority(os.PRIO_PROCESS, run._process.pid)
        assert niceness == min(19, os.nice(0) + RECLASSIFY_NICENESS)
        began = time.monotonic()
        await own.stop()
        assert run.ended
    assert time.monotonic() - began < 5 * http.EXIT_SECONDS
    assert await releases(log) == [RELEASE] * NOTES


async def test_a_run_that_is_killed_is_said_to_be_and_the_next_one_goes_on(
    log: SqliteLog, tmp_path: Path
) -> None:
    with closed_gate(tmp_path) as gate:
        run = await runs(tmp_path, **gate.env).begin(dry_run=False)
        await run.line()
        run._process.kill()
        said = b""
        while line := await run.line():
            said = line
    assert "Le relancer" in json.loads(said)["problem"]["detail"]
    with served(runs(tmp_path)) as url:
        assert lines(await asked(url))[-1]["summary"]["published"] == NOTES


async def test_without_its_log_it_answers_503(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with served(runs(tmp_path / "file")) as url:
        answer = await asked(url)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "Le journal ne répond pas" in answer.json()["detail"]


async def test_a_process_that_cannot_work_is_a_problem(tmp_path: Path) -> None:
    with served(runs(tmp_path, (sys.executable, "-c", "raise SystemExit(3)"))) as url:
        answer = await asked(url)
    assert answer.status_code == 500
    assert answer.headers["content-type"] == problems.MEDIA_TYPE


async def test_a_web_page_cannot_start_it(tmp_path: Path) -> None:
    with served(runs(tmp_path)) as url:
        async with httpx.AsyncClient(trust_env=False, headers=HEADERS) as client:
            answer = await client.post(url, headers={"Origin": "https://example.org"})
    assert answer.status_code == 403


async def test_the_real_process_works_with_all_that_it_may(log: SqliteLog, tmp_path: Path) -> None:
    """The real classifier finds its own release on every note."""
    with served(runs(tmp_path, http.COMMAND)) as url:
        found = lines(await asked(url))[-1]["summary"]
    assert (found["release"], found["notes"], found["due"]) == (RELEASE, NOTES, 0)


async def test_processes_of_the_pool_give_the_tags_of_the_classifier(log: SqliteLog) -> None:
    from services.classify.child import pool
    from services.classify.reclassify import reclassify

    with pool() as executor:
        found = await reclassify(log, present, OTHER, dry_run=True, executor=executor)
    assert (found.due, found.changed) == (NOTES, 0)


async def test_the_pool_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    """Killed in the middle of work, it leaves nobody behind."""
    program = (
        "from services.classify.child import pool; import os, time\n"
        "if __name__ == '__main__':\n"
        "    p = pool(); print(p.submit(os.getpid).result(), flush=True); time.sleep(600)\n"
    )
    (tmp_path / "holds.py").write_text(program)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(tmp_path / "holds.py"),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    worker = int(await process.stdout.readline())
    process.kill()
    await process.wait()

    def gone() -> bool:
        state = Path(f"/proc/{worker}/stat")
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"

    await eventually(gone)
