"""Data for its owner alone: what is written from now on, and the folders that it lies in.

Notes, the registry and the administrator's key lie in plain files: whoever else may read these is
past every right that the services ask for.
"""

import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.runtime.errors import Misconfigured
from services.runtime.settings import Settings

logger = logging.getLogger(__name__)

OTHERS = 0o077
"""Permissions of a file's group and of everybody."""

OURS = ("admin.key", "index", "lock", "log.sqlite3", "originals", "registry.sqlite3")
"""What the names of our files and folders in a data folder begin with. It may be a person's home,
where all else is none of our business."""

_LOOK = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


def write_for_owner_alone() -> None:
    """Have this process and its children make files that their owner alone can read."""
    os.umask(os.umask(OTHERS) | OTHERS)


def close_data(folder: Path) -> None:
    """Close a data folder and what is ours in it, as `close_folder` does; of a link among these,
    what it leads to: data may lie on another disk."""
    close_folder(folder, names=OURS, links=True)


def close_folder(folder: Path, *, names: tuple[str, ...] = ("",), links: bool = False) -> None:
    """Close a folder, and all in it, to everybody but its owner, who must be this user.

    If it is a link, what it leads to. `names`: beginnings of what is looked at in it. Raises
    Misconfigured where the folder, or something in it, is another user's: they could read or
    exchange what we write there. Root may do so anyway.
    """
    try:
        with _opened(folder) as top:
            found = os.fstat(top)
            if found.st_uid != os.geteuid():
                raise Misconfigured(
                    f"le dossier {folder} appartient à un autre utilisateur (uid {found.st_uid}) : "
                    "en donner un à soi, par exemple un sous-dossier"
                )
            was_open = _close(top, found.st_mode)
            files = _close_inside(top, folder, names, links=links)
    except OSError as error:
        raise Misconfigured(f"{folder} ne peut pas être fermé aux autres : {error}") from None
    if was_open:
        logger.warning("%s was open to others (%o): closed", folder, stat.S_IMODE(found.st_mode))
    if files:
        logger.warning("%s: %d files or folders in it were open to others: closed", folder, files)


def close_elsewhere(settings: Settings) -> None:
    """Close what settings put elsewhere than in the data folder. Raises Misconfigured."""
    if settings.originals is not None and settings.originals.exists():
        close_where_ours(settings.originals)
    scheme, _, registry = settings.registry_url.partition(":///")
    if scheme == "sqlite":
        for ending in ("", "-wal", "-shm"):
            close_file(Path(f"{registry}{ending}"))


def close_where_ours(folder: Path) -> None:
    """The same for a folder that may be a mounted volume of another user: that is said in the log.

    Files in it are for their owner alone all the same.
    """
    try:
        close_folder(folder)
    except Misconfigured as found:
        logger.warning("not closed to others: %s", found)


def close_file(path: Path) -> None:
    """Close a file to everybody but its owner; none there is no error. Raises Misconfigured."""
    try:
        with _opened(path) as file:
            found = os.fstat(file)
            if found.st_uid not in (os.geteuid(), 0):
                raise _anothers(path, found.st_uid)
            if _close(file, found.st_mode):
                logger.warning("%s was open to others: closed", path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise Misconfigured(f"{path} ne peut pas être fermé aux autres : {error}") from None


def _close_inside(
    folder: int, name: Path, names: tuple[str, ...] = ("",), *, links: bool = False
) -> int:
    """Close what is in an open folder; how many files and folders were open.

    A folder that is closed already is not looked into: nobody else gets there.
    """
    closed = 0
    with os.scandir(folder) as entries:
        for entry in (each for each in entries if each.name.startswith(names)):
            path = name / entry.name
            found = entry.stat(follow_symlinks=False)
            if found.st_uid not in (os.geteuid(), 0):
                raise _anothers(path, found.st_uid)
            if stat.S_ISLNK(found.st_mode):
                if links:
                    _close_target(path)
            elif found.st_mode & OTHERS and found.st_uid == os.geteuid():
                closed += _close_entry(folder, entry.name, path)
    return closed


def _close_entry(folder: int, entry: str, path: Path) -> int:
    with _opened(entry, folder) as opened:
        found = os.fstat(opened)
        closed = int(_close(opened, found.st_mode))
        if stat.S_ISDIR(found.st_mode):
            closed += _close_inside(opened, path)
        return closed


def _close_target(link: Path) -> None:
    """Close what a link of ours leads to: data on another disk."""
    if link.is_dir():
        close_folder(link)
    else:
        close_file(link)


def _close(opened: int, mode: int) -> bool:
    """Whether it was open to others, and is no longer. Raises OSError."""
    if not mode & OTHERS:
        return False
    os.fchmod(opened, stat.S_IMODE(mode) & ~OTHERS)
    if os.fstat(opened).st_mode & OTHERS:
        raise PermissionError("le système de fichiers ne connaît pas ces droits")
    return True


@contextmanager
def _opened(path: Path | str, folder: int | None = None) -> Iterator[int]:
    """An open file or folder: within an open folder, and then no link."""
    follow = os.O_NOFOLLOW if folder is not None else 0
    opened = os.open(path, _LOOK | follow, dir_fd=folder)
    try:
        yield opened
    finally:
        os.close(opened)


def _anothers(path: Path, owner: int) -> Misconfigured:
    return Misconfigured(
        f"{path} appartient à un autre utilisateur (uid {owner}) : l'examiner, puis l'enlever"
    )
