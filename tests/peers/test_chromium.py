"""The pages in a real browser: Chromium shows a phone with what arrived on it."""

import shutil
import struct
import subprocess
import zlib
from pathlib import Path

from peers_support import require_peer
from serve_support import serving, written

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
    *("--hide-scrollbars", "--window-size=480,800"),
]
PHONE = "+447700900123"


def chromium(profile: Path, *arguments: str) -> bytes:
    program = shutil.which("chromium")
    require_peer("chromium", program is not None)
    command = [str(program), *FLAGS, f"--user-data-dir={profile}", *arguments]
    done = subprocess.run(command, capture_output=True, timeout=90, check=False, cwd=profile)
    assert done.returncode == 0, done.stderr
    return done.stdout


def pixels(png: bytes) -> tuple[int, int, int]:
    """(width, height, different bytes in the picture); a blank page has a handful (PNG, chapter 5)."""
    assert png.startswith(b"\x89PNG")
    place, data, size = 8, b"", (0, 0)
    while place < len(png):
        length, kind = struct.unpack(">I4s", png[place : place + 8])
        chunk = png[place + 8 : place + 8 + length]
        if kind == b"IHDR":
            size = struct.unpack(">II", chunk[:8])
        data += chunk if kind == b"IDAT" else b""
        place += length + 12
    return (*size, len(set(zlib.decompress(data))))


def test_the_phone_page(tmp_path: Path) -> None:
    profile, served = tmp_path / "profile", tmp_path / "served"
    profile.mkdir()
    served.mkdir()
    with serving(served) as serve:
        mail = written("ada@client.example", "Dinner at eight? <b>æøå</b> ☺\n", message_id="a@client.example")
        serve.send(mail, "07700900123@sms.localhost")
        text = serve.wait_for_texts(PHONE, 1)[0]
        serve.type(PHONE, text["peer"], "Lovely, I bring the wine")
        url = f"http://127.0.0.1:{serve.http}/phones/{PHONE}"
        seen = chromium(profile, "--dump-dom", url).decode()
        chromium(profile, f"--screenshot={tmp_path / 'phone.png'}", url)
    assert "Dinner at eight? &lt;b&gt;æøå&lt;/b&gt; ☺" in seen
    assert "Lovely, I bring the wine" in seen
    width, height, different = pixels((tmp_path / "phone.png").read_bytes())
    assert width >= 480
    assert height >= 500
    assert different > 50
