"""ZIP files read without trusting them: counted and measured before anything is unpacked."""

import zipfile
import zlib
from io import BytesIO

from services.ingest.formats.model import MAX_UNPACKED_BYTES, Refused, damaged

MOST_ENTRIES = 2_000
"""A year of a post's notes in one archive; a DOCX with many pictures has some hundreds."""
MAX_ENTRY_BYTES = 32 * 1024 * 1024
"""Of one entry, unpacked: as much as one file by itself may have."""
MOST_RATIO = 200
"""Unpacked to packed, over the archive: office XML shrinks 10 to 40 times, zeros 1,000 times."""
RATIO_FROM_BYTES = 4 * 1024 * 1024
"""Below that much, unpacked, the ratio does no harm."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1

TOO_LARGE = "L'archive est trop grande une fois décompressée : la partager en plusieurs."


def opened(data: bytes) -> zipfile.ZipFile:
    """The archive, within the limits by its own account, to which `read` holds it.

    Raises Refused: 413 beyond a limit, 422 where it is damaged.
    """
    try:
        packed = zipfile.ZipFile(BytesIO(data))
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, NotImplementedError) as error:
        raise damaged("ZIP (ou DOCX, ODT)") from error
    entries = packed.infolist()
    if len(entries) > MOST_ENTRIES:
        raise Refused(413, f"L'archive a plus de {MOST_ENTRIES} fichiers : la partager.")
    total = sum(entry.file_size for entry in entries)
    largest = max((entry.file_size for entry in entries), default=0)
    if total > MAX_UNPACKED_BYTES or largest > MAX_ENTRY_BYTES:
        raise Refused(413, TOO_LARGE)
    if total > RATIO_FROM_BYTES and total > MOST_RATIO * len(data):
        raise Refused(413, TOO_LARGE)
    return packed


def read(packed: zipfile.ZipFile, entry: str | zipfile.ZipInfo) -> bytes:
    """An entry's bytes: never more than it declares. Raises Refused."""
    try:
        info = packed.getinfo(entry) if isinstance(entry, str) else entry
        if info.flag_bits & _ENCRYPTED:
            raise Refused(
                422, "L'archive est chiffrée (mot de passe) : la refaire sans mot de passe."
            )
        if info.compress_type not in _METHODS:
            raise Refused(422, "L'archive est comprimée d'une façon inconnue : la refaire en ZIP.")
        # Not packed.read(): it unpacks all there is before it looks at what was declared.
        with packed.open(info) as unpacking:
            return unpacking.read(info.file_size)
    except (KeyError, zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
        raise damaged("ZIP (ou DOCX, ODT)") from error
    except (NotImplementedError, RuntimeError) as error:  # encrypted or packed in other ways
        raise damaged("ZIP (ou DOCX, ODT)") from error
