"""Money of accounts: top-ups by the operator, and the ledger as its account sees it."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import AfterValidator, Field
from sqlalchemy import select

from gateway_core import keys, money, statements, topups
from gateway_core.errors import Refused
from gateway_core.storage import ids, tables
from gateway_core.topups import TopUp
from mailgate import shown
from mailgate import statements as tables_of
from mailgate.http import bodies, edge
from mailgate.http.callers import caller, operator
from mailgate.http.problems import Problem, not_found
from mailgate.http.v1 import Page

router = APIRouter()


def _amount(value: str) -> str:
    if money.parse(value) <= 0:
        raise ValueError("must be more than 0; to take back is a matter of the command line")
    return value


class Credit(bodies.Body):
    amount: Annotated[str, Field(max_length=30), AfterValidator(_amount)]
    note: Annotated[bodies.Text, Field(max_length=500)] = ""


@router.post("/v1/accounts/{name}/credit", response_model=None)
async def credit(request: Request, name: str) -> Response:
    """Enter a top-up. The same Idempotency-Key again enters nothing, and is answered alike."""
    operator(request)
    here = edge.of(request)
    here.accepting()
    account = here.gateway.snapshot.account(name)
    if account is None:
        raise not_found("no such account")
    asked = bodies.parse(Credit, await bodies.read(request))
    header = request.headers.get("idempotency-key")
    key = keys.normal(header) if header else ""
    if header is not None and not key:
        raise Problem(400, "bad_request", "Idempotency-Key is empty")
    unit = TopUp(here.gateway.ids, account.id, money.parse(asked.amount), asked.note, key)
    # Shielded: a request that is cancelled must not cancel the future, which others are folded with.
    entered = await asyncio.shield(asyncio.wrap_future(here.gateway.writer.put(topups.enter, unit)))
    if isinstance(entered, Refused):
        raise Problem(422, entered.code, str(entered))
    balance = money.show(entered.balance, account.currency)
    return JSONResponse({"account": account.name, "balance": balance, "currency": account.currency})


@router.get("/v1/ledger", response_model=None)
def list_ledger(request: Request, wanted: Annotated[Page, Query()]) -> Response:
    """What was charged, given back and topped up, newest first."""
    here, account = edge.of(request), caller(request)
    e, before = tables.ledger_entry.c, wanted.before("l")
    statement = select(tables.ledger_entry).where(e.account_id == account.id)
    if before is not None:
        statement = statement.where(e.id < before, e.at <= ids.made_at(before))
    with here.gateway.reader.connect() as conn:
        rows = (
            conn.execute(statement.order_by(e.at.desc(), e.id.desc()).limit(wanted.limit + 1))
            .mappings()
            .all()
        )
    found = [
        {
            "id": ids.show("l", row["id"]),
            "at": shown.time(row["at"]),
            "kind": row["kind"],
            "amount": money.show(row["amount"], account.currency),
            "message": ids.show("m", row["message_id"]) if row["message_id"] else None,
            "note": row["note"],
        }
        for row in rows
    ]
    return JSONResponse(shown.page("l", rows, found, wanted.limit))


@router.get("/v1/statements", response_model=None)
def list_statements(request: Request) -> Response:
    """The months of which there is one, newest first."""
    here, account = edge.of(request), caller(request)
    with here.gateway.reader.connect() as conn:
        found = [shown.statement(facts) for facts in statements.stored(conn, account.id)]
    return JSONResponse({"items": found, "next": None})


@router.get("/v1/statements/{month}", response_model=None)
def show_statement(request: Request, month: str) -> Response:
    """One month, as JSON, or as CSV where the request accepts text/csv."""
    here, account = edge.of(request), caller(request)
    with here.gateway.reader.connect() as conn:
        found = statements.stored(conn, account.id, month)
    if not found:
        raise not_found("no statement of that month")
    if "text/csv" in request.headers.get("accept", ""):
        return Response(tables_of.as_csv(found[0]), media_type="text/csv; charset=utf-8; header=present")
    return JSONResponse(shown.statement(found[0]))
