"""Simulated phones: a page for people, JSON for programs. What is typed there arrives as a text from a handset."""

from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from gateway_core import encoding, numbers, phones
from gateway_core.deliver import deliver
from gateway_core.directory import Snapshot
from gateway_core.errors import BadNumber
from gateway_core.phones import Entry
from gateway_core.routing import Route
from gateway_core.sms import MO
from gateway_core.storage import ids
from mailgate import shown
from mailgate.http import bodies, edge, pages
from mailgate.http.edge import Edge
from mailgate.http.local import only_local
from mailgate.http.problems import Problem

_MOST_BUBBLES = 200  # on the page; JSON has them all

router = APIRouter(dependencies=[Depends(only_local)])


@router.get("/phones", response_model=None)
def list_phones(request: Request, number: str | None = None) -> Response:
    """`number` is the page's form: any number may be opened, also one that has no texts yet."""
    here = edge.of(request)
    if number is not None:
        return _open(here, number)
    known = _known(here)
    if pages.wants_json(request):
        return pages.json({"phones": known})
    return pages.page("phones.html", phones=known, typed="", fault="")


def _open(here: Edge, typed: str) -> Response:
    try:
        number = numbers.parse(typed, _region(here.gateway.snapshot))
    except BadNumber as error:
        return pages.page("phones.html", 400, phones=_known(here), typed=typed[:100], fault=str(error))
    return RedirectResponse(f"/phones/{number}", 303, pages.HEADERS)


def _known(here: Edge) -> list[dict[str, Any]]:
    with here.gateway.reader.connect() as conn:
        rows = phones.all_phones(conn)
    return [{"number": number, "messages": count, "at": shown.time(at)} for number, count, at in rows]


def _region(snapshot: Snapshot) -> str:
    """Whose national numbers the form understands: those of the account that may use simulated routes."""
    return next((one.terms.region for one in snapshot.accounts.values() if one.terms.test), "GB")


# --- one phone --------------------------------------------------------------------------------------------


@router.get("/phones/{typed}", response_model=None)
def show_phone(request: Request, typed: str) -> Response:
    here = edge.of(request)
    try:
        number = _number(typed)
    except Problem as problem:
        if pages.wants_json(request):
            raise
        return pages.page("phones.html", 404, phones=_known(here), typed=typed[:100], fault=problem.detail)
    with here.gateway.reader.connect() as conn:
        entries = [_shown(entry) for entry in phones.of_phone(conn, number)]
    if pages.wants_json(request):
        return pages.json({"number": number, "messages": entries})
    peer = entries[-1]["peer"] if entries else next(iter(here.gateway.snapshot.numbers), "")
    return pages.page(
        "phone.html",
        number=number,
        messages=entries[-_MOST_BUBBLES:],
        most=_MOST_BUBBLES,
        peer=peer,
        domain=here.intake.settings.mail.domains[0],
    )


def _number(typed: str) -> str:
    """With or without its +. Raises a 404 problem."""
    try:
        return numbers.parse_e164("+" + typed.strip().removeprefix("+"))
    except BadNumber as error:
        raise Problem(404, error.code, str(error)) from None


def _shown(entry: Entry) -> dict[str, Any]:
    # What the phone wrote is kept whole: its segments are counted as the network would.
    own = entry.direction == "out"
    return {
        "id": ids.show("p", entry.id),
        "direction": entry.direction,
        "peer": entry.peer,
        "text": entry.text,
        "segments": len(encoding.split(entry.text)) if own else entry.segments,
        "encoding": entry.encoding,
        "at": shown.time(entry.at),
        "possible_duplicate": entry.possible_duplicate,
        "flash": entry.flash,
    }


# --- texting from it --------------------------------------------------------------------------------------


class Typed(bodies.Body):
    to: str = Field(min_length=1, max_length=100)
    text: bodies.Text = Field(min_length=1, max_length=10_000)


@router.post("/phones/{typed}/messages", response_model=None)
async def text_from(request: Request, typed: str) -> Response:
    here = edge.of(request)
    here.accepting()
    number = _number(typed)
    asked = bodies.parse(Typed, await bodies.read(request))
    entry = await run_in_threadpool(_text, here, number, _peer(here.gateway.snapshot, asked.to), asked.text)
    return pages.json(entry, 201)


def _peer(snapshot: Snapshot, typed: str) -> str:
    """A number of ours as it stands, else as a phone would dial it. Raises a 422 problem."""
    if typed in snapshot.numbers:
        return typed
    try:
        own = numbers.parse_own(typed) if typed.startswith("+") else numbers.parse(typed, _region(snapshot))
    except BadNumber as error:
        fault = {"field": "to", "detail": str(error)}
        raise Problem(422, error.code, f"to: {error}", errors=[fault]) from None
    return own


def _text(here: Edge, number: str, to: str, text: str) -> dict[str, Any]:
    """The phone keeps what it wrote, then its network hands it to us."""
    gateway, route = here.gateway, _simulated(here.gateway.snapshot)
    row = phones.sent_row(gateway.ids, route.id, number, to, encoding.split(text))
    gateway.writer.put(phones.keep, [row]).result()
    deliver(gateway, route.id, [MO(row["carrier_ref"], number, to, row["text"])])
    entry = Entry(
        *(row["id"], "out", to, row["encoding"], row["at"]),
        possible_duplicate=False,
        flash=False,
        parts={1: row["text"]},
        segments=1,
    )
    return _shown(entry)


def _simulated(snapshot: Snapshot) -> Route:
    for route in snapshot.routes:
        if route.simulated:
            return route
    raise Problem(409, "no_simulator", "no route is simulated: there is no network that this phone is in")
