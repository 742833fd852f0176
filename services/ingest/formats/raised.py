"""Raised and lowered signs in plain text: calls of notes, exponents, ordinals, indices.

A reader of a format puts such signs between marks, as it meets them; `plain` then writes each by
what stands before it. A figure never grows by what was raised beside it.
"""

import re

UP, DOWN, END = "\ufdd0", "\ufdd1", "\ufdd2"
"""Noncharacters of Unicode: they begin and end what is raised or lowered."""
LONGEST = 12
"""Signs of a call, an exponent or an ordinal: more is text that is only set higher."""
BEFORE = 24
"""Signs before that say what is raised."""

_MARKED = re.compile(f"([{UP}{DOWN}])([^{UP}{DOWN}{END}]*){END}")
_RUN = re.compile(f"{UP}[^{UP}{DOWN}{END}]*{END}(?:{UP}[^{UP}{DOWN}{END}]*{END})+")
_SIGNS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_OWN_SIGNS = re.compile("[⁰¹²³⁴-⁹]+")
"""Raised figures that are signs of their own."""
_MARKS = re.compile(f"[{UP}{DOWN}{END}]")
_ONE = r"[(\[]?(?:\d{1,3}(?:\s?[-–]\s?\d{1,3})?|[a-z])[)\]]?"
_CALLS = re.compile(rf"{_ONE}(?:\s?[,;]\s?{_ONE})*|(?:[(\[]\d{{1,3}}[)\]]\s?)+", re.I)
_ONE_CALL = re.compile(r"\d{1,3}(?:\s?[-–]\s?\d{1,3})?|[a-z]", re.I)
_ORDINAL = re.compile(r"(?:[eè]re?|re|i?[eè]me|[eé]|nde?|[do]|th|st|rd|[ªº°ᵉ])s?", re.I)
_UNIT = re.compile(r"(?:^|[\s\d/(.,·\u00a0\u202f])(?:(?:[dcmhkM]|da)?m|(?<=/)s)$")
_POWER_OF_TEN = re.compile(r"(?:^|[^\w.,])10$")
_MULTIPLIED = re.compile(r"[×*·=^]\s?\d{1,3}$|\d\s?x\s?10$")
_VARIABLE = re.compile(r"(?:^|[\s(=+×])(?:[A-Zxnkt])$")
_NEGATIVE = re.compile("[-\u2212\u2013](\\d{1,3})")
_EXPONENT = re.compile(r"\d{1,3}|n")
_SQUARE = {"2": "²", "3": "³"}
_FOLLOWS = re.compile(r"\w")


def plain(text: str) -> str:
    """The text with what is raised or lowered in it as plain signs.

    Give a call as ` [1]`, an exponent as `10^6`, a square or cubic unit as `m²`; leave letters
    (`1er`, `Mme`, `n°`) and indices (`CO2`) where they are, apart from a figure.
    """
    text = _OWN_SIGNS.sub(lambda found: f"{UP}{found[0].translate(_SIGNS)}{END}", text)
    if UP not in text and DOWN not in text:
        return text
    text = _RUN.sub(lambda run: f"{UP}{_MARKS.sub('', run[0])}{END}", text)
    out: list[str] = []
    tail = ""
    at = 0
    for found in _MARKED.finditer(text):
        out.append(_MARKS.sub("", text[at : found.start()]))
        tail = (tail + out[-1])[-BEFORE:]
        at = found.end()
        write = _raised if found[1] == UP else _lowered
        out.append(write(found[2], tail))
        if _runs_into(out[-1], text[at : at + 1]):
            out.append(" ")
        tail = (tail + out[-1])[-BEFORE:]
    out.append(_MARKS.sub("", text[at:]))
    return "".join(out)


def _runs_into(written: str, following: str) -> bool:
    """Whether a call or a power would be read with the word or figure behind it."""
    return (written.endswith("]") or "^" in written) and _FOLLOWS.match(following) is not None


def _raised(text: str, before: str) -> str:
    sign = text.strip()
    if not sign or len(sign) > LONGEST:
        return _apart(text, before)
    if power := _power(sign, before):
        return power
    if _CALLS.fullmatch(sign) and not _is_letter(sign, before):
        gap = "" if not before or before[-1].isspace() or before[-1] == "(" else " "
        calls = " ".join(f"[{call}]" for call in _ONE_CALL.findall(sign))
        return f"{gap}{calls}"
    return _apart(text, before)


def _power(sign: str, before: str) -> str:
    """An exponent or a unit's dimension; empty where the sign is none."""
    if _EXPONENT.fullmatch(sign):
        if sign in _SQUARE and _UNIT.search(before):
            return _SQUARE[sign]
        ten = _POWER_OF_TEN.search(before) is not None and sign != "1"
        if ten or _MULTIPLIED.search(before) or (sign in _SQUARE and _VARIABLE.search(before)):
            return f"^{sign}"
    elif (negative := _NEGATIVE.fullmatch(sign)) and before[-1:].isalnum():
        return f"^-{negative[1]}"
    return ""


def _is_letter(sign: str, before: str) -> bool:
    """Whether a raised letter belongs to its word: an ordinal behind a figure, an abbreviation."""
    if not sign.isalpha():
        return False
    if before[-1:].isdigit():
        decimal = re.search(r"\d[.,]\d+$", before) is not None
        return not decimal and _ORDINAL.fullmatch(sign) is not None
    return sign not in ("a", "b", "c") or re.search(r"[a-zà-ÿ]{3}$", before) is None


def _lowered(text: str, before: str) -> str:
    """An index; apart from a figure before it, as `10_2`."""
    sign = text.strip()
    return f"_{sign}" if sign[:1].isdigit() and before[-1:].isdigit() else text


def _apart(text: str, before: str) -> str:
    """Raised text as it is, with a space where two figures would become one."""
    glued = text[:1].isdigit() and before[-1:].isdigit()
    letters = before[-1:].isdigit() and text[:1].isalpha() and not _ORDINAL.fullmatch(text.strip())
    gap = letters or glued or (text[:1] in "([" and before[-1:].isalnum())
    return f" {text}" if gap else text
