"""What is encrypted is refused by that word, with what to do; a stray NUL refuses nothing."""

import base64
import io
import zipfile

import pytest

from services.ingest.formats import kinds, mail, plain
from services.ingest.formats.html import decoded
from services.ingest.formats.model import Refused

HEAD = "From: a@b.fr\r\nTo: c@d.fr\r\nSubject: Note\r\nMIME-Version: 1.0\r\n"
PGP = "-----BEGIN PGP MESSAGE-----\r\n\r\nhQEMA1\r\n-----END PGP MESSAGE-----\r\n"
SIGNED = base64.b64encode(b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02").decode()
ENVELOPED = base64.b64encode(b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03").decode()


def smime(parameters: str, content: str) -> str:
    return (
        f"{HEAD}Content-Type: application/pkcs7-mime; {parameters}name=smime.p7m\r\n"
        f"Content-Transfer-Encoding: base64\r\n\r\n{content}\r\n"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (smime("smime-type=enveloped-data; ", ENVELOPED), "chiffré (S/MIME)"),
        (smime("smime-type=authEnveloped-data; ", ENVELOPED), "chiffré (S/MIME)"),
        (smime("", ENVELOPED).replace("pkcs7-mime", "x-pkcs7-mime"), "chiffré (S/MIME)"),
        (
            f"{HEAD}Content-Type: multipart/encrypted; boundary=x; "
            'protocol="application/pgp-encrypted"\r\n\r\n--x\r\n'
            "Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n--x\r\n"
            f"Content-Type: application/octet-stream\r\n\r\n{PGP}\r\n--x--\r\n",
            "chiffré (PGP)",
        ),
        (f"{HEAD}Content-Type: text/plain\r\n\r\n{PGP}", "chiffré (PGP)"),
        (smime("smime-type=signed-data; ", SIGNED), "enfermé dans sa signature"),
        (smime("", SIGNED), "enfermé dans sa signature"),
    ],
)
def test_an_encrypted_mail_is_refused_by_that_word(text: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        mail.read(text.encode())
    assert refused.value.status == 422
    assert said in refused.value.detail
    assert "enregistrer" in refused.value.detail


def test_a_mail_that_speaks_of_encryption_or_is_clear_signed_is_read() -> None:
    body = "La loi impose le chiffrement.\r\n\r\nVoir -----BEGIN PGP MESSAGE----- plus bas.\r\n"
    read = mail.read(f"{HEAD}Content-Type: text/plain\r\n\r\n{body}".encode())
    assert read.content is not None
    signed = mail.read(
        f"{HEAD}Content-Type: multipart/signed; boundary=x\r\n\r\n--x\r\n"
        f"Content-Type: text/plain\r\n\r\n{body}--x\r\n"
        "Content-Type: application/pkcs7-signature; name=smime.p7s\r\n\r\nMIAG\r\n"
        "--x--\r\n".encode()
    )
    assert signed.content is not None


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (PGP.encode(), "note.txt"),
        (PGP.encode(), "note.asc"),
        (b"\x85\x01\x0c\x03", "note.docx.gpg"),
    ],
)
def test_an_encrypted_file_is_refused_by_that_word(data: bytes, name: str) -> None:
    with pytest.raises(Refused) as refused:
        kinds.kind_of(data, name)
    assert "chiffré" in refused.value.detail


def test_an_encrypted_archive_and_document_say_so() -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as packed:
        packed.writestr("mimetype", "x")
    data = bytearray(held.getvalue())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(Refused) as refused:
        kinds.kind_of(bytes(data), "envoi.zip")
    assert "chiffrée" in refused.value.detail
    office = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le")
    with pytest.raises(Refused) as refused:
        kinds.kind_of(office, "note.docx")
    assert "chiffré" in refused.value.detail


TEXT = "Objet : Retraites\n\nLe gouvernement a adopté la réforme des pensions de retraite."


@pytest.mark.parametrize("at", [0, len("Objet : Ret"), len(TEXT)])
def test_a_stray_nul_is_left_out_of_text_page_and_mail(at: int) -> None:
    struck = f"{TEXT[:at]}\0{TEXT[at:]}"
    assert plain.read(struck.encode()) == plain.read(TEXT.encode())
    assert decoded(struck.encode()) == TEXT
    read = mail.read(f"{HEAD}Content-Type: text/plain; charset=utf-8\r\n\r\n{struck}".encode())
    assert read.content is not None
    assert read.content.text == TEXT


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode("utf-16-le"),
        b"\x00\x01\x02\x03" * 40,
        b"ab\x00cd\x05" + b"x" * 100,
        b"\0" * 9 + b"a",
    ],
)
def test_what_is_no_text_stays_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="texte"):
        plain.read(data)
    with pytest.raises(Refused):
        decoded(data)
