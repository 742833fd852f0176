"""What only its addressee can open: refused by that name, with what to do about it."""

import re
from collections.abc import Sequence
from email.message import Message

from services.ingest.formats.model import Refused

UNLOCK = "protégé par un mot de passe, donc chiffré : l'enregistrer sans mot de passe"

_SMIME = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_ARMOUR = re.compile(rb"(?:\xef\xbb\xbf)?\s*-----BEGIN (PGP MESSAGE|PKCS7|CMS)-----")
_ENDINGS = (".p7m", ".p7e", ".pgp", ".gpg", ".age", ".axx", ".acid")
_SIGNED = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"
"""The type of signed data (RFC 5652, 5), near the beginning of what is signed and not encrypted."""
_NEAR = 64


def check_file(data: bytes, ending: str) -> None:
    """Raises Refused (422) for an encrypted file, by its beginning or its name's ending."""
    if _ARMOUR.match(data[:200]) or ending in _ENDINGS:
        raise _refused("Le fichier", "", "le déchiffrer", "envoyer le document lui-même")


def check_mail(message: Message, parts: Sequence[Message]) -> None:
    """Raises Refused (422) for a mail whose text is encrypted, or shut in its signature.

    `parts` are those that hold something. An encrypted attachment of a readable mail is none.
    """
    if message.get_content_type() == "multipart/encrypted":
        raise _mail("PGP" if "pgp" in str(message.get_param("protocol", "")).lower() else "")
    if message.get_content_type() in _SMIME:
        kind = str(message.get_param("smime-type", "")).lower()
        content = message.get_payload(decode=True)
        beginning = content[:_NEAR] if isinstance(content, bytes) else b""
        if kind == "signed-data" or (not kind and _SIGNED in beginning):
            raise Refused(
                422,
                "Le texte du courriel est enfermé dans sa signature (S/MIME) : l'ouvrir dans la "
                "messagerie et l'enregistrer sans signature, puis l'envoyer.",
            )
        raise _mail("S/MIME")
    texts = [part for part in parts if part.get_content_type() == "text/plain"]
    first = texts[0].get_payload(decode=True) if texts else None
    if isinstance(first, bytes) and _ARMOUR.match(first[:200]):
        raise _mail("PGP")


def _mail(how: str) -> Refused:
    return _refused(
        "Le courriel",
        f" ({how})" if how else "",
        "l'ouvrir dans la messagerie de son destinataire et l'enregistrer déchiffré",
        "l'envoyer",
    )


def _refused(what: str, how: str, first: str, then: str) -> Refused:
    return Refused(422, f"{what} est chiffré{how} : {first}, puis {then}.")
