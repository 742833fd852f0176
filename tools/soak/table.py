"""The table of docs/soak.md, from the rows that the faults left."""

from collections.abc import Sequence
from typing import Any

BEGIN = "<!-- soak: begin -->"
END = "<!-- soak: end -->"

HEAD = (
    "| fault | promised | notes | lost | doubled | other tags | dead letters | redone "
    "| warnings | what was seen | kept | seed | date |",
    "|" + " --- |" * 13,
)


def written(page: str, rows: Sequence[dict[str, Any]]) -> str:
    """The page with its table replaced. Raises ValueError where the page has no place for it."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page has no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n{table(rows)}\n{END}{after}"


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows in Markdown."""
    return "\n".join([*HEAD, *map(line, rows)])


def line(row: dict[str, Any]) -> str:
    """One row in Markdown."""
    cells = (
        row["fault"],
        row["promised"],
        row["accepted"],
        row["lost"],
        row["doubled"],
        row["different"],
        row["parked"],
        row["redone"],
        row["loud"],
        "; ".join(row["remarks"]),
        "yes" if row["kept"] else "**no**",
        row["seed"],
        row["date"],
    )
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
