"""What another process of the same user sees of a process, where neither has an administrator's
rights: with them, it would see all, or those of the process would hide it.

`python -m tests.security.looking <program> …` runs a program without such rights.
"""

import ctypes
import os
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_RIGHTS = (sys.executable, "-m", "tests.security.looking")
_LOOK = "import sys; from tests.security import looking; looking.look(int(sys.argv[1]))"


@dataclass(frozen=True)
class Seen:
    """The environment that it read, and whether it could open the memory."""

    environment: bytes
    memory: bool


def looked_into(pid: int) -> Seen:
    """Look into a process of this user from a new one."""
    command = [*WITHOUT_RIGHTS, sys.executable, "-c", _LOOK, str(pid)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    return Seen(said[1:], said[:1] == b"m")


def look(pid: int) -> None:
    """Write what can be seen of that process."""
    memory = _read(f"/proc/{pid}/mem", 0)
    os.write(
        1, (b"-" if memory is None else b"m") + (_read(f"/proc/{pid}/environ", 100_000) or b"")
    )


def _read(path: str, most: int) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    return os.read(descriptor, most)


def _run(command: list[str]) -> None:
    """Become that program, with no right beyond its user's: also root's programs, from then on."""
    libc = ctypes.CDLL(None)
    for capability in range(64):
        libc.prctl(24, capability, 0, 0, 0)  # of those a new program may have
    assert libc.capset(struct.pack("Ii", 0x20080522, 0), bytes(24)) == 0
    os.execv(command[0], command)


if __name__ == "__main__":
    _run(sys.argv[1:])
