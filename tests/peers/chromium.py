"""Chromium, headless and offline: what it shows of a page, and the picture that it draws."""

import shutil
import struct
import subprocess
import zlib
from pathlib import Path

from peers_support import require_peer

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
    *("--hide-scrollbars", "--window-size=480,800"),
]


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
