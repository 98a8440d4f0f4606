"""Errors as RFC 9457 problem documents: the one place that turns what went wrong into a status.

A peer is told what it may know: the words of a refusal, the field that is wrong, or a trace id.
"""

import secrets
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway_core.errors import GatewayError, NotKept, Refused, UnknownSender

RETRY_SECONDS = 5
_MOST_ERRORS = 20  # of one request; the rest is more of the same
_LONGEST_FIELD = 100

# The nearest class of an error's ancestry counts.
STATUS: dict[type[GatewayError], int] = {UnknownSender: 401, Refused: 422, NotKept: 503}

log = structlog.get_logger(__name__)


class Problem(Exception):
    """An answer that is an error. `more` are extension members (RFC 9457 §3.2)."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[dict[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.errors, self.headers, self.more = errors, headers, more or {}

    def response(self) -> Response:
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **({"errors": list(self.errors)} if self.errors else {}),
            **self.more,
        }
        return JSONResponse(document, self.status, self.headers, "application/problem+json")


def not_found(detail: str = "there is nothing here") -> Problem:
    return Problem(404, "not_found", detail)


def status_of(error: GatewayError) -> int:
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def of_error(error: GatewayError) -> Problem:
    """What the core said no with."""
    if isinstance(error, Refused):
        return Problem(status_of(error), error.code, str(error))
    words = "this could not be stored; repeat it, with the same Idempotency-Key if it had one"
    return Problem(status_of(error), "not_kept", words, headers={"Retry-After": str(RETRY_SECONDS)})


def of_fields(faults: Sequence[Any], *, skip: int = 0) -> Problem:
    """What pydantic found; `skip` leaves out the first parts of each place (FastAPI's "query")."""
    errors = [
        {"field": _field(fault["loc"][skip:]), "detail": _words(fault)} for fault in faults[:_MOST_ERRORS]
    ]
    return Problem(422, "invalid", f"{errors[0]['field']}: {errors[0]['detail']}", errors=errors)


def of_framework(error: HTTPException) -> Problem:
    """What Starlette answers by itself: no such path, not with that method."""
    code = HTTPStatus(error.status_code).name.lower()
    words = "there is nothing here" if error.status_code == 404 else str(error.detail)
    return Problem(error.status_code, code, words, headers=error.headers)


def field(name: str, detail: str) -> Problem:
    """One wrong field."""
    return Problem(422, "invalid", f"{name}: {detail}", errors=[{"field": name, "detail": detail}])


def _field(place: Sequence[int | str]) -> str:
    return ".".join(str(part) for part in place)[:_LONGEST_FIELD] or "(body)"


def _words(fault: Any) -> str:
    """Pydantic's words never hold what the peer sent; two of them can be said better."""
    known = {"extra_forbidden": "unknown field", "missing": "required"}
    return known.get(fault["type"]) or str(fault["msg"]).removeprefix("Value error, ")


# --- handlers ---------------------------------------------------------------------------------------------


async def _problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _core(_request: Request, error: Exception) -> Response:
    assert isinstance(error, GatewayError)
    return of_error(error).response()


async def _fields(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return of_fields(error.errors(), skip=1).response()


def install(app: FastAPI) -> None:
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(Refused, _core)
    app.add_exception_handler(NotKept, _core)
    app.add_exception_handler(RequestValidationError, _fields)
    app.add_middleware(Unexpected)


class Unexpected:
    """The process edge: what nobody expected is logged and answered with a trace id.

    Starlette's own handler of Exception raises it again, and uvicorn would log it a second time.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientDisconnect:
            log.debug("the peer left before its request was read", path=scope.get("path"))
        except Exception as error:
            trace = secrets.token_hex(8)
            log.exception("http request failed", trace=trace, path=scope.get("path"), error=repr(error))
            if started:
                raise
            words = "something unexpected happened here"
            await Problem(500, "unexpected", words, more={"trace": trace}).response()(scope, receive, send)
