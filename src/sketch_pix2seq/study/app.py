"""The study's server: a page, and an interface of three requests over `Study`.

``GET  /api/study``                            what a visitor may know of it
``POST /api/participants``                     a new participant: token and standing
``GET  /api/participants/{token}``             standing: where they are, and the drawing that is next
``POST /api/participants/{token}/answers``     keep an answer: what is kept, and the new standing

Posts from other sites' pages, bodies of more than a few kilobytes and, on this machine's own address, other values of
Host are refused; what cannot be read or written is answered with 503. Who made a counted drawing never leaves the
server; only the score at the end tells how many answers were right.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sketch_pix2seq.errors import FileError
from sketch_pix2seq.study.design import seconds_to_draw
from sketch_pix2seq.study.store import AnswerConflict, Says, Standing, Study, UnknownParticipant, UnknownTrial

LONGEST_MS = 86_400_000
"""A day: the longest reaction time that is taken."""

_PAGE = Path(__file__).with_name("page")
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_LONGEST_BODY = 8192
_BODY_SECONDS = 10.0
_THINKING_SECONDS = 1.5
"""Between the end of a drawing and the next, for the estimate of how long it all takes."""


class GivenAnswer(BaseModel):
    """An answer as the page sends it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    trial: int = Field(ge=0, le=1_000_000)
    says: Says
    rt_ms: float = Field(ge=0, le=LONGEST_MS, allow_inf_nan=False)


def create_app(study: Path, hosts: frozenset[str] | None = None) -> FastAPI:
    """The application over the study in a folder. Raises what `Study` raises.

    hosts: values of the header Host that are answered; any where None.
    """
    opened = Study(study)
    public = _public(opened)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        opened.close()

    app = FastAPI(title="sketch-pix2seq study", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(_Guard, hosts=hosts)
    app.add_middleware(_Headers)

    @app.get("/api/study")
    def about() -> Response:
        return JSONResponse(public)

    @app.post("/api/participants")
    def enrol() -> Response:
        token = opened.enrol()
        return JSONResponse({"token": token, "standing": _shown(opened.standing(token))}, 201)

    @app.get("/api/participants/{token}")
    def standing(token: str) -> Response:
        return JSONResponse({"standing": _shown(opened.standing(token))})

    @app.post("/api/participants/{token}/answers")
    def answer(token: str, given: GivenAnswer) -> Response:
        kept = opened.answer(token, given.trial, given.says, given.rt_ms)
        return JSONResponse({"kept": vars(kept), "standing": _shown(opened.standing(token))})

    for kind, status in ((UnknownParticipant, 404), (UnknownTrial, 404), (AnswerConflict, 409)):
        app.add_exception_handler(kind, _refusal(status))
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(FileError, _broken)
    app.mount("/", StaticFiles(directory=_PAGE, html=True))
    return app


def _shown(standing: Standing) -> dict[str, Any]:
    """As JSON has it. Neither dataclasses.asdict nor FastAPI goes through the strokes: that takes most of an answer."""
    parts = {
        name: None if part is None else vars(part)
        for name, part in (("next", standing.next), ("score", standing.score))
    }
    return {**vars(standing), **parts}


class _Guard:
    """Refuses requests that no page of this study sends."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            host = headers.get("host", "").lower()
            body = b""
            try:
                if self._hosts is not None and host not in self._hosts:
                    raise _Refusal(421, "open the study at the address that it printed")
                if scope["method"] not in ("GET", "HEAD"):
                    if _is_cross_site(headers, host):
                        raise _Refusal(403, "answers are taken from the study's own page only")
                    body = await _body(receive)
            except _Refusal as refusal:
                answer = JSONResponse({"detail": str(refusal)}, refusal.status, {"Connection": "close"})
                await answer(scope, receive, send)
                return
            given = False

            async def receiving() -> Message:
                nonlocal given
                if given:
                    return await receive()
                given = True
                return {"type": "http.request", "body": body, "more_body": False}

            await self._app(scope, receiving, send)
        else:
            await self._app(scope, receive, send)


class _Refusal(Exception):
    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def _is_cross_site(headers: Headers, host: str) -> bool:
    """Whether a browser says that another site's page sends this; what is no browser says nothing."""
    if (site := headers.get("sec-fetch-site")) is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    try:
        return origin is not None and urlsplit(origin).netloc.lower() != host
    except ValueError:
        return True


async def _body(receive: Receive) -> bytes:
    """The whole body. Raises _Refusal where it is too long or does not come."""
    body = b""
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            while True:
                message = await receive()
                body += bytes(message.get("body", b""))
                if len(body) > _LONGEST_BODY:
                    raise _Refusal(413, f"an answer takes less than {_LONGEST_BODY:,} bytes")
                if not message.get("more_body", False):
                    return body
    except TimeoutError:
        raise _Refusal(408, "the answer did not arrive") from None


class _Headers:
    """Puts the headers on every response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers["Cache-Control"] = "no-store" if scope["path"].startswith("/api/") else "no-cache"
            await send(message)

        await self._app(scope, receive, sending)


def _public(study: Study) -> dict[str, Any]:
    """What a visitor may know of a study before taking part."""
    settings, renderer = study.design.settings, study.design.renderer
    watching = 0.0
    if settings.show == "animated":
        watching = float(np.mean([seconds_to_draw(d.strokes, renderer, settings.speed) for d in study.drawings]))
    seconds = (settings.trials + settings.practice) * (watching + _THINKING_SECONDS)
    return {
        "id": study.design.id,
        "practice": settings.practice,
        "trials": settings.trials,
        "show": settings.show,
        "speed": settings.speed,
        "renderer": asdict(renderer),
        "minutes": max(1, round(seconds / 60)),
        "longest_ms": LONGEST_MS,
    }


def _refusal(status: int) -> Callable[[Request, Exception], Response]:
    def respond(request: Request, error: Exception) -> Response:
        return JSONResponse({"detail": str(error)}, status)

    return respond


def _invalid(request: Request, error: Exception) -> Response:
    """One line in words; FastAPI's own would repeat the input, which need not even be valid JSON."""
    assert isinstance(error, RequestValidationError)
    problems = [f"{'.'.join(map(str, e['loc'][1:])) or 'body'}: {e['msg']}" for e in error.errors()]
    return JSONResponse({"detail": "; ".join(problems)}, 422)


def _broken(request: Request, error: Exception) -> Response:
    assert isinstance(error, FileError)
    return JSONResponse({"detail": f"the study cannot be read or written now ({error.problem}); please try again"}, 503)
