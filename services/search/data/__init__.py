"""The index's tables: analysis, fields and boosts, each value described in its file."""

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def table(name: str) -> Any:
    """The content of `<name>.json` in this folder."""
    return json.loads((files(__package__) / f"{name}.json").read_text(encoding="utf-8"))


def boost(name: str) -> float:
    """One of the weights of boosts.json."""
    return float(table("boosts")[name]["value"])


def field_kinds() -> dict[str, str]:
    """The kind of every indexed field, by name."""
    return {name: field["kind"] for name, field in table("fields")["fields"].items()}
