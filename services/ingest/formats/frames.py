"""What goes between a service and the process that reads a file: JSON and bytes, each with its
length.

JSON, not pickled objects: what comes back was made next to a hostile file, and may only be data.
"""

import json
import struct
from typing import Any

HEAD = struct.Struct(">QQ")
"""Lengths of the JSON and of the bytes behind it."""


def head(said: dict[str, Any], size: int) -> bytes:
    """A message as bytes, up to where its `size` bytes of data begin."""
    text = json.dumps(said, ensure_ascii=False).encode("utf-8", "replace")
    return HEAD.pack(len(text), size) + text


def frame(said: dict[str, Any], data: bytes = b"") -> bytes:
    """A message as bytes."""
    return head(said, len(data)) + data
