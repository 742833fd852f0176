"""The release of the classifier: an integer that only rises, tied to all that decides.

`python -m services.classify.release` records the present content under the present release; a test
fails when what decides has changed and the release has not.
"""

import hashlib
import json
import sys
from importlib.resources import files

RELEASE = 5
"""Raise it by one with every change of lexicon, gazetteer, rules or weights that has been used."""

DECIDING = (
    "classifier.py",
    "countries.py",
    "evidence.py",
    "gazetteer.py",
    "inflect.py",
    "institutions.py",
    "lexicon.py",
    "linear.py",
    "matching.py",
    "matter.py",
    "ner.py",
    "organisations.py",
    "places.py",
    "tables.py",
    "text.py",
    "themes.py",
    "data/cities.txt",
    "data/countries.txt",
    "data/institutions.txt",
    "data/neutral.txt",
    "data/organisations.txt",
    "data/prefixes.txt",
    "data/regions.txt",
    "data/themes.txt",
    "data/themes_model.txt",
    "data/traps.txt",
)
PARTS = ("__init__.py", "ending.py", "letterhead.py", "lines.py", "quoted.py")
"""What tells a note's own text from the rest (services/runtime/parts)."""
_REFERENCE = ("countries.json", "posts.json", "themes.json")
_RECORD = "data/releases.json"


def fingerprint() -> str:
    """SHA-256 over all files that decide (the model's version stands in ner.py), in fixed order."""
    digest = hashlib.sha256()
    package, reference = files("services.classify"), files("schemas") / "data"
    for name in DECIDING:
        digest.update(f"{name}\n".encode() + (package / name).read_bytes() + b"\0")
    for name in PARTS:
        part = files("services.runtime.parts") / name
        digest.update(f"parts/{name}\n".encode() + part.read_bytes() + b"\0")
    for name in _REFERENCE:
        digest.update(f"{name}\n".encode() + (reference / name).read_bytes() + b"\0")
    return digest.hexdigest()


def recorded() -> dict[int, str]:
    """The fingerprint of every release so far."""
    text = (files("services.classify") / _RECORD).read_text(encoding="utf-8")
    return {int(number): value for number, value in json.loads(text)["releases"].items()}


def _record() -> None:
    known = {str(number): value for number, value in recorded().items()}
    known[str(RELEASE)] = fingerprint()
    content = {"provenance": "Written by python -m services.classify.release.", "releases": known}
    target = files("services.classify") / _RECORD
    with open(str(target), "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    _record()
    sys.stdout.write(f"release {RELEASE}: {fingerprint()}\n")
