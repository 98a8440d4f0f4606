"""The outbox: mail that is kept because no smarthost is set, in a Maildir that `mailgate.outbound` writes."""

import email.errors
import email.header
import email.parser
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from mailgate import shown
from mailgate.http import edge, pages
from mailgate.http.local import only_local
from mailgate.http.problems import not_found

MOST_MAILS = 200
_LONGEST_HEAD = 65_536
_ID = re.compile(r"[a-z0-9]{1,100}")  # a file name, so nothing that could leave the folder

router = APIRouter(dependencies=[Depends(only_local)])


@router.get("/outbox", response_model=None)
def list_mails(request: Request) -> Response:
    mails = [_summary(path, at) for path, at in _newest(_folder(request))]
    if pages.wants_json(request):
        return pages.json({"mails": mails})
    return pages.page("outbox.html", mails=mails, most=MOST_MAILS)


@router.get("/outbox/{mail_id}", response_model=None)
def show_mail(request: Request, mail_id: str) -> Response:
    """The raw message, as text whatever it holds."""
    if not _ID.fullmatch(mail_id):
        raise not_found("no such mail")
    try:
        raw = (_folder(request) / mail_id).read_bytes()
    except OSError:
        raise not_found("no such mail") from None
    return Response(raw, headers=pages.HEADERS, media_type="text/plain; charset=utf-8")


def _folder(request: Request) -> Path:
    return edge.of(request).intake.settings.data / "outbox" / "new"


def _newest(folder: Path) -> list[tuple[Path, int]]:
    """(file, milliseconds) of the newest mails; the name decides between two of one moment."""
    files = sorted(_files(folder), key=lambda file: (file[1], file[0].name), reverse=True)
    return files[:MOST_MAILS]


def _files(folder: Path) -> Iterator[tuple[Path, int]]:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:  # nothing was ever kept
        return
    for entry in entries:
        if _ID.fullmatch(entry.name) and entry.is_file():
            yield Path(entry.path), entry.stat().st_mtime_ns // 1_000_000


def _summary(path: Path, at: int) -> dict[str, Any]:
    with path.open("rb") as file:
        head = file.read(_LONGEST_HEAD)
    fields = email.parser.BytesHeaderParser().parsebytes(head)
    return {
        "id": path.name,
        "to": _decoded(fields.get("Delivered-To") or fields.get("To", "")),
        "subject": _decoded(fields.get("Subject", "")),
        "at": shown.time(at),
    }


def _decoded(value: Any) -> str:
    """A header for people (RFC 2047); one that cannot be decoded as it stands."""
    try:
        text = str(email.header.make_header(email.header.decode_header(value)))
    except (email.errors.MessageError, LookupError, ValueError):
        text = str(value)
    return " ".join(text.split()).encode("utf-8", "replace").decode()
