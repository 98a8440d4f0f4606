"""Request bodies: JSON of at most a megabyte, read once and checked against a model that allows nothing else."""

import unicodedata
from typing import Annotated, TypeVar

from fastapi import Request
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from mailgate.http.problems import Problem, of_fields

MOST_BYTES = 1_000_000
_ALLOWED_CONTROLS = frozenset("\t\n\r\f")  # the GSM alphabet has all but the tab (3GPP TS 23.038 §6.2.1)


class Body(BaseModel):
    """Strict: "3" is not a number, and an unknown field is a typing error that should be seen."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _no_controls(value: str) -> str:
    """NUL fits no database, and no phone shows the others."""
    for letter in value:
        if unicodedata.category(letter) == "Cc" and letter not in _ALLOWED_CONTROLS:
            raise ValueError(f"must not contain the control character U+{ord(letter):04X}")
    return value


Text = Annotated[str, AfterValidator(_no_controls)]

B = TypeVar("B", bound=Body)


def require_json(request: Request) -> None:
    """Raises a 415 problem. Browsers send this type to another site only after asking it first."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(415, "unsupported_media_type", "send application/json")


async def read(request: Request) -> bytes:
    """The raw body. Raises a 415 or 413 problem, the latter without reading on."""
    require_json(request)
    declared = request.headers.get("content-length", "0")
    if not declared.isdigit() or int(declared) > MOST_BYTES:
        raise _too_large()
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MOST_BYTES:
            raise _too_large()
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large() -> Problem:
    return Problem(413, "body_too_large", f"the body may have {MOST_BYTES} bytes")


def parse(model: type[B], raw: bytes) -> B:
    """Raises a 400 problem for what is not JSON, a 422 problem that names the fields otherwise."""
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        if faults[0]["type"] == "json_invalid":
            words = f"not JSON: {faults[0]['ctx']['error']}"
            raise Problem(400, "malformed_json", words) from None
        raise of_fields(faults) from None
