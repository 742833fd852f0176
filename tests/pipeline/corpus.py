"""Many different notes from a few: sentences of the sample notes, recombined from a seed."""

import json
import random
import re
from typing import Any

from tests.conftest import ROOT

SAMPLES = ROOT / "samples" / "notes.jsonl"


def samples() -> list[dict[str, Any]]:
    """The sample notes, as submitted."""
    return [json.loads(line) for line in SAMPLES.read_text(encoding="utf-8").splitlines()]


def many(number: int, seed: int, prefix: str = "K") -> list[dict[str, Any]]:
    """That many notes, each with a reference and a body of its own, the same for the same seed."""
    chance = random.Random(seed)
    known = samples()
    sentences = [
        sentence for note in known for sentence in re.split(r"(?<=[.!?])\s+", note["body"])
    ]
    notes = []
    for number_of_note in range(number):
        model = chance.choice(known)
        body = " ".join(chance.sample(sentences, chance.randint(3, 12)))
        notes.append(
            model
            | {
                "reference": f"{prefix}-{seed}-{number_of_note:05}",
                "subject": chance.choice(known)["subject"],
                "body": f"{body} Dossier numéro{number_of_note:05}.",
            }
        )
    return notes
