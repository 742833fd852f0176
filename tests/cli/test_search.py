"""`valise search`: what a page of results says in a terminal."""

from typing import Any

from services.cli.search import as_text
from services.search.document import documents
from tests.builders import a_classified_note, a_note


def said(**marks: Any) -> list[str]:
    hit = documents(a_classified_note(a_note()))[0]["hit"]
    hit = {name: hit[name] for name in hit if name not in ("marking", "special_france")}
    shown = hit | {"highlights": {"body": []}} | marks
    page = {"total": 1, "took_ms": 3, "relaxed": False, "hits": [shown], "next": None}
    return as_text(page)


def test_the_marks_of_a_note_stand_beside_its_date() -> None:
    both = said(marking="diffusion_restreinte", special_france=True)
    assert " · 2026-03-04 · Diffusion restreinte · Spécial France · " in both[3]
    plain = said(marking="non_protege", special_france=False)
    # So does a hit of a service that does not give them, or that does not know them.
    assert plain == said() == said(marking=None, special_france=None)
    assert plain[3].count(" · ") == 3
