"""The soak: its table says what was measured, its judge sees what is lost or doubled."""

import json
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.pipeline.corpus import samples
from tests.pipeline.deployments import Embedded
from tests.pipeline.test_kills import as_shown
from tools.soak import traffic
from tools.soak.table import BEGIN, END, table, written


def test_the_page_shows_exactly_the_rows_that_were_measured() -> None:
    page = (ROOT / "docs" / "soak.md").read_text(encoding="utf-8")
    rows = json.loads((ROOT / "docs" / "soak.json").read_text(encoding="utf-8"))
    assert written(page, list(rows.values())) == page
    assert table(list(rows.values())) in page


def test_a_page_without_a_place_for_the_table_is_an_error() -> None:
    with pytest.raises(ValueError, match="begin"):
        written(f"{END} nothing", [])
    assert written(f"a {BEGIN} old {END} b", []).startswith("a <!--")


@pytest.mark.parametrize(
    ("found", "lost", "doubled", "different"),
    [
        (["a", "b"], 0, 0, 0),
        (["a"], 1, 0, 0),
        (["a", "b", "b"], 0, 1, 0),
        (["a", "b", "other"], 0, 0, 1),
    ],
)
def test_the_judge_sees_what_is_lost_doubled_or_different(
    found: list[str],
    lost: int,
    doubled: int,
    different: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    from schemas.note import Note
    from services.classify.classifier import classify

    note = samples()[0]
    tags = classify(Note.model_validate(note)).model_dump(mode="json")
    hits = [
        {"id": name, "revision": 1}
        | {part: as_shown(tags[part]) for part in ("themes", "countries")}
        for name in found
    ]
    monkeypatch.setattr(traffic, "total", lambda _: len({"a", "b"}))
    monkeypatch.setattr(traffic, "every_hit", lambda _: iter(hits))
    monkeypatch.setattr(traffic, "parked", lambda _: 0)
    verdict = traffic.judge(Embedded(tmp_path), {"a": note, "b": note})
    assert (verdict.lost, verdict.doubled, verdict.different) == (lost, doubled, different)
    assert verdict.kept == (found == ["a", "b"])


def test_what_the_services_say_is_counted() -> None:
    logs = (
        "2026-03-04T10:00:00+0000 INFO x search: notes.classified: 3 duplicate, 4 indexed\n"
        "2026-03-04T10:00:01+0000 WARNING x search: waiting, then trying again: away\n"
        "2026-03-04T10:00:02+0000 INFO x search: notes.classified: 2 duplicate\n"
    )
    assert traffic.redone(logs) == 5
    assert traffic.loud(logs) == 1
