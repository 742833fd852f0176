"""The store of original documents: what a post sent, byte for byte, under its SHA-256.

A folder: of the data folder in the embedded deployment, a mounted volume (`VALISE_ORIGINALS`) that
all processes of ingest share in the distributed one. A document is written once, however often it
is sent; which revision it belongs to, the registry knows.
"""

import hashlib
import os
import re
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from services.runtime.errors import Unavailable
from services.runtime.reasons import away

WRITING = ".writing"
"""Subfolder of what is being written."""
LEFT_SECONDS = 3600.0
"""What is older there was left by a crash: the largest document is written in a second."""

_ADDRESS = re.compile("[0-9a-f]{64}")


class Originals:
    """The store in that folder, which is made when first needed. Its methods block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, content: bytes) -> str:
        """Keep these bytes; their address. When this returns they are on the disk.

        Written beside and renamed: whoever reads, and whatever crashes, sees all or nothing.
        Raises Unavailable where the folder does not take them.
        """
        address = hashlib.sha256(content).hexdigest()
        path = self.path(address)
        try:
            if path.is_file() and path.read_bytes() == content:
                _sync(path.parent)  # whoever wrote it may not have come that far
                return address
            beside = self._folder / WRITING
            _make(beside, self._folder)
            _make(path.parent, self._folder)
            _write(path, content, beside)
        except OSError as error:
            raise away(f"the original cannot be kept: {error}", error) from error
        return address

    def get(self, address: str) -> bytes | None:
        """The bytes under that address; None where there are none.

        Raises Unavailable where the folder cannot be read, or holds other bytes there.
        """
        try:
            content = self.path(address).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable(f"the original cannot be read: {error}") from error
        if hashlib.sha256(content).hexdigest() != address:
            raise Unavailable(f"the original {address} is damaged on the disk")
        return content

    def remove(self, address: str) -> None:
        """Forget the bytes under that address, if any. Raises Unavailable."""
        path = self.path(address)
        try:
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                _sync(path.parent)
        except OSError as error:
            raise Unavailable(f"the original cannot be removed: {error}") from error

    def sweep(self) -> None:
        """Remove what a crash left half written. Raises Unavailable."""
        try:
            for left in (self._folder / WRITING).glob("*"):
                with suppress(FileNotFoundError):
                    if time.time() - left.stat().st_mtime > LEFT_SECONDS:
                        left.unlink()
        except OSError as error:
            raise Unavailable(f"the store of originals cannot be read: {error}") from error

    def path(self, address: str) -> Path:
        """The file of that address, `ab/cdef…`. Raises ValueError for what is no address."""
        if not _ADDRESS.fullmatch(address):
            raise ValueError("not a SHA-256 in hexadecimal")
        return self._folder / address[:2] / address[2:]


def _make(folder: Path, root: Path) -> None:
    """The folder, its name durable in the one above."""
    if folder.is_dir():
        return
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.mkdir(exist_ok=True, mode=0o700)
    _sync(root)


def _write(path: Path, content: bytes, folder: Path) -> None:
    descriptor, beside = tempfile.mkstemp(dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(beside).unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
