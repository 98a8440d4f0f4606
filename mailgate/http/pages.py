"""What the pages share: templates, the files beside them, headers that let nothing in from elsewhere."""

from pathlib import Path
from typing import Any

import jinja2
from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from gateway_core import numbers
from mailgate.http import edge
from mailgate.http.local import only_local
from mailgate.http.problems import not_found

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "Accept",
}
_HERE = Path(__file__).parent
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_STATIC = {
    file.name: (file.read_bytes(), _TYPES[file.suffix])
    for file in (_HERE / "static").iterdir()
    if file.suffix in _TYPES
}
_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    trim_blocks=True,
    undefined=jinja2.StrictUndefined,
)
_templates.filters["number"] = numbers.display

router = APIRouter(dependencies=[Depends(only_local)])


def wants_json(request: Request) -> bool:
    """A browser asks for HTML; a program that says nothing gets the page too."""
    accept = request.headers.get("accept", "")
    return "application/json" in accept and "text/html" not in accept


def page(template: str, status: int = 200, **values: Any) -> Response:
    return HTMLResponse(_templates.get_template(template).render(values), status, HEADERS)


def json(content: Any, status: int = 200) -> Response:
    return JSONResponse(content, status, HEADERS)


@router.get("/", response_model=None)
async def start(request: Request) -> Response:
    """On the embedded default the first thing to see is a phone."""
    if not edge.of(request).embedded:
        raise not_found()
    return RedirectResponse("/phones", 307)


@router.get("/static/{name}", response_model=None)
async def static(name: str) -> Response:
    if name not in _STATIC:
        raise not_found()
    content, kind = _STATIC[name]
    return Response(content, headers=HEADERS, media_type=kind)
