"""Original documents: the store, and what the registry knows of them; a post's own notes."""

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.answers import State
from services.runtime.errors import Unavailable
from services.runtime.originals import WRITING, Originals
from services.runtime.registry import DeadLetterRow, Key, Mark, OriginalRow, Registry
from tests.builders import a_note
from tests.runtime.registry_kit import own_schema, submission

WORD = "Réforme des retraites".encode()
ADDRESS = hashlib.sha256(WORD).hexdigest()
ORIGINAL = OriginalRow(ADDRESS, "Réforme.docx", "application/msword", len(WORD))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.live)])
def registry(
    request: pytest.FixtureRequest, tmp_path: Path, engine: Callable[[str], str]
) -> Iterator[Registry]:
    if request.param == "sqlite":
        found = Registry(f"sqlite:///{tmp_path / 'registry.sqlite3'}")
        found.migrate()
        yield found
        found.close()
        return
    with own_schema(engine("DATABASE")) as schema:
        found = Registry(schema)
        found.migrate()
        yield found
        found.close()


class TestStore:
    def test_a_document_comes_back_byte_for_byte_from_its_own_address(self, tmp_path: Path) -> None:
        store = Originals(tmp_path / "originals")
        assert store.get(ADDRESS) is None
        assert store.put(WORD) == ADDRESS
        assert store.get(ADDRESS) == WORD
        assert (tmp_path / "originals" / ADDRESS[:2] / ADDRESS[2:]).read_bytes() == WORD

    def test_the_same_document_is_kept_once_however_many_send_it(self, tmp_path: Path) -> None:
        store = Originals(tmp_path)
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(store.put, [WORD] * 40)) == {ADDRESS}
        assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [ADDRESS[2:]]

    def test_a_write_that_fails_leaves_nothing_under_the_address(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(_descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        store = Originals(tmp_path)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(Unavailable):
                store.put(WORD)
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
        assert store.put(WORD) == ADDRESS

    def test_what_a_crash_cut_short_is_written_again(self, tmp_path: Path) -> None:
        store = Originals(tmp_path)
        store.put(WORD)
        store.path(ADDRESS).write_bytes(WORD[:5])
        with pytest.raises(Unavailable, match="damaged"):
            store.get(ADDRESS)
        store.put(WORD)
        assert store.get(ADDRESS) == WORD

    def test_what_a_crash_left_half_written_is_swept_away(self, tmp_path: Path) -> None:
        store = Originals(tmp_path)
        store.sweep()
        store.put(WORD)
        left, in_hand = tmp_path / WRITING / "left", tmp_path / WRITING / "in hand"
        for path in (left, in_hand):
            path.write_bytes(WORD)
        os.utime(left, (0, 0))
        store.sweep()
        assert [path.name for path in (tmp_path / WRITING).iterdir()] == ["in hand"]
        assert store.get(ADDRESS) == WORD

    def test_a_removed_document_is_gone(self, tmp_path: Path) -> None:
        store = Originals(tmp_path)
        store.put(WORD)
        store.remove(ADDRESS)
        store.remove(ADDRESS)
        assert store.get(ADDRESS) is None

    @pytest.mark.parametrize("address", ["../../etc/passwd", "", "AB" * 32, "ab" * 31 + "/."])
    def test_nothing_but_an_address_names_a_file(self, tmp_path: Path, address: str) -> None:
        with pytest.raises(ValueError, match="SHA-256"):
            Originals(tmp_path).get(address)


class TestRegistry:
    def test_a_note_knows_its_original_and_the_first_one_stays(self, registry: Registry) -> None:
        (begun,) = registry.begin([submission()])
        assert registry.original(begun.note_id) is None
        registry.keep_original(begun.key, ORIGINAL)
        other = OriginalRow("0" * 64, "autre.docx", "application/msword", 3)
        registry.keep_original(begun.key, other)
        assert registry.original(begun.note_id) == ORIGINAL

    def test_an_unknown_revision_has_no_original(self, registry: Registry) -> None:
        (begun,) = registry.begin([submission()])
        registry.keep_original(Key(begun.note_id, 7), ORIGINAL)
        registry.keep_original(Key(a_note(reference="X").id, 1), ORIGINAL)
        assert registry.original(begun.note_id) is None
        assert registry.original(a_note(reference="X").id) is None

    def test_it_goes_with_a_note_that_the_log_could_never_take(self, registry: Registry) -> None:
        (begun,) = registry.begin([submission()])
        registry.keep_original(begun.key, ORIGINAL)
        registry.abandon(begun.key)
        registry.begin([submission()])
        assert registry.original(begun.note_id) is None

    def test_a_post_pages_through_its_notes_and_sees_which_were_set_aside(
        self, registry: Registry
    ) -> None:
        at = datetime.now(UTC)
        references = [f"BER-2026-{number:04}" for number in range(5)]
        begun = registry.begin([submission(reference=each) for each in reversed(references)])
        registry.begin([submission(post="madrid", reference="MAD-1")])
        keys = {each.note_id: each.key for each in begun}
        registry.mark_received(list(keys.values()))
        ids = [a_note(reference=each).id for each in references]
        registry.mark_indexed([Mark(ids[0], 1, State.INDEXED, at)])
        value = f'{{"note_id": "{ids[1]}", "revision": 1}}'.encode()
        registry.park(DeadLetterRow("notes.submitted/0/1", "classify", "too long", at, value=value))

        first = registry.of_post("berlin", limit=3)
        rest = registry.of_post("berlin", after=first[-1].reference, limit=3)
        assert [each.reference for each in [*first, *rest]] == references
        assert [each.state for each in first] == [State.INDEXED, State.PARKED, State.RECEIVED]
        assert first[1].parked_reason == "too long"
        (aside,) = registry.of_post("berlin", states=[State.PARKED])
        assert aside.note_id == ids[1]
        (one,) = registry.of_post("berlin", reference=references[4])
        assert one.note_id == ids[4]
