"""`python -m evaluation.documents`: sends forty documents to a deployment of its own, says what was
read wrongly, and writes the table in docs/quality.md with `--write`.
"""

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from evaluation.documents.folder import documents
from evaluation.documents.making import chromium
from evaluation.documents.measure import FIELDS, Figures, measure

PAGE = Path(__file__).resolve().parents[2] / "docs" / "quality.md"
BEGIN, END = "<!-- documents: begin -->", "<!-- documents: end -->"


def main() -> None:
    """Measure, print the errors and the table, and write it where that is asked for."""
    sent = documents()
    if chromium() is None:
        sent = [each for each in sent if isinstance(each.data, bytes)]
        print("No Chromium here: the PDFs are left out.")
    with tempfile.TemporaryDirectory() as folder:
        found = measure(sent, Path(folder, "data"))
    print(*found.errors, sep="\n")
    table = _table(found)
    print(table)
    if "--write" in sys.argv[1:]:
        page = PAGE.read_text(encoding="utf-8")
        before, _, rest = page.partition(BEGIN)
        _, _, after = rest.partition(END)
        PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")


def _table(found: Figures) -> str:
    day = datetime.now(UTC).date().isoformat()
    lines = [
        f"Measured {day}, `python -m evaluation.documents`: {found.files} documents, {found.notes} "
        f"notes; {found.whole} documents without any error.",
        "",
        "| field | right | wrong | where there is something to say |",
        "| --- | --- | --- | --- |",
        *(
            f"| {name} | {found.right[name]} | {found.notes - found.right[name]} | "
            f"{found.said_right[name]} of {found.said[name]} |"
            for name in FIELDS
        ),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
