"""Why the system would not let a file be read or written, in French."""

import errno
import sqlite3

from services.runtime.errors import Unavailable

FULL = "disque plein"
_REASONS = {
    errno.ENOENT: "introuvable",
    errno.EACCES: "accès refusé",
    errno.EPERM: "accès refusé",
    errno.EISDIR: "c'est un dossier",
    errno.ENOTDIR: "ce n'est pas un dossier",
    errno.ENOSPC: FULL,
    errno.EDQUOT: "quota de disque atteint",
    errno.EROFS: "disque en lecture seule",
    errno.EIO: "le disque est en erreur",
    errno.EMFILE: "trop de fichiers ouverts",
    errno.ENFILE: "trop de fichiers ouverts",
    errno.ENAMETOOLONG: "nom trop long",
    errno.ELOOP: "trop de liens symboliques",
    errno.EADDRINUSE: "adresse déjà occupée",
    errno.ECONNREFUSED: "connexion refusée",
}


RETRY_AFTER_SECONDS = 60
"""An administrator has to make room: trying again each five seconds would help nobody."""

_NO_WRITING = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: _REASONS[errno.EDQUOT],
    errno.EROFS: _REASONS[errno.EROFS],
    errno.EIO: _REASONS[errno.EIO],
}
_OF_SQLITE = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_IOERR: errno.EIO,
}
_OF_POSTGRESQL = {"53100": errno.ENOSPC, "25006": errno.EROFS, "58030": errno.EIO}
_PRIMARY = 0xFF
"""SQLite's extended codes have the primary one in their lowest byte."""


def away(line: str, error: BaseException, kind: type[Unavailable] = Unavailable) -> Unavailable:
    """The error to raise where a disk or a database did not take something.

    `line` is for the log. Where the disk is full, over its quota, read-only or broken, the sender
    is told so, and waits longer.
    """
    why = _NO_WRITING.get(_number(error))
    return kind(line) if why is None else kind(line, RETRY_AFTER_SECONDS, nothing_kept(why))


def nothing_kept(why: str) -> str:
    """What a sender is told of a service that cannot write."""
    return (
        f"Le service ne peut rien écrire ({why}) : ce qui n'a pas de reçu n'est pas conservé. En "
        "avertir l'administrateur, et renvoyer quand il y aura remédié."
    )


def _number(error: BaseException) -> int:
    """The system's number for what is wrong, also where a database said it; 0 for anything else."""
    if isinstance(error, OSError):
        return error.errno or 0
    code = getattr(error, "sqlite_errorcode", None)
    if isinstance(code, int):
        return _OF_SQLITE.get(code & _PRIMARY, 0)
    return _OF_POSTGRESQL.get(str(getattr(error, "sqlstate", "")), 0)


def reason(error: BaseException) -> str:
    """The reason of an error of the system or of a database; its own words for one that is rare."""
    known = _REASONS.get(_number(error))
    return known or getattr(error, "strerror", None) or str(error) or type(error).__name__
