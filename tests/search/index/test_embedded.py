"""The embedded index keeps what it took through crashes, damage and a second process."""

import asyncio
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from schemas.query import Sort
from services.runtime.errors import Misconfigured, Unavailable
from services.search.index import Applied
from services.search.index import embedded as adapter
from services.search.index.embedded import TantivyIndex
from tests.builders import a_classified_note, a_note
from tests.conftest import ROOT
from tests.search.index.corpus import ROWS, asked, corpus
from tests.search.index.writer_process import BATCH


async def opened(folder: Path) -> TantivyIndex:
    index = TantivyIndex(folder)
    await index.start()
    return index


async def filled(folder: Path) -> str:
    """Fill an index in that folder; its generation."""
    index = await opened(folder)
    await index.apply(corpus())
    await index.stop()
    return index.generation


def folders(parent: Path) -> list[str]:
    """The folders of the index, without the time stamps of those set aside."""
    return sorted(entry.name.partition("-")[0] for entry in parent.iterdir())


def writer(folder: Path, batches: int, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.search.index.writer_process", str(folder), str(batches)]
    return subprocess.Popen([*command, *more], stdout=subprocess.PIPE, text=True, cwd=ROOT)


async def test_what_was_applied_is_there_after_the_process_was_killed(tmp_path: Path) -> None:
    chance = random.Random(2026)
    folder = tmp_path / "index"
    promised = -1
    generations = set()
    for _ in range(3):
        with writer(folder, 10_000) as process:
            assert process.stdout is not None
            first = int(process.stdout.readline())
            assert first == 0
            await asyncio.sleep(chance.uniform(0.05, 0.3))
            process.kill()
            promised = max(
                promised, *(int(line) for line in process.stdout if line.endswith("\n")), 0
            )
        index = await opened(folder)
        generations.add(index.generation)
        held = await index.count()
        assert held >= (promised + 1) * BATCH
        assert held % BATCH == 0, "a batch is there whole or not at all"
        again = a_classified_note(a_note(reference="BER-0-0"))
        assert await index.apply([again]) == [Applied.DUPLICATE]
        page = await index.search(asked("retraite", sort=Sort.DATE))
        assert page.total == held
        await index.stop()
    assert len(generations) == 1


async def test_a_full_disk_refuses_a_batch_and_takes_it_again_later(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    with writer(folder, 3, "2000") as process:
        assert process.stdout is not None
        assert process.stdout.read().split() == ["full", "0", "1", "2"]
    index = await opened(folder)
    assert await index.count() == 3 * BATCH
    await index.stop()


async def test_a_second_process_on_the_folder_gets_a_clear_error(tmp_path: Path) -> None:
    first = await opened(tmp_path / "index")
    await first.apply(corpus())
    with pytest.raises(Misconfigured, match="employé par un autre processus"):
        await opened(tmp_path / "index")
    assert await first.count() == len(ROWS)
    await first.stop()
    second = await opened(tmp_path / "index")
    assert await second.count() == len(ROWS)
    await second.stop()


@pytest.mark.parametrize("damage", ["meta.json", "valise.json", "*.store", "*.term", "*.fast"])
async def test_a_damaged_folder_is_set_aside_and_the_index_begins_anew(
    tmp_path: Path, damage: str
) -> None:
    folder = tmp_path / "index"
    before = await filled(folder)
    for file in folder.glob(damage):
        file.write_bytes(file.read_bytes()[:10])
    index = await opened(folder)
    assert index.generation != before
    assert await index.apply(corpus()) == [Applied.INDEXED] * len(ROWS)
    await index.refresh()
    assert (await index.search(asked("retraites"))).total == 3
    await index.stop()
    assert folders(tmp_path) == ["index", "index.aside"]


async def test_a_folder_of_another_version_is_set_aside(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    before = await filled(folder)
    (folder / "valise.json").write_text(json.dumps({"fingerprint": "older"}), encoding="utf-8")
    index = await opened(folder)
    assert index.generation != before
    assert await index.count() == 0
    await index.stop()
    assert folders(tmp_path) == ["index", "index.aside"]


async def test_a_folder_in_use_is_never_set_aside(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    first = await opened(folder)
    (folder / "valise.json").write_text("{}", encoding="utf-8")
    with pytest.raises(Misconfigured, match="employé"):
        await opened(folder)
    assert folders(tmp_path) == ["index"]
    await first.stop()


async def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="inutilisable"):
        await opened(tmp_path / "file" / "index")


async def test_a_closed_index_says_that_it_is_away(tmp_path: Path) -> None:
    index = TantivyIndex(tmp_path / "index")
    assert not await index.ready()
    for call in (
        index.apply(corpus()), index.search(asked()), index.count(), index.refresh(),
        index.get(corpus()[0].note_id), index.forget([corpus()[0].note_id]),
    ):  # fmt: skip
        with pytest.raises(Unavailable):
            await call
    await index.stop()


async def test_searches_and_writes_at_the_same_time_disturb_no_one(tmp_path: Path) -> None:
    index = await opened(tmp_path / "index")
    notes = [a_classified_note(a_note(reference=f"BER-{n}")) for n in range(200)]

    async def write(part: int) -> None:
        for at in range(part, 200, 40):
            await index.apply(notes[at : at + 10])

    async def read() -> None:
        for _ in range(20):
            page = await index.search(asked("retraites"))
            assert page.total % 10 == 0

    await asyncio.gather(*(write(part) for part in range(0, 40, 10)), read(), read())
    await index.refresh()
    assert (await index.search(asked("retraites"))).total == 200
    await index.stop()


async def test_snapshots_are_dropped_when_no_cursor_can_need_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = await opened(tmp_path / "index")
    await index.apply(corpus())
    clock = [time.monotonic()]
    monkeypatch.setattr(adapter.time, "monotonic", lambda: clock[0])
    cursor = (await index.search(asked("travail", size=1))).next
    for minute in range(1, 9):
        clock[0] += 60
        await index.apply([a_classified_note(a_note(), revision=minute)])
        await index.search(asked("travail", size=1))
    assert len(index._lent) == 9
    assert (await index.search(asked("travail", size=1, cursor=cursor))).hits, "8 minutes old"
    clock[0] += 3 * 60
    assert len(index._lent) == 9
    with pytest.raises(adapter.CursorExpired):
        await index.search(asked("travail", size=1, cursor=cursor))
    assert len(index._lent) < 9
    await index.stop()
