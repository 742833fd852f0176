"""P13: the worst hostile text of 80 KB, against an ordinary note of 80 KB."""

import random
import time

from benchmarks.engines import Engines
from benchmarks.notes import LONGEST_BYTES, long_body
from benchmarks.pairs import Measured, Pairs, Scale
from services.classify.classifier import classify_texts, warm_up

GOAL = 20.0
HOSTILE = {
    "brackets": "(",
    "equal signs": "=",
    "articles": "l'",
    "combining marks": "e\u0301\u0301\u0301",
    "one endless word": "a",
    "one country": "allemand ",
    "doubtful names": "à Maurice ",
    "doubtful names, apart": "à Maurice. Il pleut. ",
    "a term in capitals": "LAMal ",
    "comparisons": "comme en ",
    "broken words": "a-\n",
    "blank lines": "\n ",
    "turned directions": "\u202e",
    "joined countries": "Allemagne-",
    "opening quotes": "« “ ",
}


def measure(scale: Scale, engines: Engines) -> list[Measured]:
    """One result: the slowest text's time in ordinary notes' times, the median of the pairs."""
    del engines
    warm_up()
    ordinary = long_body(random.Random(13), LONGEST_BYTES)
    texts = {name: (piece * LONGEST_BYTES)[:LONGEST_BYTES] for name, piece in HOSTILE.items()}
    worst: dict[str, Pairs] = {}
    for name, text in texts.items():
        found = [(_seconds(text), _seconds(ordinary)) for _ in range(scale.pairs)]
        worst[name] = Pairs([a for a, _ in found], [b for _, b in found])
    slowest = max(worst, key=lambda name: worst[name].ratio)
    pairs = worst[slowest]
    return [
        Measured("P13", "worst 80 KB ÷ ordinary 80 KB", pairs.ratio, GOAL, better="lower",
                 figures=pairs.figures("s", "ordinary") | {"worst": slowest, "texts": len(texts)})
    ]  # fmt: skip


def _seconds(text: str) -> float:
    before = time.process_time()
    classify_texts("Réforme des retraites", text)
    return time.process_time() - before
