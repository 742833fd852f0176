"""`make eval`: measures the classifier's quality and writes docs/quality.md's tables.

The tables stand between markers in the page and as data in evaluation/results.json.
"""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from evaluation import countries, themes
from services.classify.release import RELEASE

HERE = Path(__file__).resolve().parent
DATA = HERE / "results.json"
PAGE = HERE.parent / "docs" / "quality.md"
BEGIN, END = "<!-- eval: begin -->", "<!-- eval: end -->"


def main() -> None:
    """Measure, write, and print the worst errors, to be read by eye."""
    try:
        ways, bins, worst = themes.measure()
    except FileNotFoundError as error:
        sys.exit(str(error))
    about = countries.measure()
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "release": RELEASE,
        "themes": [
            {
                "way": way.name,
                "not seen": way.held_out,
                "f1": {
                    name: round(one.f1, 3) for name, one in sorted(way.by_source.counts.items())
                },
                "precision": {
                    name: round(one.precision, 3)
                    for name, one in sorted(way.by_source.counts.items())
                },
                "recall": {
                    name: round(one.recall, 3) for name, one in sorted(way.by_source.counts.items())
                },
            }
            for way in ways
        ],
        "calibration": [[round(score, 3), round(right, 3), count] for score, right, count in bins],
        "countries": [
            {
                "source": row.source,
                "what": row.what,
                "value": round(row.value, 3),
                "texts": row.texts,
            }
            for row in about
        ],
    }
    DATA.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    PAGE.write_text(f"{head}{BEGIN}\n{tables(result)}{END}{tail}", encoding="utf-8")
    sys.stdout.write("\n".join(worst) + "\n" + tables(result))


def tables(result: dict[str, object]) -> str:
    """The figures as tables of Markdown."""
    found: list[dict[str, dict[str, float]]] = result["themes"]  # type: ignore[assignment]
    names = sorted({name for way in found for name in way["f1"]})
    rows = [["themes, micro F1", "not seen", *names]]
    rows += [
        [str(way["way"]), str(way["not seen"]), *(f"{way['f1'].get(name, ''):}" for name in names)]
        for way in found
    ]
    places: list[dict[str, object]] = result["countries"]  # type: ignore[assignment]
    bins: list[list[float]] = result["calibration"]  # type: ignore[assignment]
    return (
        f"Measured {result['date']}, release {result['release']}, `make eval`.\n\n"
        + _table(rows)
        + "\n"
        + _table(
            [["countries", "what", "value", "texts"]]
            + [[str(row[key]) for key in ("source", "what", "value", "texts")] for row in places]
        )
        + "\n"
        + _table(
            [["score of a theme, mean", "right", "scores"]]
            + [[f"{score:.2f}", f"{right:.2f}", f"{count:.0f}"] for score, right, count in bins]
        )
    )


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = [" | ".join(row) for row in rows]
    lines.insert(1, " | ".join("---" for _ in rows[0]))
    return "".join(f"| {line} |\n" for line in lines)


if __name__ == "__main__":
    main()
