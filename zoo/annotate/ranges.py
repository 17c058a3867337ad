"""Files of which a part may be asked for, and what is said where there is no such part."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse

from zoo.annotate.trust import Receive, Scope, Send

WRONG = {
    400: "its Range asks for no bytes; send bytes=FIRST-LAST, or none to have all",
    416: "its Range begins where the file has ended; begin earlier, or send none to have all",
}


def telling(send: Send) -> Send:
    """What a file is sent with, so that a `Range` that can't be answered becomes an error as all others."""

    async def told(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start" and message["status"] in WRONG:
            headers = {name.decode(): value.decode() for name, value in message["headers"]}
            size = {key: headers[key] for key in ("content-range",) if key in headers}  # of the file
            raise HTTPException(message["status"], WRONG[message["status"]], size)
        await send(message)

    return told


class PartlyFile(FileResponse):
    """A file, or the part of it that is asked for."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it.

        Raises:
            HTTPException: there is no such part.
        """
        await super().__call__(scope, receive, telling(send))
