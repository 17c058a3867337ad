"""The server as an ASGI application."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from os import PathLike, stat_result
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from zoo.annotate.journal import Journal
from zoo.annotate.models import Models
from zoo.annotate.objects import IDLE, AnnotatedObjects
from zoo.annotate.pictures import Pictures
from zoo.annotate.ranges import telling
from zoo.annotate.refused import RefusedError
from zoo.annotate.root import Root
from zoo.annotate.routes import exports, images, objects
from zoo.annotate.service import Service
from zoo.annotate.trust import Receive, Scope, Send, Trust
from zoo.errors import NotRgbError, ZooError

PAGE = Path(__file__).parent / "page"
SWEEP = 30.0
"""Seconds."""
LONGEST = 1000
"""Characters of an answer that says what is wrong."""
CLASSES = (
    ("Tumor", "#c80000"),
    ("Stroma", "#96c896"),
    ("Immune cells", "#a05aa0"),
    ("Necrosis", "#323232"),
    ("Gland", "#1f77b4"),
    ("Nucleus", "#2ca02c"),
    ("Other", "#ffc800"),
)
"""Names and colours as QuPath has them, where it does."""


def create_app(
    path: Path,
    save: Path | None = None,
    models: Models | None = None,
    mpp: float | None = None,
    token: str | None = None,
    classes: Sequence[tuple[str, str]] = CLASSES,
    idle: float = IDLE,
) -> Trust:
    """The annotator for a folder, an image or a slide: the API and the page.

    Args:
        path: what can be looked at.
        save: file that everything is kept in; None: `isegzoo.sqlite` in the folder.
        models: what segments; None: the shipped checkpoints.
        mpp: micrometres a pixel of all images, in place of what their files say.
        token: that every request must hold; None: requests must come from this machine.
        classes: names and colours that a person is offered.
        idle: seconds after which an object that nobody uses leaves memory.

    Raises:
        DataError: there is no such path, or nothing can be kept there.
    """
    app = create_api(path, save, models or Models(), mpp, classes, idle)
    app.mount("/", PageFiles(directory=PAGE, html=True))
    return Trust(app, token)


def create_api(
    path: Path,
    save: Path | None,
    models: Models,
    mpp: float | None = None,
    classes: Sequence[tuple[str, str]] = CLASSES,
    idle: float = IDLE,
) -> FastAPI:
    """The API alone, which trusts everybody; see `create_app`."""
    root = Root(path)
    pictures = Pictures(root, mpp)
    journal = Journal(save or root.folder / "isegzoo.sqlite")
    service = Service(root, pictures, models, journal, AnnotatedObjects(journal, pictures, models, idle), classes)

    app = bare("isegzoo annotator", models, _working(service))
    app.state.service = service
    for each in (images.router, objects.router, exports.router):
        app.include_router(each)
    return app


def bare(title: str, models: Models, within: AbstractAsyncContextManager[None] | None = None) -> FastAPI:
    """An application that answers nothing yet, and says each error in a sentence.

    Args:
        title: of its description.
        models: of which the default one is loaded when the application starts, while it already answers.
        within: what it lives in; None: nothing.
    """

    @asynccontextmanager
    async def living(app: FastAPI) -> AsyncIterator[None]:
        # A daemon, which nobody waits for when the server ends.
        threading.Thread(target=models.prepare, daemon=True).start()
        async with within or nullcontext():
            yield

    # No pages of documentation: theirs come from another server.
    app = FastAPI(title=title, docs_url=None, redoc_url=None, openapi_url="/api/openapi.json", lifespan=living)
    app.add_exception_handler(ZooError, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _plain)
    return app


class PageFiles(StaticFiles):
    """The page's files. Browsers keep them, and ask each time whether they changed: after an upgrade all are new."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await super().__call__(scope, receive, telling(send))

    def file_response(
        self, full_path: str | PathLike[str], stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """A file with its `ETag`, or 304 where the browser has it."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["cache-control"] = "no-cache"
        return response


@asynccontextmanager
async def _working(service: Service) -> AsyncIterator[None]:
    sweeping = asyncio.create_task(_sweep(service.objects))
    yield
    sweeping.cancel()
    service.pictures.close()
    service.journal.close()


async def _sweep(objects: AnnotatedObjects) -> None:
    while True:
        await asyncio.sleep(SWEEP)
        await asyncio.to_thread(objects.sweep)


_AS_RGB = "only 8-bit RGB is shown here: save the picture as that (ImageJ: Image > Type > RGB Color) and open the copy"


def _refused(request: Request, error: Exception) -> JSONResponse:
    """An error that a person can mend, as 4xx."""
    status = error.status if isinstance(error, RefusedError) else 422
    sentence = f"{error.wrong}; {_AS_RGB}" if isinstance(error, NotRgbError) else str(error)
    return _said(_readable(sentence, request), status)


def _malformed(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found: Any = error.errors()[0]
    if found["type"] == "json_invalid":
        why = f"{found.get('ctx', {}).get('error', 'malformed')} at character {found['loc'][-1]}"
        return _said(f"the request holds no JSON: {why}", 422)
    where = ".".join(str(part) for part in found["loc"] if part not in ("body", "query", "path"))
    message = found["msg"].removeprefix("Value error, ")
    return _said(f"{where or 'the request'}: {message[:1].lower()}{message[1:]}", 422)


def _plain(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    sentence = f"{request.method} {request.url.path[:200]}: {error.detail}; /api/openapi.json describes the API"
    return _said(sentence, error.status_code, error.headers)


def _said(sentence: str, status: int, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A sentence that may quote what was asked, and so hold letters that can't be sent."""
    sendable = sentence.encode(errors="backslashreplace").decode()
    return JSONResponse({"detail": sendable[:LONGEST]}, status, headers)


def _readable(sentence: str, request: Request) -> str:
    """Without what only makes sense on the command line, or says where on the disk the root lies."""
    service: Service | None = getattr(request.app.state, "service", None)
    if service is not None:
        sentence = sentence.replace(f"{service.root.folder}/", "")
    return sentence.replace("--mpp, open_slide(..., mpp=)", "zoo annotate --mpp")
