"""A header's words in one form, so that each is known however it was typed."""

import unicodedata

from schemas.references import one_dash


def folded(text: str) -> str:
    """Small letters without accents, single spaces, one kind of apostrophe, dash, number sign."""
    plain = one_dash(text).replace("’", "'").replace("ʼ", "'").replace("º", "°").casefold()
    letters = unicodedata.normalize("NFD", plain)
    return " ".join("".join(c for c in letters if not unicodedata.combining(c)).split())
