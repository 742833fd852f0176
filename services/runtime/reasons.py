"""Why the system would not let a file be read or written, in French."""

import errno

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


def reason(error: OSError) -> str:
    """The reason of an error of the system; the system's own words for one that is rare."""
    return _REASONS.get(error.errno or 0) or error.strerror or type(error).__name__
