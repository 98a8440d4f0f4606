"""Mail that stays here: a Maildir, which the pages show."""

import os
from pathlib import Path

from mailgate.outbound.sent import Sent
from mailgate.outgoing import Outgoing
from mailgate.settings import Settings


def outbox(settings: Settings) -> Path:
    return settings.data / "outbox"


def keep(maildir: Path, mail: Outgoing) -> Sent:
    """Durable, and the same file for the same mail however often it is sent."""
    try:
        for folder in ("tmp", "new", "cur"):
            (maildir / folder).mkdir(parents=True, exist_ok=True)
        temporary = maildir / "tmp" / mail.id
        with temporary.open("wb") as file:
            file.write(mail.content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(maildir / "new" / mail.id)
        _sync_folder(maildir / "new")
    except OSError as error:
        return Sent(gone=False, retry=True, words=f"outbox: {error.strerror or error}")
    return Sent(gone=True)


def _sync_folder(folder: Path) -> None:
    """The name is durable only with its folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
