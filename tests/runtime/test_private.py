"""What is written is for its owner alone, and so are the folders that it lies in."""

import logging
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from services.runtime import backup, log_dump, private
from services.runtime.errors import Misconfigured
from services.runtime.log.sqlite import SqliteLog
from services.runtime.originals import Originals
from services.runtime.settings import Settings

STRANGER = 12_345
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's files")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def made(path: Path, permissions: int, *, folder: bool = False) -> Path:
    """A file or folder with these permissions, whatever the umask."""
    if folder:
        path.mkdir(parents=True)
    else:
        path.write_bytes(b"x")
    path.chmod(permissions)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder as a former release left it under the usual umask."""
    folder = made(tmp_path / "data", 0o755, folder=True)
    for name in ("log.sqlite3", "registry.sqlite3", "registry.sqlite3-wal", "lock"):
        made(folder / name, 0o644)
    made(folder / "index", 0o755, folder=True)
    made(folder / "index" / "meta.json", 0o644)
    made(folder / "admin.key", 0o600)
    return folder


def test_a_folder_that_was_open_is_closed_with_all_that_is_ours_and_said_once(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    private.close_data(data)
    assert mode(data) == mode(data / "index") == 0o700
    files = [path for path in data.rglob("*") if path.is_file()]
    assert {mode(path) for path in files} == {0o600}
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert "755" in caplog.text
    assert "6 files or folders" in caplog.text
    caplog.clear()
    private.close_data(data)
    assert caplog.text == ""


def test_what_is_not_ours_in_a_home_stays_as_it_is(data: Path) -> None:
    page = made(data / "page.html", 0o644)
    private.close_data(data)
    assert mode(page) == 0o644


def test_a_link_to_a_folder_is_followed_and_a_link_in_a_circle_ends(
    data: Path, tmp_path: Path
) -> None:
    elsewhere = made(tmp_path / "disk", 0o755, folder=True)
    kept = made(elsewhere / "kept", 0o644)
    (elsewhere / "round").symlink_to(elsewhere)
    (data / "originals").symlink_to(elsewhere)
    (data / "index.old").symlink_to(data)
    (tmp_path / "link").symlink_to(data)
    private.close_data(tmp_path / "link")
    assert {mode(data), mode(elsewhere)} == {0o700}
    assert mode(kept) == 0o600


def test_within_a_folder_of_ours_no_link_is_followed(data: Path, tmp_path: Path) -> None:
    outside = made(tmp_path / "outside", 0o644)
    (data / "index" / "link").symlink_to(outside)
    private.close_data(data)
    assert mode(outside) == 0o644


@as_root
@pytest.mark.parametrize("planted", ["", "lock", "log.sqlite3", "index/meta.json"])
def test_what_is_another_users_is_refused_in_one_line(data: Path, planted: str) -> None:
    os.chown(data / planted, STRANGER, STRANGER)
    with pytest.raises(Misconfigured, match=rf"un autre utilisateur \(uid {STRANGER}\)") as found:
        private.close_data(data)
    assert "\n" not in str(found.value)


@as_root
def test_a_link_that_somebody_planted_is_refused(data: Path, tmp_path: Path) -> None:
    victim = made(tmp_path / "victim", 0o644)
    (data / "lock").unlink()
    (data / "lock").symlink_to(victim)
    os.chown(data / "lock", STRANGER, STRANGER, follow_symlinks=False)
    with pytest.raises(Misconfigured, match="lock appartient"):
        private.close_data(data)
    assert victim.read_bytes() == b"x"


@as_root
def test_a_volume_of_originals_that_is_anothers_is_said_and_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    volume = made(tmp_path / "volume", 0o777, folder=True)
    os.chown(volume, STRANGER, STRANGER)
    private.close_elsewhere(Settings(data=tmp_path, originals=volume))
    assert "not closed" in caplog.text
    address = Originals(volume).put(b"x")
    assert {mode(volume / address[:2]), mode(Originals(volume).path(address))} == {0o700, 0o600}


def test_a_registry_and_originals_elsewhere_are_closed_too(tmp_path: Path) -> None:
    registry = made(tmp_path / "r.sqlite3", 0o664)
    originals = made(tmp_path / "originals", 0o775, folder=True)
    private.close_elsewhere(
        Settings(data=tmp_path, originals=originals, database=f"sqlite:///{registry}")
    )
    assert (mode(registry), mode(originals)) == (0o600, 0o700)


def test_a_folder_for_a_backup_is_closed_before_anything_is_put_there(tmp_path: Path) -> None:
    target = made(tmp_path / "backup", 0o755, folder=True)
    with pytest.raises(backup.Damaged):
        backup.restore(target, tmp_path / "new")
    source = backup.Source(tmp_path / "log", tmp_path / "registry", tmp_path / "originals")
    for path in (source.log, source.registry):
        path.write_bytes(b"no database")
    with pytest.raises(Exception, match="sauvegarde"):
        backup.save(source, target)
    assert mode(target) == 0o700


async def test_a_dump_does_not_follow_what_lies_where_it_is_written(tmp_path: Path) -> None:
    victim = made(tmp_path / "victim", 0o644)
    (tmp_path / ".dump.gz.part").symlink_to(victim)
    log = SqliteLog(tmp_path / "log.sqlite3")
    await log.start()
    try:
        await log_dump.dump(log, (), tmp_path / "dump.gz")
    finally:
        await log.stop()
    assert victim.read_bytes() == b"x"
    assert mode(tmp_path / "dump.gz") == 0o600


def test_whatever_the_umask_the_command_writes_for_its_owner_alone(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, sys; from services.runtime import private;"
        "os.umask(int(sys.argv[2], 8));"
        "private.write_for_owner_alone(); pathlib.Path(sys.argv[1]).write_text('x');"
        "print(oct(os.umask(0)))"
    )
    for number, umask in enumerate(("0", "022", "0177")):
        path = tmp_path / str(number)
        ran = subprocess.run(
            [sys.executable, "-c", script, str(path), umask],
            capture_output=True,
            text=True,
            check=True,
        )
        assert mode(path) == 0o600
        assert int(ran.stdout, 8) & private.OTHERS == private.OTHERS
