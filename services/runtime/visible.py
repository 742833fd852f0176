"""Text from elsewhere, for a terminal or a log: signs that would act on it are written out.

Control characters move a terminal's cursor, name its window and may answer for who sits there;
those of direction show a line in another order than it has; separators begin a line that nobody
wrote. All of them, and what cannot be seen, stand as `\\u001b`, as JSON writes them: so what is
JSON says the same as before.
"""

import unicodedata


def visible(text: str, keep: str = "") -> str:
    """The text with such signs written out, but for those in `keep`: `\\n` where it has lines."""
    if text.isprintable():
        return text
    return "".join(sign if sign in keep or not unseen(sign) else written_out(sign) for sign in text)


def unseen(sign: str) -> bool:
    """Whether a sign is one of these: controls, format, halves of a sign, separators of lines, and
    what Unicode has not assigned. Spaces of whatever width are none."""
    return not sign.isprintable() and unicodedata.category(sign) != "Zs"


def written_out(sign: str) -> str:
    """A sign as JSON writes it out: in two halves beyond the first plane."""
    code = ord(sign)
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
