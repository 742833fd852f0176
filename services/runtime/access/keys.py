"""API keys as text: made, taken apart, and compared with the hash that is kept.

`valise_<label>_<secret>`: the label finds the key in the registry, the secret proves it. The secret
has 256 random bits, so its SHA-256 is hash enough: there is nothing to guess it from.
"""

import hmac
import re
import secrets
from dataclasses import dataclass
from hashlib import sha256

_FORM = re.compile(r"valise_([0-9a-f]{16})_([A-Za-z0-9_-]{43})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Secret:
    """The two parts of a key."""

    label: str
    secret: str

    @property
    def hash(self) -> str:
        """What is kept of the secret: SHA-256, in hexadecimal."""
        return sha256(self.secret.encode()).hexdigest()

    def fits(self, kept: str) -> bool:
        """Whether the secret has this hash; takes as long whatever differs."""
        return hmac.compare_digest(self.hash, kept)

    def __str__(self) -> str:
        return f"valise_{self.label}_{self.secret}"

    def __repr__(self) -> str:
        # Must not get into a log line or a traceback.
        return f"Secret(label={self.label!r})"


def new() -> Secret:
    """A new key."""
    return Secret(secrets.token_hex(8), secrets.token_urlsafe(32))


def parse(text: str) -> Secret | None:
    """The key in a text; None for what is none."""
    found = _FORM.fullmatch(text.strip())
    return Secret(*found.groups()) if found else None
