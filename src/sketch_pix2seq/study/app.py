"""The study's server: a page, and an interface of three requests over `Study`.

``GET  /api/study``                            what a visitor may know of it
``POST /api/participants``                     a new participant: token and standing
``GET  /api/participants/{token}``             standing: where they are, and the drawing that is next
``POST /api/participants/{token}/answers``     keep an answer: what is kept, and the new standing

Who made a counted drawing never leaves the server; only the score at the end tells how many answers were right.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sketch_pix2seq.study.design import seconds_to_draw
from sketch_pix2seq.study.store import AnswerConflict, Says, Study, UnknownParticipant, UnknownTrial

LONGEST_MS = 86_400_000
"""A day: the longest reaction time that is taken."""

_PAGE = Path(__file__).with_name("page")
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_THINKING_SECONDS = 1.5
"""Between the end of a drawing and the next, for the estimate of how long it all takes."""


class GivenAnswer(BaseModel):
    """An answer as the page sends it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    trial: int = Field(ge=0, le=1_000_000)
    says: Says
    rt_ms: float = Field(ge=0, le=LONGEST_MS, allow_inf_nan=False)


def create_app(study: Path) -> FastAPI:
    """The application over the study in a folder. Raises what `Study` raises."""
    opened = Study(study)
    public = _public(opened)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        opened.close()

    app = FastAPI(title="sketch-pix2seq study", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(_Headers)

    @app.get("/api/study")
    def about() -> dict[str, Any]:
        return public

    @app.post("/api/participants", status_code=201)
    def enrol() -> dict[str, Any]:
        token = opened.enrol()
        return {"token": token, "standing": asdict(opened.standing(token))}

    @app.get("/api/participants/{token}")
    def standing(token: str) -> dict[str, Any]:
        return {"standing": asdict(opened.standing(token))}

    @app.post("/api/participants/{token}/answers")
    def answer(token: str, given: GivenAnswer) -> dict[str, Any]:
        kept = opened.answer(token, given.trial, given.says, given.rt_ms)
        return {"kept": asdict(kept), "standing": asdict(opened.standing(token))}

    for kind, status in ((UnknownParticipant, 404), (UnknownTrial, 404), (AnswerConflict, 409)):
        app.add_exception_handler(kind, _refusal(status))
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(sqlite3.OperationalError, _busy)
    app.mount("/", StaticFiles(directory=_PAGE, html=True))
    return app


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


def _busy(request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": f"the answer could not be written ({error}); please send it again"}, 503)
