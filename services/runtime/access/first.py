"""The first key of a deployment: made once, for everything, and left in a file of its owner's.

Whoever can read the data folder, or the place that `valise provision` was told, is the
administrator; further keys are made with this one (`valise keys add`).
"""

import os
from datetime import UTC, datetime
from pathlib import Path

from schemas.access import EVERY_POST, KeyOrder, Rights, Role
from schemas.vocabulary import Marking
from services.runtime.access import keys
from services.runtime.errors import Misconfigured
from services.runtime.registry import Registry

ORDER = KeyOrder(
    name="administrateur (première clé)",
    rights=Rights(
        roles=frozenset(Role),
        posts=frozenset({EVERY_POST}),
        clearance=list(Marking)[-1],
        special_france=True,
    ),
)


def make_first_key(registry: Registry, path: Path) -> bool:
    """Make the deployment's first key and write it to that file; False where there was one.

    The file is written before the registry knows the key: a crash between the two leaves a file
    that opens nothing, and the next start makes both anew. Raises Misconfigured where it cannot be
    written, Unavailable.
    """
    if registry.has_administrator():
        return False
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
        raise Misconfigured(f"{path}: {error.strerror}") from None
    if registry.add_first_key(ORDER, secret.label, secret.hash, datetime.now(UTC)) is None:
        path.unlink()  # another process came first, with a file of its own
        return False
    return True
