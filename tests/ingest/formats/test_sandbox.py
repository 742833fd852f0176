"""What a parser gets that was taken over: nothing of the service, its files and its machine."""

import asyncio
import json
import os
import platform
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from services.ingest.formats import apart, landlock, sandbox, seccomp
from services.ingest.formats.frames import head
from tests.ingest.formats.taken_over import SECRET, attacks

ROOT = Path(__file__).resolve().parents[3]
NOBODY = 65534
KEPT = "Ce que le service conserve.\n"
USERS = sorted({os.getuid(), NOBODY}) if os.getuid() == 0 else [os.getuid()]
"""Whose service is attacked."""
ATTACKS = tuple(attacks(0, "/"))

needs_filter = pytest.mark.skipif(not seccomp.known(), reason="no filter of system calls here")
needs_landlock = pytest.mark.skipif(not landlock.version(), reason="no Landlock in this kernel")

Got = dict[str, object]
Attacked = Callable[..., Got]


@pytest.fixture(scope="module")
def attacked() -> Iterator[Attacked]:
    """What attacks on a service of a user got, some fences left out; its file is as it was."""

    @cache
    def run(uid: int, *chosen: str, without: tuple[str, ...] = (), harmed: bool = False) -> Got:
        # Not in pytest's folder, which its user alone may enter.
        folder = Path(ended.enter_context(TemporaryDirectory()))
        (folder / "data").write_text(KEPT)
        os.chown(folder, uid, uid)
        os.chown(folder / "data", uid, uid)
        before = (folder / "data").stat()
        name, _, value = SECRET.partition("=")
        program = [sys.executable, "-m", "tests.ingest.formats.taken_over"]
        done = subprocess.run(
            [*program, str(uid), str(folder), ";".join(chosen or ("all",)), *without],
            cwd=ROOT,
            env={"PATH": os.defpath, name: value},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        if not harmed:
            assert [each.name for each in folder.iterdir()] == ["data"]
            assert (folder / "data").read_text() == KEPT
            after = (folder / "data").stat()
            for what in ("st_mode", "st_uid", "st_gid", "st_mtime_ns", "st_nlink"):
                assert getattr(after, what) == getattr(before, what)
        return dict(json.loads(done.stdout))

    with ExitStack() as ended:
        yield run


@needs_filter
@pytest.mark.parametrize("uid", USERS)
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_parser_taken_over_is_refused(attacked: Attacked, uid: int, attack: str) -> None:
    assert attacked(uid)[attack] == "EPERM"


@needs_filter
@pytest.mark.parametrize("uid", USERS)
@pytest.mark.parametrize("attack", ATTACKS)
def test_the_filter_of_calls_alone_refuses_it_too(
    attacked: Attacked, uid: int, attack: str
) -> None:
    got = attacked(uid, without=("rights", "landlock", "inspection"))
    assert got[attack] == "EPERM"


TO_FILES = (
    "environment of the service",
    "memory of the service",
    "memory of the service, to write",
    "files of the service",
    "data",
    "data, to write",
    "data, to append",
    "a folder",
    "a new file",
    "a file without a name",
    "open",
    "creat",
    "mkdir",
    "mknod",
    "unlink",
    "rename",
    "link",
    "symlink",
    "execve",
)
CUTS = ("data, cut by opening", "data, cut by opening for reading", "truncate")
SIGNALS = ("kill", "tkill", "tgkill")


@needs_landlock
@pytest.mark.parametrize("uid", USERS)
@pytest.mark.parametrize("attack", TO_FILES)
def test_landlock_alone_keeps_every_file(attacked: Attacked, uid: int, attack: str) -> None:
    """As on a machine whose calls are not known, and even for an administrator."""
    got = attacked(uid, *TO_FILES, without=("rights", "seccomp", "inspection"))
    assert got[attack] in ("EACCES", "EPERM", "EXDEV")


@pytest.mark.skipif(landlock.version() < 3, reason="this kernel's Landlock knows no truncating")
@pytest.mark.parametrize("attack", CUTS)
def test_landlock_alone_lets_no_file_be_cut(attacked: Attacked, attack: str) -> None:
    got = attacked(os.getuid(), *CUTS, without=("rights", "seccomp", "inspection"))
    assert got[attack] in ("EACCES", "EPERM")


@pytest.mark.skipif(landlock.version() < 6, reason="this kernel's Landlock knows no signals")
@pytest.mark.parametrize("attack", SIGNALS)
def test_landlock_alone_lets_no_signal_out(attacked: Attacked, attack: str) -> None:
    got = attacked(os.getuid(), *SIGNALS, without=("rights", "seccomp", "inspection"))
    assert got[attack] == "EPERM"


OPEN_TO_ALL = {
    "environment of the service": True,
    "data": KEPT,
    "data, cut by opening": int,
    "mkdir": 0,
    "chmod": 0,
    "kill": 0,
    "signals by F_SETOWN": 0,
    "memfd_create": int,
    "memory that can be run": int,
}
EVERY_FENCE = ("rights", "landlock", "seccomp", "inspection")


@pytest.mark.parametrize("attack", OPEN_TO_ALL)
def test_without_the_fences_the_same_attack_gets_it(attacked: Attacked, attack: str) -> None:
    """That what is refused above is there to be had: else those tests could not fail."""
    got = attacked(USERS[-1], *OPEN_TO_ALL, without=EVERY_FENCE, harmed=True)[attack]
    expected = OPEN_TO_ALL[attack]
    assert isinstance(got, int) if expected is int else got == expected


@pytest.mark.skipif(os.getuid() != 0, reason="only the administrator has a user to leave")
def test_a_reader_that_root_starts_has_no_right_of_roots(attacked: Attacked) -> None:
    """On a machine without either fence: what the service's root may change, it may not."""
    got = attacked(0, "kill", "data, to write", "mkdir", "chown", without=("landlock", "seccomp"))
    assert set(got.values()) == {"EPERM", "EACCES"}


async def test_the_reader_as_the_service_starts_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the kernel says of a reader that has begun with a file."""
    program = tmp_path / "waits.py"
    program.write_text(
        "import sys\n"
        "from services.ingest.formats import child, documents\n"
        "from services.ingest.formats.model import Unreadable\n"
        "def waits(*_):\n"
        "    yield Unreadable('begun', 422, '')\n"
        "    sys.stdin.buffer.read()\n"
        "documents.parts = waits\n"
        "child.main(sys.stdin.buffer, sys.stdout.buffer)\n"
    )
    monkeypatch.setattr(apart, "PROGRAM", (str(program),))
    process = await apart._started()
    try:
        assert process.stdin is not None
        said = {"name": "a", "media_type": None, "start": 0, "memory": 640 << 20, "seconds": 60}
        process.stdin.write(head(said, 0))
        assert (await apart._answer(process))[0] == {"reading": "begun"}
        status, open_files = await asyncio.to_thread(_looked_up, process.pid)
        assert status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == ("2" if seccomp.known() else "0")
        assert status["Threads"] == "1"
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(status[kind], 16) == 0
        if os.getuid() == 0:
            assert set(status["Uid"].split()) == set(status["Gid"].split()) == {str(NOBODY)}
            assert not status["Groups"].strip()
            assert open_files == {"0", "1", "2"}
    finally:
        process.kill()
        await process.wait()


def _looked_up(pid: int) -> tuple[dict[str, str], set[str]]:
    """The kernel's account of a process; its open files, where the administrator asks."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines)
    root = os.getuid() == 0
    return status, {e.name for e in Path(f"/proc/{pid}/fd").iterdir()} if root else set()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only x86-64 has calls of 32 bits")
@needs_filter
def test_calls_of_32_bits_lead_nowhere() -> None:
    """`int 0x80` asks by other numbers; written into memory before the fence stands."""
    program = """
import ctypes, mmap, sys
from services.ingest.formats import sandbox
code = mmap.mmap(-1, 4096, prot=7)
code.write(bytes.fromhex("53 b8 14000000 cd80 5b c3"))  # push rbx; getpid of 32 bits; pop; return
asked = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
sandbox.confine(640 << 20, 30)
print(asked())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=False, capture_output=True, timeout=60
    )
    # A kernel without such calls ends the process instead.
    assert (done.stdout == b"-1\n") if done.returncode == 0 else (done.returncode in (-11, -31))


def test_gaps_in_the_fence_are_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(landlock, "version", lambda: 0)
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    sandbox.warn_of_gaps.cache_clear()
    sandbox.warn_of_gaps()
    sandbox.warn_of_gaps()
    assert len(caplog.messages) == 2
    assert "Landlock" in caplog.messages[0]
    assert "system calls" in caplog.messages[1]
    sandbox.warn_of_gaps.cache_clear()


def test_a_machine_without_gaps_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    if not landlock.version() or not seccomp.known():
        pytest.skip("this machine has gaps")
    sandbox.warn_of_gaps.cache_clear()
    sandbox.warn_of_gaps()
    assert not caplog.messages


def test_a_machine_of_unknown_calls_is_not_fenced_by_another_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert not seccomp.allow_only_reading()


MACHINES = [("x86_64", 0xC000003E, 0), ("aarch64", 0xC00000B7, 1)]


@pytest.mark.parametrize(("name", "machine", "at"), MACHINES)
def test_the_filter_of_each_machine(name: str, machine: int, at: int) -> None:
    """Run by the kernel's rules, here for the machine that this one is not too."""
    steps = seccomp._program(machine, at, process=7)

    def allowed(number: int, *arguments: int, of: int = machine) -> bool:
        return _verdict(steps, struct.pack("<iIQ6Q", number, of, 0, *(*arguments, *[0] * 6)[:6]))

    known = {numbers[at] for numbers in seccomp._CALLS.values()}
    mmap, mprotect, tgkill = (
        each[at] for each in (seccomp._MMAP, seccomp._MPROTECT, seccomp._TGKILL)
    )
    assert {n for n in range(600) if allowed(n)} == known | {mmap, mprotect}
    assert not any(allowed(n, of=0x40000003) for n in range(600))
    assert not any(allowed(n | 0x40000000) for n in range(600))
    for call in (mmap, mprotect):
        assert allowed(call, 0, 4096, 3)
        assert not allowed(call, 0, 4096, 4)
        assert not allowed(call, 0, 4096, 7)
    assert allowed(tgkill, 7, 8, 6)
    assert not allowed(tgkill, 6, 7, 6)


def _verdict(steps: list[seccomp.Step], data: bytes) -> bool:
    """What the kernel's filter machine makes of a call (Documentation/networking/filter.rst)."""
    at = held = 0
    while True:
        code, if_true, if_not, number = steps[at]
        at += 1
        if code == 0x06:
            return number == 0x7FFF0000
        if code == 0x20:
            held = int.from_bytes(data[number : number + 4], "little")
            continue
        true = {0x15: held == number, 0x35: held >= number, 0x45: bool(held & number)}[code]
        at += if_true if true else if_not
