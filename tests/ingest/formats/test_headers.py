"""Mails whose headers are too long, too many or too deep: refused alone, before they cost time."""

from zipfile import ZIP_STORED

import pytest

from schemas.marks import Marks
from services.ingest.formats import Document, Unreadable, extract
from services.ingest.formats import headers as limits
from tests.ingest.formats.making import zipped

HEAD = b"From: a@b.fr\r\nTo: c@d.fr\r\nDate: Wed, 4 Mar 2026 10:00:00 +0100\r\n"
TEXT = b"\r\nLa r\xc3\xa9forme des retraites est adopt\xc3\xa9e.\r\n"
MULTIPART = b'Content-Type: multipart/mixed; boundary="b%d"\r\n'
WORD = b"=?utf-8?q?a?="
LONG = limits.MAX_HEADER_BYTES


def mail(*headers: bytes, text: bytes = TEXT) -> bytes:
    return HEAD + b"".join(header + b"\r\n" for header in headers) + text


def parts(*heads: bytes) -> bytes:
    """A mail of parts with these heads."""
    inside = b"".join(b"--b0\r\n" + head + b"\r\n" + TEXT for head in heads)
    return HEAD + MULTIPART % 0 + b"\r\n" + inside + b"--b0--\r\n"


def nested(depth: int) -> bytes:
    """A mail of multiparts, each in the one before."""
    opened = b"".join(b"--b%d\r\n" % (at - 1) + MULTIPART % at + b"\r\n" for at in range(1, depth))
    return HEAD + MULTIPART % 0 + b"\r\n" + opened + b"--b%d\r\n" % (depth - 1) + TEXT


ATTACKS = {
    "encoded words": mail(b"Subject: " + b" ".join([WORD] * 50_000)),
    "encoded words in lines": mail(b"Subject: " + b"\r\n ".join([WORD] * 50_000)),
    "words of two codecs": mail(b"X-A: " + WORD.join([b" b "] * 50_000)),
    "one word": mail(b"Subject: =?utf-8?b?" + b"QUFB" * 50_000 + b"?="),
    "codec of domains": mail(b"Subject: =?punycode?q?" + b"a" * 200_000 + b"?="),
    "addresses": mail(b"Cc: " + b", ".join([b"a@b.fr"] * 50_000)),
    "references": mail(b"References: " + b" ".join([b"<a@b>"] * 50_000)),
    "a header's name": mail(b"X" * 100_000 + b": a"),
    "quotes in a type": mail(b'Content-Type: text/plain; x="' + b";" * 32_000),
    "a short type of them": mail(b'Content-Type: text/plain; x="' + b";" * 200),
    "continuations": mail(
        b"Content-Type: text/plain" + b"".join(b";a*%d=b" % n for n in range(9_000))
    ),
    "a name's continuations": parts(
        b"Content-Disposition: attachment" + b"".join(b";filename*%d=b" % n for n in range(300))
    ),
    "a type in each part": parts(*[b'Content-Type: text/plain; x="' + b";" * 8_000] * 100),
    "headers": mail(*[b"X: a"] * 100_000),
    "a chain of Received": mail(*[b"Received: from a by b"] * 50_000),
    "headers of parts": parts(*[b"\r\n".join([b"X: a"] * 250)] * 100),
    "bytes of headers": mail(*[b"X-A: " + b"a" * 60_000] * 80),
    "lines": mail(text=b"\r\n" + b"a\r\n" * 1_100_000),
    "levels": nested(300),
    "mails in mails": (HEAD + b"Content-Type: message/rfc822\r\n\r\n") * 1_000 + mail(),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_mail_that_costs_too_much_is_refused_and_the_rest_of_its_archive_read(
    attack: str,
) -> None:
    files = {"a.eml": mail(), "b.eml": ATTACKS[attack], "c.txt": TEXT}
    first, refused, last = extract(zipped(files, ZIP_STORED), "n.zip")
    assert isinstance(first, Document)
    assert isinstance(last, Document)
    assert isinstance(refused, Unreadable)
    assert refused.name == "n.zip/b.eml"
    assert refused.status in (413, 422)
    assert "ourriel" in refused.detail


@pytest.mark.parametrize(
    "usual",
    [
        mail(b"Subject: " + b"\r\n ".join([WORD] * 1_000)),
        mail(b"To: " + b",\r\n ".join([b"Camille Lemaire <camille.lemaire@dss.fr>"] * 1_000)),
        mail(*[b"Received: from a by b; " + b"x" * 400] * 60),
        mail(b"X-A: " + b"a" * (LONG - 100)),
        parts(*[b"Content-Type: text/plain; charset=utf-8; format=flowed"] * 400),
        parts(b"Content-Type: text/plain" + b"".join(b";\r\n name*%d=a" % n for n in range(50))),
        nested(15),
        mail(text=b"\r\n" + b"Retraites.\r\n" * 20_000),
    ],
)  # fmt: skip
def test_a_mail_as_people_send_it_is_read(usual: bytes) -> None:
    (found,) = extract(usual, "n.eml")
    assert isinstance(found, Document), found


def test_a_mark_in_a_long_header_is_found_all_the_same() -> None:
    words = b" ".join([b"mot"] * 5_000)
    (found,) = extract(mail(b"Sensitivity: Diffusion Restreinte", b"X-A: " + words), "n.eml")
    assert isinstance(found, Document)
    assert found.marks != Marks()
