"""The classify process of the embedded deployment: works, stops when told, ends with its parent."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from schemas.events import ClassifiedNote, decode, encode
from schemas.topics import ALL, CLASSIFIED, SUBMITTED
from services.classify.child import LOG_FILE, NICENESS
from services.runtime.log import Entry, Record
from services.runtime.log.sqlite import SqliteLog
from tests.builders import a_note, an_event

WITHIN = 60.0
"""Bound of every wait; the process takes about five seconds to load its model."""

Start = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def begin() -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-m", "services.classify.child"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "VALISE_DATA": str(tmp_path)},
            cwd=Path(__file__).parents[2],
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


async def submit(log: SqliteLog, *references: str) -> None:
    events = [an_event(a_note(reference=reference)) for reference in references]
    await log.append(
        SUBMITTED.name,
        [Entry(key=str(event.note_id).encode(), value=encode(event)) for event in events],
    )


async def classified(log: SqliteLog, count: int) -> list[Record]:
    """The records of notes.classified, once there are so many."""
    until = time.monotonic() + WITHIN
    while True:
        found = [one async for batch in log.replay(CLASSIFIED.name) for one in batch]
        if len(found) >= count or time.monotonic() > until:
            return found
        await asyncio.sleep(0.05)


@pytest.fixture
async def log(tmp_path: Path) -> SqliteLog:
    log = SqliteLog(tmp_path / LOG_FILE)
    await log.provision(ALL)
    return log


async def test_it_classifies_at_a_lower_priority_and_stops_when_told(
    log: SqliteLog, start: Start
) -> None:
    process = start()
    await submit(log, "BER-1", "BER-2", "BER-3")
    found = await classified(log, 3)
    references = [decode(ClassifiedNote, one.value or b"").note.reference for one in found]
    assert references == ["BER-1", "BER-2", "BER-3"]
    assert os.getpriority(os.PRIO_PROCESS, process.pid) == min(19, os.nice(0) + NICENESS)
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, WITHIN) == 0
    await log.stop()


async def test_it_ends_when_its_parent_is_gone(log: SqliteLog, start: Start) -> None:
    process = start()
    await submit(log, "BER-1")
    assert len(await classified(log, 1)) == 1
    assert process.stdin is not None
    process.stdin.close()
    process.stdin = None
    assert await asyncio.to_thread(process.wait, WITHIN) == 0
    await log.stop()


async def test_a_killed_process_loses_no_note(log: SqliteLog, start: Start) -> None:
    references = [f"BER-{number}" for number in range(300)]
    process = start()
    await submit(log, *references)
    assert await classified(log, 1)
    process.kill()
    await asyncio.to_thread(process.wait, WITHIN)
    start()
    until = time.monotonic() + WITHIN
    seen: set[str] = set()
    while len(seen) < len(references) and time.monotonic() < until:
        records = await classified(log, 1)
        seen = {decode(ClassifiedNote, one.value or b"").note.reference for one in records}
        await asyncio.sleep(0.05)
    assert seen == set(references)
    await log.stop()


def test_a_wrong_setting_stops_it_with_one_line(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "services.classify.child"],
        check=False,
        capture_output=True,
        env={**os.environ, "VALISE_DATA": str(tmp_path), "VALISE_LOG_LEVEL": "loud"},
        cwd=Path(__file__).parents[2],
        timeout=WITHIN,
    )
    assert ended.returncode == 1
    assert ended.stderr.decode().startswith("VALISE_LOG_LEVEL")
    assert len(ended.stderr.splitlines()) == 1
