"""Releases: what decides does not change under one number, and data say where they come from."""

from importlib.resources import files

import pytest

from services.classify.classifier import classify_texts
from services.classify.release import DECIDING, RELEASE, fingerprint, recorded


def test_what_decides_has_not_changed_since_its_release_was_recorded() -> None:
    assert recorded()[RELEASE] == fingerprint(), (
        "lexicon, gazetteer, rules or weights have changed: raise RELEASE where the present one "
        "has been used, then run python -m services.classify.release"
    )


def test_releases_only_rise() -> None:
    assert max(recorded()) == RELEASE
    assert sorted(recorded()) == list(range(1, RELEASE + 1))


def test_every_tag_set_names_its_release() -> None:
    assert classify_texts("", "").release == RELEASE


def test_no_deciding_file_is_left_out_of_the_fingerprint() -> None:
    package = files("services.classify")
    here = {file.name for file in package.iterdir() if file.name.endswith(".py")}
    data = {f"data/{file.name}" for file in (package / "data").iterdir()}
    elsewhere = {
        *("__init__.py", "app.py", "child.py", "handlers.py", "http.py", "jsonl.py"),
        *("preview.py", "reclassify.py", "release.py", "views.py"),
    }
    assert set(DECIDING) == (here - elsewhere) | (data - {"data/releases.json"})


@pytest.mark.parametrize("name", [name for name in DECIDING if name.startswith("data/")])
def test_every_data_file_says_where_it_comes_from(name: str) -> None:
    text = (files("services.classify") / name).read_text(encoding="utf-8")
    assert "Provenance:" in text.partition("\n\n")[0]
