"""The journal goes through an expunging, a backup and a restoration whole."""

import asyncio
from pathlib import Path

from schemas.journal import JournalCheck
from services.runtime import backup
from services.runtime.access import keys
from services.runtime.journal.check import Check
from services.runtime.registry import JournalFilter, Registry
from tests.builders import a_classified_note, a_note
from tests.contract.log_places import eventually
from tests.search.desk import open_desk

NOTE = a_classified_note(a_note())


def checked(registry: Registry) -> JournalCheck:
    check = Check(registry.journal_anchor())
    check.feed(registry.journal_after(0, 10**9, 10**6))
    return check.result()


async def test_an_expunging_leaves_the_chain_whole_and_of_the_note_its_id_alone(
    tmp_path: Path,
) -> None:
    path = f"/api/v1/notes/{NOTE.note_id}"
    async with open_desk(tmp_path) as desk:
        desk.receive(NOTE)
        await desk.write("notes.classified", NOTE.note_id, NOTE)
        await eventually(lambda: desk.index.get(NOTE.note_id))
        assert (await desk.http.get(path)).status_code == 200
        done = await desk.http.post(f"{path}/expunge", json={"reason": f"Clé {keys.new()}"})
        assert done.status_code in (200, 202), done.text
        expunged, read = desk.registry.journal_page(JournalFilter(object=str(NOTE.note_id)))
        assert read.draft.details == '{"revision":1,"what":"note"}'
        assert expunged.draft.details == '{"reason":"Clé valise_…","what":"expunged"}'
        assert done.json()["reason"] == "Clé valise_…"
        assert checked(desk.registry).whole


async def test_a_backup_holds_the_journal_and_a_restoration_brings_it_back(
    tmp_path: Path,
) -> None:
    data, kept, new = tmp_path / "data", tmp_path / "backup", tmp_path / "new"
    data.mkdir()
    async with open_desk(data) as desk:
        for words in ("retraite", "santé"):
            await desk.http.get("/api/v1/search", params={"q": words})
        noted = (await desk.http.get("/api/v1/journal/verify")).json()
        assert noted["whole"]
        source = backup.Source(data / "log.sqlite3", data / "registry.sqlite3", data / "originals")
        await asyncio.to_thread(backup.save, source, kept)
        head = desk.registry.journal_head()
    backup.restore(kept, new)
    registry = Registry(f"sqlite:///{new / backup.REGISTRY}")
    found = checked(registry)
    registry.close()
    assert (found.whole, found.entries, found.head) == (True, 3, str(head))
