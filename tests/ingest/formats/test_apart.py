"""Reading in a process apart: the same answers, and what a document cannot do from there."""

import asyncio
import base64
import os
import subprocess
import sys
from encodings.aliases import aliases
from pathlib import Path

import pytest

from services.ingest.formats import Document, Unreadable, apart, extract
from services.ingest.formats.apart import extract_apart
from tests.ingest.formats.making import docx, eml, odt, paragraphs, pdf, zipped

ROOT = Path(__file__).resolve().parents[3]
TEXT = "La réforme des retraites est adoptée."


async def test_it_gives_what_extract_gives() -> None:
    data = zipped(
        {
            "a.txt": TEXT,
            "b.docx": docx(paragraphs("Objet : Retraites", TEXT)),
            "c.pdf": pdf([TEXT]),
            "d.eml": eml(TEXT, files={"e.pdf": pdf([TEXT]), "f.xlsx": b"x"}),
            "g.png": b"\x89PNG",
        }
    )
    found = await extract_apart(data, "notes.zip")
    assert found == extract(data, "notes.zip")
    assert len(found) == 6


async def test_many_files_at_once_each_get_their_own() -> None:
    texts = [f"Note numéro {number}\n\n{TEXT}".encode() for number in range(5)]
    found = await asyncio.gather(*(extract_apart(text, "note.txt") for text in texts))
    assert [each[0] for each in found] == [extract(text, "note.txt")[0] for text in texts]


async def test_a_document_too_slow_costs_that_document_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(apart, "DOCUMENT_SECONDS", 0.01)
    (found,) = await extract_apart(TEXT.encode(), "note.txt")
    assert isinstance(found, Unreadable)
    assert (found.status, found.name) == (422, "note.txt")
    assert "trop de temps" in found.detail


async def test_a_document_too_greedy_costs_that_document_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(apart, "MEMORY_BYTES", 320 * 1024 * 1024)
    heavy = docx(paragraphs(TEXT) + "".join(f"<w:p><w:r/>{n}</w:p>" for n in range(900_000)))
    data = zipped({"a.txt": TEXT, "b.docx": heavy, "c.txt": TEXT})
    first, greedy, last = await extract_apart(data, "notes.zip")
    assert isinstance(first, Document)
    assert isinstance(greedy, Unreadable)
    assert (greedy.status, greedy.name) == (422, "notes.zip/b.docx")
    assert isinstance(last, Document)


