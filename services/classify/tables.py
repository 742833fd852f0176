"""The data files of the classifier: tables that an analyst can read and edit."""

from collections.abc import Iterator
from importlib.resources import files

COLUMN = "|"
ITEM = ";"


def rows(name: str) -> Iterator[dict[str, str]]:
    """The rows of `data/<name>`: `#` lines are comments, the first other line names the columns.

    Raises ValueError, with file and line, where a row has more cells than the table has columns.
    """
    columns: list[str] = []
    lines = (files("services.classify") / "data" / name).read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split(COLUMN)]
        if not columns:
            columns = cells
            continue
        if any(cells[len(columns) :]):
            raise ValueError(f"{name}, line {number}: more cells than columns")
        cells += [""] * (len(columns) - len(cells))
        yield dict(zip(columns, cells, strict=False))


def items(cell: str) -> tuple[str, ...]:
    """The entries of a cell, in their order."""
    return tuple(item.strip() for item in cell.split(ITEM) if item.strip())
