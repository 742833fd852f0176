"""Labelled texts with their themes, and how found themes are counted against them.

Records are JSON Lines: `id`, `title`, `text`, `labels` (themes), and where known `maybe` (themes
that the label neither asserts nor excludes), `single_label` (the source gives one heading only),
`source`. `valise corrections export` writes the same.
"""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.vocabulary import themes

HERE = Path(__file__).resolve().parent
GOLD = HERE / "gold.jsonl"
BESIDE = HERE.parent.parent / "shared" / "data" / "eval"


@dataclass(frozen=True, slots=True)
class Record:
    """A labelled text. `source` is the first part of its id, unless the record names another."""

    id: str
    title: str
    text: str
    labels: frozenset[str]
    maybe: frozenset[str]
    single_label: bool
    source: str


@dataclass(slots=True)
class Counts:
    """Themes found rightly, wrongly, and missed, over all themes of some records (micro)."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        """The share of the themes found that are right; 0 where none was found."""
        return self.right / (self.right + self.wrong) if self.right else 0.0

    @property
    def recall(self) -> float:
        """The share of the labels found; 0 where there is none."""
        return self.right / (self.right + self.missed) if self.right else 0.0

    @property
    def f1(self) -> float:
        """Their harmonic mean."""
        return 2 * self.right / (2 * self.right + self.wrong + self.missed) if self.right else 0.0

    def add(self, record: Record, found: Iterable[str]) -> None:
        """Count what was found in a record: a theme of `maybe` is neither right nor wrong, and one
        beside a single label is no error.
        """
        given = frozenset(found)
        self.right += len(given & record.labels)
        self.missed += len(record.labels - given)
        if not (record.single_label and record.labels):
            self.wrong += len(given - record.labels - record.maybe)


@dataclass(slots=True)
class BySource:
    """Counts of each source."""

    counts: dict[str, Counts] = field(default_factory=dict)

    def add(self, record: Record, found: Iterable[str]) -> None:
        """Count what was found in a record under its source."""
        self.counts.setdefault(record.source, Counts()).add(record, found)


def data_folder() -> Path | None:
    """The folder of labelled texts (`VALISE_EVAL_DATA`, else ../shared/data/eval), or None."""
    folder = Path(os.environ.get("VALISE_EVAL_DATA") or BESIDE)
    return folder if (folder / "themes.jsonl").is_file() else None


def read(path: Path) -> list[Record]:
    """The records of a file. Raises ValueError with the line where one is not such a record."""
    found = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    found.append(record(json.loads(line)))
                except (ValueError, KeyError, TypeError) as error:
                    raise ValueError(f"{path.name}, line {number}: {error!r}") from None
    return found


def record(given: dict[str, Any]) -> Record:
    """A record from its JSON object: themes in `labels` or `themes`; `subject` and `body` do for
    `title` and `text`. Raises ValueError on an unknown theme, KeyError where labels are missing.
    """
    labels = frozenset(
        _theme(code) for code in (given["labels"] if "labels" in given else given["themes"])
    )
    maybe = frozenset(_theme(code) for code in given.get("maybe") or ())
    return Record(
        id=str(given["id"]),
        title=given.get("title", given.get("subject")) or "",
        text=given.get("text", given.get("body")) or "",
        labels=labels,
        maybe=maybe - labels,
        single_label=bool(given.get("single_label")),
        source=_source(given),
    )


def sources(records: Sequence[Record]) -> list[str]:
    """The sources of these records, in their alphabetical order."""
    return sorted({one.source for one in records})


def _source(given: dict[str, Any]) -> str:
    prefix = str(given["id"]).partition("-")[0]
    if given.get("source") == "corrections":
        return "corrections"
    return {"f": "field"}.get(prefix, prefix)


def _theme(code: str) -> str:
    theme = code.partition(".")[0]
    if theme not in themes():
        raise ValueError(f"unknown theme {code!r}")
    return theme
