"""The server for the viewers that people have: their protocols, and the annotator's API without its page."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from zoo.annotate.app import bare, create_api
from zoo.annotate.models import Models
from zoo.annotate.protocols import cvat, monai, samapi
from zoo.annotate.protocols.prompts import Prompts
from zoo.annotate.trust import App, Receive, Scope, Send, Trust


def create_server(
    path: Path | None = None,
    save: Path | None = None,
    models: Models | None = None,
    mpp: float | None = None,
    token: str | None = None,
) -> Lenient:
    """A server that speaks samapi, MONAI Label and CVAT.

    Args:
        path: what clients can name and the API can open; None: they send all that they ask about, and there is no API.
        save: as `create_app` has it.
        models: what segments; None: the shipped checkpoints.
        mpp: micrometres a pixel of all images, in place of what their files say, and of those that are sent without.
        token: that every request must hold; None: requests must come from this machine.

    Raises:
        DataError: there is no such path, or nothing can be kept there.
    """
    models = models or Models()
    app = bare("isegzoo server", models) if path is None else create_api(path, save, models, mpp)
    pictures = None if path is None else app.state.service.pictures
    app.state.prompts = Prompts(models, pictures, mpp)
    for each in (samapi, monai, cvat):
        app.include_router(each.router)
    return Lenient(Trust(app, token))


class Lenient:
    """Middleware that reads addresses as people enter them: with or without slashes at the end.

    Clients put paths behind what was entered, and follow no redirects: from `http://localhost:8000/sam` comes
    `/samweights/`, and from `http://localhost:8000/` comes `//info/`. Those within stay: a checkpoint may be called
    `/models/mine` or `hf://lab/mine`.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if "path" in scope:
            path = "/" + scope["path"].strip("/")
            if path.startswith("/sam"):
                path = f"/sam/{path[4:].lstrip('/')}".rstrip("/")
            scope = {**scope, "path": path, "raw_path": quote(path).encode()}
        await self.app(scope, receive, send)
