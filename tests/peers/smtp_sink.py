"""Postfix's smtp-sink: a mail server that takes what comes, or has the faults that its options name."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from pathlib import Path

from core_support import wait_for
from peers_support import require_peer
from serve_support import accepts


@contextmanager
def sink(port: int, *options: str) -> Iterator[Path]:
    """A folder that fills with the mails that arrived."""
    program = shutil.which("smtp-sink", path="/usr/sbin:/usr/bin")
    require_peer("smtp-sink of Postfix", program is not None)
    assert program is not None
    folder = Path(tempfile.mkdtemp(prefix="mailgate-sink-"))
    if os.getuid() == 0:
        shutil.chown(folder, "nobody")
        options = ("-u", "nobody", *options)
    template = f"{folder}/%M."
    child = subprocess.Popen([program, *options, "-d", template, f"127.0.0.1:{port}", "50"], cwd="/")
    try:
        wait_for(lambda: accepts(port))
        yield folder
    finally:
        child.terminate()
        child.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def arrived(folder: Path) -> list[Message]:
    """The mails; smtp-sink writes the envelope above each as X- headers."""
    return [message_from_bytes(path.read_bytes()) for path in sorted(folder.iterdir())]
