"""A release after the present one, which also finds *travail* in every note; and its process.

    python -m tests.classify.other_release [--dry-run]

With OTHER_RELEASE_GATE set to a file, no note is classified while somebody else has it locked.
"""

import fcntl
import os
import sys
from pathlib import Path

from schemas.classification import Classification, Evidence, ThemeTag
from schemas.note import Note
from services.classify import child
from services.classify.classifier import classify as present
from services.classify.release import RELEASE
from services.runtime.settings import Settings

OTHER = RELEASE + 1


def classify(note: Note) -> Classification:
    """The present tags and *travail*, its evidence the whole subject."""
    _gate()
    found = present(note)
    passage = Evidence(
        field="subject", start=0, end=len(note.subject), text=note.subject, source="test:other"
    )
    others = tuple(tag for tag in found.themes if tag.theme != "travail")
    added = ThemeTag(theme="travail", score=0.9, evidence=(passage,))
    return found.model_copy(update={"release": OTHER, "themes": (*others, added)})


def _gate() -> None:
    if path := os.environ.get("OTHER_RELEASE_GATE"):
        with Path(path).open() as gate:
            fcntl.flock(gate, fcntl.LOCK_SH)


if __name__ == "__main__":
    sys.exit(
        child.reclassify_all(
            Settings.from_env(os.environ),
            dry_run="--dry-run" in sys.argv,
            classify=classify,
            release=OTHER,
        )
    )
