"""The application: one for `/v1` and the pages, put together here and nowhere else."""

from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from gateway_core.process import Process
from mailgate.checks import Intake
from mailgate.http import credit, health, outbox, pages, phones, problems, submissions, v1
from mailgate.http.edge import Edge
from mailgate.http.local import is_local


def create_app(
    state: Intake, *, process: Process, embedded: bool, listener_draining: Callable[[], bool]
) -> FastAPI:
    """`listener_draining` says that nothing new is accepted because the process is ending."""
    # The reference of /v1 (/openapi.json, /docs) is not built yet; FastAPI's own pages load scripts from elsewhere.
    app = FastAPI(title="mailgate", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.edge = Edge(state, process, embedded, listener_draining)
    problems.install(app)
    app.add_exception_handler(HTTPException, _of_the_framework)
    for part in (submissions, v1, credit, health, phones, outbox, pages):
        app.include_router(part.router)
    return app


async def _of_the_framework(request: Request, error: Exception) -> Response:
    """No such path, or not with that method; the latter would tell a stranger which local pages there are."""
    assert isinstance(error, HTTPException)
    public = request.url.path.startswith(("/v1/", "/healthz", "/readyz"))
    hidden = error.status_code == 405 and not public and not is_local(request)
    return (problems.not_found() if hidden else problems.of_framework(error)).response()
