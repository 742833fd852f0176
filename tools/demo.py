"""`make demo`: the embedded deployment with a dozen notes in it, in one command.

Starts `valise serve` on `.demo/` (kept between runs), submits the notes named by NOTES, waits until
they are found, shows what was found and where to look, then serves until Ctrl-C or SIGTERM
(DEMO_EXIT=1: stops by itself). Exits 1 where a note is refused or does not arrive.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from services.cli.labels import OUTCOMES
from services.runtime.access.key_file import NAME, read_key

ROOT = Path(__file__).resolve().parent.parent
VALISE = Path(sys.executable).parent / "valise"
DATA = ROOT / ".demo"
START_SECONDS = 60
ARRIVE_SECONDS = 120
PORT = 8000
OF_OTHERS = ("VALISE_KAFKA", "VALISE_ELASTICSEARCH", "VALISE_DATABASE", "VALISE_KEY")
"""Beginnings of settings that are another deployment's."""


def main() -> int:
    """Run the demonstration; its exit code."""
    began = time.monotonic()
    # Ended from outside as by Ctrl-C: by itself Python would leave the server running.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    DATA.mkdir(exist_ok=True)
    port = free_port(PORT)
    url = f"http://127.0.0.1:{port}"
    env = {**os.environ, "VALISE_URL": url, "VALISE_PUBLIC_URL": url, "VALISE_DATA": str(DATA)}
    for setting in list(env):
        if setting.startswith(OF_OTHERS):
            del env[setting]
    with (DATA / "serve.log").open("ab") as log:
        server = subprocess.Popen(
            [VALISE, "serve", "--data", DATA, "--port", str(port)], env=env, stderr=log, stdout=log
        )
    try:
        if not wait_for(url, server):
            print(f"Le service n'a pas démarré ; voir {DATA / 'serve.log'}")
            return 1
        print(f"Service démarré en {time.monotonic() - began:.1f} s : {url}\n")
        complete = submit(env)
        show(url)
        print(f"\nDe la commande à ces notes : {time.monotonic() - began:.1f} s.")
        if os.environ.get("DEMO_EXIT"):
            print(f"Données gardées dans {os.path.relpath(DATA, ROOT)}/.")
            return 0 if complete else 1
        open_pages(env)
        print("Dans un autre terminal, pour les commandes « valise » :")
        print(f"  export VALISE_URL={env['VALISE_URL']} VALISE_DATA={os.path.relpath(DATA, ROOT)}")
        print("Ctrl-C pour arrêter ; les données restent dans .demo/.")
        server.wait()
    except KeyboardInterrupt:
        print()
    finally:
        server.terminate()
        server.wait()
    return 0


def free_port(wanted: int) -> int:
    """The wanted port, or another one where it is taken."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on this machine")


def wait_for(url: str, server: "subprocess.Popen[bytes]") -> bool:
    """Whether the service became ready in time."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            get(f"{url}/health/ready")
            return True
        except OSError:
            time.sleep(0.1)
    return False


def submit(env: dict[str, str]) -> bool:
    """Submit the notes and wait until each is indexed; False where one never is."""
    notes = os.environ.get("NOTES") or str(ROOT / "samples" / "notes.jsonl")
    given = {"VALISE_POST": "bruxelles", **env}
    print(f"Envoi de {notes} (valise submit ; textes au nom du poste {given['VALISE_POST']}) :")
    sent = subprocess.run(
        [VALISE, "submit", "--json", notes],
        env=given,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    waiting = {}
    parked: list[str] = []
    for line in sent.stdout.splitlines():
        answer = json.loads(line)
        label = OUTCOMES.get(answer["outcome"], answer["outcome"])
        print(f"  {label:<11} {answer['file']} {answer.get('detail', '')}".rstrip())
        if "id" in answer and answer["outcome"] in ("accepted", "duplicate"):
            waiting[answer["id"]] = answer["file"]
    end = time.monotonic() + ARRIVE_SECONDS
    while waiting and time.monotonic() < end:
        for note in list(waiting):
            state = get(f"{env['VALISE_URL']}/api/v1/notes/{note}/trace")["state"]
            if state == "parked":
                parked.append(waiting.pop(note))
            elif state in ("indexed", "withdrawn"):
                del waiting[note]
        time.sleep(0.1)
    for name in waiting.values():
        print(f"  toujours en attente : {name}")
    for name in parked:
        print(f"  mise à l'écart : {name}")
    return not waiting and not parked and sent.returncode == 0


def show(url: str) -> None:
    """Print what was found and the addresses to open."""
    everything = get(f"{url}/api/v1/search?size=1")
    print(f"\n{everything['total']} notes indexées. Par thème, pays et poste :")
    for facet, label in (("theme", "thèmes"), ("country", "pays"), ("post", "postes")):
        counts = ", ".join(f"{c['value']} {c['count']}" for c in everything["facets"][facet])
        print(f"  {label:<8} {counts}")
    for words in ("âge de la retraite", "médicaments prix négociés", "plateformes livreurs"):
        page = get(f"{url}/api/v1/search?{urllib.parse.urlencode({'q': words, 'size': 3})}")
        print(f"\n  « {words} » : {page['total']} en {page['took_ms']} ms")
        for hit in page["hits"]:
            print(f"    {textwrap.shorten(hit['subject'], 90, placeholder=' …')}")
            for tag in hit["themes"][:1]:
                evidence = ", ".join(f"« {e['text']} »" for e in tag["evidence"][:3])
                print(f"      {tag['theme']} {tag['score']:.2f} : {evidence}")
    print("\nÀ ouvrir, une fois connecté :")
    for label, path in (
        ("recherche", "/"),
        ("les fils", "/fils"),
        ("fil Atom", "/feeds/sante.atom"),
        ("fil JSON", "/feeds/protection_sociale.json"),
        ("API", "/openapi.json"),
    ):
        print(f"  {label:<10} {url}{path}")


def open_pages(env: dict[str, str]) -> None:
    """Print a link that signs a browser in, once."""
    print("\nPour ouvrir les pages (valise login) :", flush=True)
    subprocess.run([VALISE, "login"], env=env, check=True)


def get(address: str) -> Any:
    """The JSON at an address, for the administrator. Raises OSError where it is not answered."""
    # No proxy of the office stands between this machine and itself.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    asked = urllib.request.Request(
        address, headers={"Authorization": f"Bearer {read_key(DATA / NAME)}"}
    )
    with direct.open(asked, timeout=30) as response:
        return json.load(response)


if __name__ == "__main__":
    sys.exit(main())
