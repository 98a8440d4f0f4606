"""POST /v1/messages: the door for programs. Answered after the commit, never before."""

import asyncio
import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import AfterValidator, BeforeValidator, Field

from gateway_core import keys, money, numbers
from gateway_core.accounts import Account
from gateway_core.drafts import Submission
from gateway_core.errors import BadNumber, KeyReused, Refused
from gateway_core.keys import Key
from gateway_core.storage import clock, ids
from gateway_core.submit import Accepted, Outcome, submit
from mailgate.http import bodies, edge
from mailgate.http.callers import caller
from mailgate.http.edge import Edge
from mailgate.http.problems import Problem

MOST_RECIPIENTS = 1000
_READ_HERE = 50  # more numbers are read in a thread, so that no other request waits for them
_MOST_AHEAD_MS = 366 * clock.DAY
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)

router = APIRouter()


def _milliseconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment.upper()).timestamp() * 1000)


def _moment(value: str) -> str:
    if not _RFC3339.fullmatch(value):
        raise ValueError("must be a time as in RFC 3339, such as 2025-01-31T12:00:00Z")
    if _milliseconds(value) > clock.now() + _MOST_AHEAD_MS:
        raise ValueError("must be within a year")
    return value


def _later(value: Any) -> None:
    if value is not None:
        raise ValueError("not available in this version")


class Asked(bodies.Body):
    """The body. What is left out is as the account's terms say."""

    to: list[str] = Field(min_length=1, max_length=MOST_RECIPIENTS)
    text: bodies.Text
    sender_id: Annotated[bodies.Text, Field(max_length=32)] | None = None
    send_at: Annotated[str, AfterValidator(_moment)] | None = None
    validity_minutes: Annotated[int, Field(ge=1, le=60 * 24 * 30)] | None = None
    client_ref: Annotated[bodies.Text, Field(max_length=255)] | None = None
    max_segments: Annotated[int, Field(ge=1, le=255)] | None = None
    flash: bool | None = None
    urgent: bool | None = None
    callback_url: Annotated[None, BeforeValidator(_later)] = None

    def starts_at(self) -> int | None:
        """None: now, also when the moment has passed."""
        at = _milliseconds(self.send_at) if self.send_at else 0
        return at if at > clock.now() else None


@router.post("/v1/messages", response_model=None)
async def submit_messages(request: Request) -> Response:
    here, account = edge.of(request), caller(request)
    here.accepting()
    raw = await bodies.read(request)
    asked = bodies.parse(Asked, raw)
    key = _key(request, asked, raw)
    many = len(asked.to) > _READ_HERE
    typed = (
        await asyncio.to_thread(_read_numbers, account, asked.to)
        if many
        else _read_numbers(account, asked.to)
    )
    with _in_progress(here, account, key):
        outcome = await _submit(here, account, asked, typed, key, edge.peer(request))
    return _answer(here, account, typed, outcome, edge.peer(request))


# --- asking -----------------------------------------------------------------------------------------------


def _key(request: Request, asked: Asked, raw: bytes) -> Key | None:
    """The Idempotency-Key; the text's digest is the one that mail's keys have, so that a repeat crosses doors."""
    header = request.headers.get("idempotency-key")
    if header is None:
        return None
    value = keys.normal(header)
    if not value:
        raise Problem(400, "bad_request", "Idempotency-Key is empty")
    canonical = json.dumps(json.loads(raw), sort_keys=True, separators=(",", ":"))
    return Key(value, keys.digest(asked.text), request_digest=keys.digest(canonical))


def _read_numbers(account: Account, typed: Sequence[str]) -> dict[str, str | BadNumber]:
    """Each recipient once, in order: as typed, and as E.164 or what is wrong with it."""
    return {one: _read_number(one, account.terms.region) for one in dict.fromkeys(typed)}


def _read_number(typed: str, region: str) -> str | BadNumber:
    try:
        return numbers.parse(typed, region)
    except BadNumber as error:
        return error


@contextlib.contextmanager
def _in_progress(here: Edge, account: Account, key: Key | None) -> Iterator[None]:
    """One request at a time under one key. Raises a 409 problem."""
    if key is None:
        yield
        return
    mark = (account.id, key.value)
    if mark in here.in_progress:
        words = "a request with this Idempotency-Key is in progress"
        raise Problem(409, "in_progress", words, headers={"Retry-After": "1"})
    here.in_progress.add(mark)
    try:
        yield
    finally:
        here.in_progress.discard(mark)


async def _submit(
    here: Edge, account: Account, asked: Asked, typed: dict[str, str | BadNumber], key: Key | None, peer: str
) -> Outcome:
    to = tuple(dict.fromkeys(number for number in typed.values() if isinstance(number, str)))
    if not to:
        return Outcome(0, ())
    submission = Submission(
        account,
        to,
        asked.text,
        origin={"door": "http", "peer": peer},
        sender="api",
        key=key,
        sender_id=asked.sender_id or "",
        client_ref=asked.client_ref,
        max_segments=asked.max_segments,
        validity_minutes=asked.validity_minutes,
        send_at=asked.starts_at(),
        flash=bool(asked.flash),
        urgent=bool(asked.urgent),
    )
    # Shielded: a request that is cancelled must not cancel the writer's future, which others are folded with.
    return await asyncio.shield(asyncio.wrap_future(submit(here.gateway, submission)))


# --- answering --------------------------------------------------------------------------------------------


def _answer(
    here: Edge, account: Account, typed: dict[str, str | BadNumber], outcome: Outcome, peer: str
) -> Response:
    results = _in_order(typed, outcome)
    refused = [(to, result) for to, result in results.items() if isinstance(result, Refused)]
    for to, error in refused:
        here.refused(peer, error.code, str(error), account=account.name, recipient=to)
    messages = [_shown(to, result, account.currency) for to, result in results.items()]
    if len(refused) == len(results):
        raise _all_refused([error for _, error in refused], messages)
    shown = {"submission": ids.show("s", outcome.submission_id), "messages": messages}
    return JSONResponse(shown, 202)


def _in_order(typed: dict[str, str | BadNumber], outcome: Outcome) -> dict[str, Accepted | Refused]:
    """One result a recipient, in the order of the request; two spellings of one number are one recipient."""
    decided = dict(outcome.results)
    results: dict[str, Accepted | Refused] = {}
    for one, number in typed.items():
        if isinstance(number, str):
            results[number] = decided[number]
        else:
            results[one] = number
    return results


def _shown(to: str, result: Accepted | Refused, currency: str) -> dict[str, Any]:
    if isinstance(result, Refused):
        return {"to": to, "error": {"code": result.code, "detail": str(result)}}
    return {
        "id": ids.show("m", result.message_id),
        "to": to,
        "state": result.state,
        "segments": result.segments,
        "encoding": result.encoding,
        "price": money.show(result.price, currency),
    }


def _all_refused(errors: Sequence[Refused], messages: Sequence[dict[str, Any]]) -> Problem:
    first = next((error for error in errors if isinstance(error, KeyReused)), errors[0])
    alike = len({str(error) for error in errors}) == 1 or isinstance(first, KeyReused)
    words = str(first) if alike else f"all {len(errors)} recipients were refused"
    waits = max(error.after_seconds for error in errors)
    headers = {"Retry-After": str(waits)} if waits else None
    return Problem(422, first.code, words, headers=headers, more={"messages": list(messages)})
