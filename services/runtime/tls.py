"""Whom to trust when an engine is reached over TLS: an authority of one's own, or the machine's."""

import ssl
from pathlib import Path

from services.runtime.errors import Misconfigured
from services.runtime.reasons import reason


def context(authority: Path | None, setting: str) -> ssl.SSLContext:
    """A client's TLS context that checks the server's certificate and its name.

    `authority` is a PEM file, None for the authorities that the machine trusts. Raises
    Misconfigured, naming `setting`, where that file cannot be used.
    """
    try:
        return ssl.create_default_context(cafile=authority)
    except ssl.SSLError:
        raise Misconfigured(
            f"{setting} : {authority} ne contient pas de certificat au format PEM"
        ) from None
    except OSError as error:
        raise Misconfigured(f"{setting} : {authority} : {reason(error)}") from None