async def test_a_process_that_dies_costs_the_document_it_was_reading(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A child of ours with a reader that kills its process on one document.
    (tmp_path / "fatal.py").write_text(
        "import os\n"
        "from services.ingest.formats import documents\n"
        "read = documents.read\n"
        "def fatal(part):\n"
        "    if part.name.endswith('b.txt'):\n"
        "        os.abort()\n"
        "    return read(part)\n"
        "documents.read = fatal\n"
        "from services.ingest.formats import child\n"
        "import sys\n"
        "child.main(sys.stdin.buffer, sys.stdout.buffer)\n"
    )
    monkeypatch.setattr(apart, "PROGRAM", (str(tmp_path / "fatal.py"),))
    data = zipped({"a.txt": TEXT, "b.txt": TEXT, "c.txt": TEXT})
    first, fatal, last = await extract_apart(data, "notes.zip")
    assert isinstance(first, Document)
    assert isinstance(fatal, Unreadable)
    assert (fatal.status, fatal.name) == (422, "notes.zip/b.txt")
    assert isinstance(last, Document)


async def test_whoever_no_longer_waits_leaves_no_process_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = tmp_path / "said"
    os.mkfifo(said)
    (tmp_path / "waiting.py").write_text(
        "import os, pathlib, signal\n"
        f"pathlib.Path({str(said)!r}).write_text(str(os.getpid()))\n"
        "signal.pause()\n"
    )
    monkeypatch.setattr(apart, "PROGRAM", (str(tmp_path / "waiting.py"),))
    task = asyncio.create_task(extract_apart(TEXT.encode(), "note.txt"))
    process = await asyncio.to_thread(said.read_text)
    assert _runs(process)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert not _runs(process)


def test_a_service_that_is_killed_leaves_no_process_behind() -> None:
    child = (
        "import threading; from services.ingest.formats import sandbox;"
        "sandbox.confine(512 * 1024 * 1024, 30); print('ready', flush=True);"
        "held = threading.Lock(); held.acquire(); held.acquire()"
    )
    service = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", service], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "ready\n"
        started.kill()
        # The end of the output: nobody holds it any more.
        assert started.communicate(timeout=20)[0] == ""


def test_a_confined_process_reaches_nothing() -> None:
    program = """
import os, socket, subprocess, sys
from services.ingest.formats import sandbox
fenced = sandbox.confine(512 * 1024 * 1024, 30)
def refused(act):
    try:
        act()
    except (OSError, MemoryError):
        return True
    return False
print(fenced, [
    refused(lambda: socket.socket()),
    refused(lambda: socket.socketpair()),
    refused(lambda: subprocess.run(["true"])),
    refused(lambda: os.fork()),
    refused(lambda: os.unlink(sys.argv[1])),
    refused(lambda: open(sys.argv[1], "a").write("x" * 100_000)),
    refused(lambda: bytearray(1024 * 1024 * 1024)),
])
"""
    told = subprocess.run(
        [sys.executable, "-c", program, str(Path(__file__))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    if told.startswith("False"):
        pytest.skip("no filter of system calls on this machine")
    assert told == f"True {[True] * 7}\n"


async def test_the_process_knows_nothing_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "tell.py").write_text(
        "import os, sys\n"
        "from services.ingest.formats.frames import frame\n"
        "names = ' '.join(sorted(os.environ))\n"
        "sys.stdout.buffer.write(frame({'name': 'a', 'status': 422, 'detail': names}))\n"
        "sys.stdout.buffer.write(frame({'end': True}))\n"
    )
    monkeypatch.setenv("VALISE_DATABASE_PASSWORD", "secret")
    monkeypatch.setattr(apart, "PROGRAM", (str(tmp_path / "tell.py"),))
    (found,) = await extract_apart(TEXT.encode(), "note.txt")
    assert isinstance(found, Unreadable)
    assert "VALISE" not in found.detail


PAGE = "<html><head><meta charset='{}'></head><body><h1>Note</h1><p>{}</p></body></html>"
ENCODINGS = sorted(set(aliases.values()))


async def test_all_encodings_are_read_in_there() -> None:
    """One archive with a page and a mail in each encoding that Python knows."""
    files: dict[str, bytes] = {}
    for name in ENCODINGS:
        try:
            text = "Réforme adoptée, taux stable".encode(name, "replace")
            page = PAGE.format(name, "Texte de la note, abc").encode(name, "replace")
        except (LookupError, ValueError, UnicodeError):
            continue  # of Windows, or none of texts
        words = base64.b64encode(text).decode()
        header = f"Subject: =?{name}?b?{words}?=\nContent-Type: text/plain; charset={name}\n"
        mail = f"From: a@b.fr\n{header}Content-Transfer-Encoding: base64\n\n{words}\n"
        files |= {f"{name}.html": page, f"{name}.eml": mail.encode()}
    assert len(files) > 150
    data = zipped(files)
    assert await extract_apart(data, "notes.zip") == extract(data, "notes.zip")


async def test_large_documents_are_read_in_there() -> None:
    long = docx(paragraphs("Objet : Retraites", *[f"{n} {TEXT * 10}" for n in range(4_000)]))
    many = pdf(*([f"{TEXT} {line}" for line in range(40)] for _ in range(200)))
    data = zipped({"a.docx": long, "b.pdf": many})
    found = await extract_apart(data, "notes.zip")
    assert found == extract(data, "notes.zip")
    assert all(isinstance(each, Document) for each in found)


async def test_nothing_is_loaded_once_it_is_confined(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file that a reader opens after that, a module of Python's for one, would not be there."""
    (tmp_path / "watched.py").write_text(
        "import os, sys\n"
        "from services.ingest.formats import child, sandbox\n"
        "def watched(event, _):\n"
        "    if event in ('open', 'os.listdir', 'ctypes.dlopen'):\n"
        "        os.abort()\n"
        "sandbox.confine = lambda *_: sys.addaudithook(watched)\n"
        "child.main(sys.stdin.buffer, sys.stdout.buffer)\n"
    )
    monkeypatch.setattr(apart, "PROGRAM", (str(tmp_path / "watched.py"),))
    data = zipped(
        {
            "a.txt": f"Ambassade de France en Allemagne\n\n{TEXT}",
            "b.docx": docx(paragraphs("Objet : Retraites", TEXT)),
            "c.pdf": pdf([TEXT]),
            "d.eml": eml(TEXT, files={"e.pdf": pdf([TEXT]), "f.eml": eml(TEXT)}),
            "g.odt": odt(f"<text:p>{TEXT}</text:p>"),
            "h.html": PAGE.format("shift_jis", TEXT),
            "i.docx": b"PK\x03\x04",
            "j.pdf": b"%PDF-1.7",
            "ô.txt": TEXT.encode("cp1252"),
            "secret.txt": f"SECRET DÉFENSE\n\n{TEXT}",
        }
    )
    assert await extract_apart(data, "notes.zip") == extract(data, "notes.zip")


def _runs(process: str) -> bool:
    return Path(f"/proc/{process}").exists()
