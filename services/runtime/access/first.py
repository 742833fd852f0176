"""The administrator's key that comes with a deployment: made for everything, left in a file.

Whoever can read the data folder, or the place that `valise provision` was told, is an
administrator; further keys are made with this one (`valise keys add`).
"""

import os
from datetime import UTC, datetime
from pathlib import Path

from schemas.access import EVERY_POST, KeyOrder, Rights, Role
from schemas.vocabulary import Marking
from services.runtime.access import keys
from services.runtime.access.key_file import read_key
from services.runtime.errors import Misconfigured
from services.runtime.reasons import reason
from services.runtime.registry import Registry

ORDER = KeyOrder(
    name="administrateur du déploiement",
    rights=Rights(
        roles=frozenset(Role),
        posts=frozenset({EVERY_POST}),
        clearance=list(Marking)[-1],
        special_france=True,
    ),
)


def ensure_key(registry: Registry, path: Path) -> bool:
    """Have that file hold a key that opens everything; False where it does already.

    A key that was lost, revoked, or belongs to another registry (a backup restored elsewhere) is
    replaced: the owner of the data folder has all of it anyway. Raises Misconfigured, Unavailable.
    """
    secret = keys.parse(read_key(path) or "")
    row = None if secret is None else registry.key(secret.label)
    if secret and row and secret.fits(row.hash) and row.holds(datetime.now(UTC)):
        return False
    make_key(registry, path)
    return True


def make_key(registry: Registry, path: Path) -> None:
    """Make a key for everything and leave it in that file, which its owner alone can read.

    The file is written before the registry knows the key: a crash between the two leaves a file
    that opens nothing. Raises Misconfigured where it cannot be written, Unavailable.
    """
    secret = keys.new()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "w", encoding="ascii") as written:
            written.write(f"{secret}\n")
            written.flush()
            os.fsync(written.fileno())
    except OSError as error:
        raise Misconfigured(f"{path} : {reason(error)}") from None
    registry.add_key(ORDER, secret.label, secret.hash, datetime.now(UTC))
