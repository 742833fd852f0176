"""The file with the embedded deployment's first key, for the command on the same machine."""

from pathlib import Path

NAME = "admin.key"
"""In the data folder."""


def read_key(path: Path) -> str | None:
    """The key in that file; None where there is none that this user can read."""
    try:
        return path.read_text(encoding="utf-8-sig").strip() or None
    except (OSError, UnicodeDecodeError):
        return None
