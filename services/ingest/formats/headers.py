"""The headers of a mail and of its parts, bounded while they are read: several parsers of the
standard library take time that grows with the square of a header's length.

A subject of 50,000 encoded words took 7 s to decode, a type with 32 KB of semicolons 1.7 s, and one
such part in a hundred of 8 KB each 17 s (Python 3.11.7).
"""

import email
from email.message import Message
from email.policy import Compat32
from typing import Any

from services.ingest.formats.model import Refused

MAX_HEADER_BYTES = 64 * 1024
"""Of one: a thousand addresses take that. It decodes in 0.04 s at worst."""
MAX_HEADERS_BYTES = 4 * 1024 * 1024
"""Of all headers of a mail and of the mails attached to it: 200 of them have 2 MB."""
MOST_HEADERS = 20_000
"""Of all these, as many: 200 mails have 10,000."""
MAX_PARAMETERS_BYTES = 8 * 1024
MOST_PARAMETERS = 100
"""Of a part's type and disposition: a name of 200 characters in the longest form, cut into pieces,
has 2 KB and 30 parameters."""
MOST_LINES = 1_000_000
"""Of a mail: 32 MB of attachments have 430,000. Each level of parts looks at each line anew."""
MOST_CONTAINERS = 200
"""Parts that hold others, of the mail and the mails attached to it."""

_WITH_PARAMETERS = ("content-type", "content-disposition")


class _Count:
    """What has been read of one mail."""

    def __init__(self) -> None:
        self.headers = self.size = self.containers = 0


class Bounded(Compat32):
    """The policy of `email.parser` for mails from outside. One for each mail."""

    count: Any = None

    def __init__(self) -> None:
        super().__init__(count=_Count())  # type: ignore[call-arg]

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        """A header as its name and its value. Raises Refused where there is too much of it."""
        size = sum(map(len, sourcelines))
        if size > MAX_HEADER_BYTES:
            raise Refused(
                413,
                f"Un en-tête du courriel dépasse {MAX_HEADER_BYTES // 1024} Kio : enregistrer le "
                "texte du courriel seul.",
            )
        name, value = super().header_source_parse(sourcelines)
        self.count.headers += 1
        self.count.size += size
        if self.count.headers > MOST_HEADERS or self.count.size > MAX_HEADERS_BYTES:
            raise Refused(
                413, "Le courriel a trop d'en-têtes : enregistrer le texte du courriel seul."
            )
        if name.strip().lower() in _WITH_PARAMETERS:
            self._check_parameters(value)
        return name, value

    def _check_parameters(self, value: str) -> None:
        if len(value) > MAX_PARAMETERS_BYTES or value.count(";") > MOST_PARAMETERS:
            raise Refused(
                413,
                "Le type ou le nom d'une partie du courriel est trop long : renommer la pièce "
                "jointe, ou enregistrer le texte du courriel seul.",
            )
        if value.lstrip().lower().startswith("multipart/"):
            self.count.containers += 1
            if self.count.containers > MOST_CONTAINERS:
                raise too_nested()


def parsed(data: bytes) -> Message:
    """The mail in these bytes. Raises Refused where it is too much of one."""
    if max(data.count(b"\n"), data.count(b"\r")) > MOST_LINES:
        raise Refused(413, "Le courriel a trop de lignes : le partager.")
    try:
        return email.message_from_bytes(data, policy=Bounded())
    except RecursionError as error:
        raise too_nested() from error


def too_nested() -> Refused:
    """The refusal of a mail with more levels or groups of parts than are read."""
    return Refused(422, "Le courriel est trop imbriqué : en enregistrer le texte.")
