"""The Python that runs this: whether it has the mends of the standard library that we rely on."""

import sys

PATCHED = {(3, 11): 16, (3, 12): 14, (3, 13): 14}
"""By minor version the first release with all of them.

| flaw | in | 3.11 | 3.12 | 3.13 | reached by |
| --- | --- | --- | --- | --- | --- |
| CVE-2024-7592, quadratic | http.cookies | 10 | 6 | 0 | cookies of every request |
| CVE-2025-8291, two readings | zipfile | 14 | 12 | 10 | archives, DOCX, ODT |
| gh-136063, quadratic | email.message | 15 | 13 | 10 | parameters of mails' parts |
| CVE-2026-3276, quadratic | unicodedata | 16 | 14 | 14 | texts and searches |

What reaches them is bounded here, so that an older one is served as well; the next flaw may not be.
"""


def complaint(version: tuple[int, ...] = sys.version_info[:3]) -> str | None:
    """What an administrator should know of this Python; None where nothing is amiss."""
    minor, micro = version[:2], version[2]
    needed = PATCHED.get((minor[0], minor[1]))
    if needed is None or micro >= needed:
        return None
    return (
        f"Python {'.'.join(map(str, version))} lacks security patches of its standard library "
        "(CVE-2024-7592, CVE-2025-8291, CVE-2026-3276; those that a distribution adds are not seen "
        f"here): {minor[0]}.{minor[1]}.{needed} or later is advised"
    )
