"""The rest of /v1: what became of messages, replies, money, a preview, and how the gateway is doing.

Plain functions, so that they run in threads: they read the database.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy import select

from gateway_core import encoding, ledger, messages, money, numbers
from gateway_core.accounts import Account
from gateway_core.cancel import cancel
from gateway_core.drafts import compose, draft
from gateway_core.errors import BadNumber
from gateway_core.messages import Actor, State
from gateway_core.storage import ids, tables
from mailgate import shown
from mailgate.http import bodies, edge, health
from mailgate.http.callers import caller
from mailgate.http.problems import Problem, field, not_found

_CANCELLABLE = frozenset(old for old, new in messages.MOVES if new == State.CANCELLED)

router = APIRouter()


class Page(BaseModel):
    """Where in a list, newest first."""

    model_config = ConfigDict(extra="forbid")
    cursor: str | None = None
    limit: int = Field(50, ge=1, le=200)

    def before(self, kind: str) -> int | None:
        """Raises a 422 problem for a cursor that is not of this list."""
        if self.cursor is None:
            return None
        before = ids.read(kind, self.cursor)
        if before is None:
            raise field("cursor", "must be the `next` of a page of this list")
        return before


class Filter(Page):
    state: State | None = None
    to: str | None = None


# --- messages ---------------------------------------------------------------------------------------------


@router.get("/v1/messages", response_model=None)
def list_messages(request: Request, wanted: Annotated[Filter, Query()]) -> Response:
    here, account = edge.of(request), caller(request)
    to = _number("to", wanted.to, account) if wanted.to is not None else None
    before = wanted.before("m")
    with here.gateway.reader.connect() as conn:
        rows = messages.page(
            conn, account_id=account.id, state=wanted.state, to=to, before=before, limit=wanted.limit + 1
        )
    return JSONResponse(shown.page("m", rows, [shown.message(row) for row in rows], wanted.limit))


@router.get("/v1/messages/{shown_id}", response_model=None)
def show_message(request: Request, shown_id: str) -> Response:
    account = caller(request)
    return JSONResponse(_message(request, account, _message_id(shown_id)))


@router.delete("/v1/messages/{shown_id}", response_model=None)
def cancel_message(request: Request, shown_id: str) -> Response:
    here, account = edge.of(request), caller(request)
    here.accepting()
    message_id = _message_id(shown_id)
    _message(request, account, message_id)  # whose it is; its state is decided by the cancelling commit
    was = cancel(here.gateway, message_id, Actor.ACCOUNT).result()
    if was not in _CANCELLABLE:
        raise Problem(409, "not_cancellable", f"the message is {was}; only HELD and QUEUED can be cancelled")
    return JSONResponse(_message(request, account, message_id))


def _message_id(shown_id: str) -> int:
    message_id = ids.read("m", shown_id)
    if message_id is None:
        raise not_found("no such message")
    return message_id


def _message(request: Request, account: Account, message_id: int) -> dict[str, Any]:
    """Raises a 404 problem, the same for another account's message as for none."""
    with edge.of(request).gateway.reader.connect() as conn:
        row = messages.find(conn, message_id, account.id)
        if row is None:
            raise not_found("no such message")
        return {**shown.message(row), "trail": shown.trail(messages.trail(conn, message_id))}


def _number(name: str, typed: str, account: Account) -> str:
    try:
        return numbers.parse(typed, account.terms.region)
    except BadNumber as error:
        fault = {"field": name, "detail": str(error)}
        raise Problem(422, error.code, f"{name}: {error}", errors=[fault]) from None


# --- replies, money ---------------------------------------------------------------------------------------


@router.get("/v1/replies", response_model=None)
def list_replies(request: Request, wanted: Annotated[Page, Query()]) -> Response:
    here, account = edge.of(request), caller(request)
    mo, before = tables.mo.c, wanted.before("r")
    statement = select(tables.mo).where(mo.account_id == account.id).order_by(mo.id.desc())
    if before is not None:
        statement = statement.where(mo.id < before)
    with here.gateway.reader.connect() as conn:
        rows = conn.execute(statement.limit(wanted.limit + 1)).mappings().all()
    return JSONResponse(shown.page("r", rows, [_reply(row) for row in rows], wanted.limit))


def _reply(row: Any) -> dict[str, Any]:
    return {
        "id": ids.show("r", row["id"]),
        "from": row["handset"],
        "to": row["number"],
        "text": row["text"],
        "at": shown.time(row["received_at"]),
    }


@router.get("/v1/balance", response_model=None)
def show_balance(request: Request) -> Response:
    here, account = edge.of(request), caller(request)
    with here.gateway.reader.connect() as conn:
        balance = ledger.balance(conn, account.id)
    return JSONResponse(
        {
            "balance": money.show(balance, account.currency),
            "currency": account.currency,
            "credit_limit": money.show(account.credit_limit, account.currency),
        }
    )


# --- preview ----------------------------------------------------------------------------------------------


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Previewed(bodies.Body):
    """`to` is a number, or a list as in POST /v1/messages."""

    text: bodies.Text
    to: Annotated[list[str], BeforeValidator(_as_list), Field(max_length=1000)] | None = None
    max_segments: Annotated[int, Field(ge=1, le=255)] | None = None


@router.post("/v1/preview", response_model=None)
async def preview(request: Request) -> Response:
    """What a submission would be, and cost, without making it. Refuses what submitting would refuse."""
    here, account = edge.of(request), caller(request)
    asked = bodies.parse(Previewed, await bodies.read(request))
    segments = compose(account.terms, asked.text, asked.max_segments)
    text = "".join(segments.parts)
    answer: dict[str, Any] = {
        "text": text,
        "encoding": segments.encoding,
        "segments": len(segments.parts),
        "parts": list(segments.parts),
        "costs": shown.costs(encoding.costs(text)),
    }
    if asked.to:
        to = {_number(f"to.{index}", typed, account) for index, typed in enumerate(asked.to)}
        price = sum(draft(here.gateway.snapshot, account, one, segments).price for one in to)
        answer["price"] = money.show(price, account.currency)
    return JSONResponse(answer)


@router.get("/v1/health", response_model=None)
def show_health(request: Request) -> Response:
    caller(request)
    return JSONResponse(health.progress(edge.of(request)).shown())
