"""French plurals by rule, so that the data files need only give each term once."""

import re

_LITTLE_WORD = re.compile(
    "de|du|des|d|à|a|au|aux|en|par|pour|sur|et|ou|avec|sans|dans|la|le|les|l|un|une|contre|via"
    "|entre|the|of|and|for"
)
_KEPT = ("s", "x", "z")
_PLURAL_IN_X = ("au", "eu")
_EXCEPTIONS = {
    "travail": "travaux",
    "bail": "baux",
    "festival": "festivals",
    "bilan": "bilans",
    "bleu": "bleus",
}


def plural(word: str) -> str:
    """The plural of a noun or adjective given in the singular; what ends like a plural stays."""
    low = word.lower()
    if low in _EXCEPTIONS:
        return _EXCEPTIONS[low]
    if not word[-1].isalpha() or low.endswith(_KEPT) or not word.islower():
        return word if low.endswith(_KEPT) or not word[-1].isalpha() else f"{word}s"
    if low.endswith("al"):
        return f"{word[:-1]}ux"
    if low.endswith(_PLURAL_IN_X):
        return f"{word}x"
    return f"{word}s"


def term_forms(term: str) -> tuple[str, ...]:
    """A term and its plural: the words before the first little word agree, the others stay.

    "accident du travail" gives "accidents du travail" too. Terms in capitals have one form.
    """
    words = term.split(" ")
    if any(_is_acronym(word) for word in words):
        return (term,)
    agreed = list(words)
    for place, word in enumerate(words):
        if _LITTLE_WORD.fullmatch(word.lower()) or "'" in word or "’" in word:
            break
        agreed[place] = plural(word)
    other = " ".join(agreed)
    return (term,) if other == term else (term, other)


def people_forms(pair: str) -> tuple[str, ...]:
    """The four forms of an inhabitant's name given as "masculine feminine" (a set, in order)."""
    masculine, feminine = pair.split(" ")
    return tuple(dict.fromkeys((masculine, feminine, plural(masculine), plural(feminine))))


def _is_acronym(word: str) -> bool:
    return sum(char.isupper() for char in word) >= 2
