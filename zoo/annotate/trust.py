"""Who may use the server: no page of another origin, no name that was rebound, and over a network only with a token."""

from __future__ import annotations

import base64
import hmac
import ipaddress
import json
import re
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from zoo.errors import ConfigError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = ("localhost", "127.0.0.1", "::1")
COOKIE = "isegzoo"
"""And the port, which browsers do not tell apart: a host may have several servers."""
MOST_BYTES = 32 * 2**20
"""Of a request's body."""
_LARGE = f"a request holds at most {MOST_BYTES >> 20} MB; send it in parts, or compressed"
HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' blob: data:; style-src 'self' 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Trust:
    """Middleware that refuses what it does not trust before anything else looks at it.

    Without a token the `Host` must be a name of this machine itself, whatever its port: a name that an attacker's
    server rebinds to 127.0.0.1 is another. An `Origin` must be the server's own, and all but the page's address is not
    for what browsers say is a request of another site. With a token, every request must hold it: as `Authorization:
    Bearer TOKEN`, as the password of an address (`http://anybody:TOKEN@host`), or in the cookie that a first visit with
    `?token=TOKEN` sets. A link on another site leads to the page with it; for anything else of another site it does not
    help.

    Args:
        app: what answers.
        token: that is asked for; None: the server is reached from this machine only.
    """

    def __init__(self, app: App, token: str | None = None) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})
        given: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            given.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        refused = self._refused(scope, given)
        if refused is not None:
            return await _answer(send, *refused)
        token = self._of_query(scope)
        if token is not None:
            secure = "; Secure" if scope.get("scheme") == "https" else ""
            cookie = f"{_cookie_of(given)}={token}; HttpOnly; SameSite=Lax; Path=/{secure}"
            return await _answer(send, 303, "", [(b"location", b"/"), (b"set-cookie", cookie.encode())])
        await self._limited(scope, receive, send)

    def _refused(self, scope: Scope, given: dict[str, list[str]]) -> tuple[int, str] | None:
        hosts, origins = given.get("host", []), given.get("origin", [])
        host = hosts[0] if len(hosts) == 1 else ""
        parts = _parts(host)
        if parts is None or (self.token is None and parts.hostname not in LOOPBACK):
            return 403, f"the server is not called {host[:100]!r}; open it as http://127.0.0.1 with its port"
        if any(_host_of(origin) != host.lower() for origin in origins):
            return 403, "a page of another origin may not use this server"
        site = given.get("sec-fetch-site", ["none"])
        if scope["path"] != "/" and any(each not in ("same-origin", "none") for each in site):
            return 403, "a page of another site may not use this server"
        if self.token is not None and self._of_query(scope) is None and not self._shown(given):
            return 401, "a token is needed; open the address that the server printed, or send 'Authorization: Bearer'"
        lengths = given.get("content-length", [])
        if any(not re.fullmatch("[0-9]{1,10}", each) or int(each) > MOST_BYTES for each in lengths):
            return 413, _LARGE
        return None

    def _shown(self, given: dict[str, list[str]]) -> bool:
        shown = [each[7:].strip() for each in given.get("authorization", []) if each[:7].lower() == "bearer "]
        shown += [_password(each[6:]) for each in given.get("authorization", []) if each[:6].lower() == "basic "]
        # Other servers of this host set cookies too, well formed or not: only ours is read.
        for each in ";".join(given.get("cookie", [])).split(";"):
            name, _, value = each.partition("=")
            shown += [value.strip()] if name.strip() == _cookie_of(given) else []
        return any(self._is_token(each) for each in shown)

    def _of_query(self, scope: Scope) -> str | None:
        """The right token of the page's address."""
        if self.token is None or scope["path"] != "/" or scope["method"] != "GET":
            return None
        asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [])
        return self.token if any(self._is_token(each) for each in asked) else None

    def _is_token(self, given: str) -> bool:
        assert self.token is not None  # or none is asked for
        return hmac.compare_digest(given.encode(), self.token.encode())

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with a body that can't be longer than it may be, and headers that keep the page to itself."""
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return  # who asked has gone
            body += message.get("body", b"")
            if len(body) > MOST_BYTES:
                return await _answer(send, 413, _LARGE)
            if not message.get("more_body", False):
                break
        whole = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def again() -> MutableMapping[str, Any]:
            return whole.pop() if whole else await receive()

        async def guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *_HEADERS]}
            await send(message)

        await self.app(scope, again, guarded)


def token_for(host: str, given: str | None) -> str | None:
    """The token that a server bound to a host asks for; None on this machine alone, unless one is given.

    Raises:
        ConfigError: it is too easily guessed, or can't stand in an address.
    """
    if given is None:
        return None if is_loopback(host) else secrets.token_urlsafe(24)
    if len(given) < 16 or not all(each.isascii() and (each.isalnum() or each in "-_") for each in given):
        raise ConfigError("--token: give at least 16 letters, digits, - or _; leave it out and one is made and printed")
    return given


def is_loopback(host: str) -> bool:
    """Whether an address that a server is bound to is reached from this machine only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _password(given: str) -> str:
    """Of `Authorization: Basic`; nothing where it is malformed."""
    try:
        return base64.b64decode(given, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _parts(host: str) -> SplitResult | None:
    """Name and port of a `Host`; None where it is malformed."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # which must be a number
        return parts if parts.hostname and parts.netloc == host and "@" not in host else None
    except ValueError:
        return None


def _cookie_of(given: dict[str, list[str]]) -> str:
    """The name of the cookie of a server that was asked by a well-formed `Host`."""
    port = urlsplit(f"//{given['host'][0]}").port
    return COOKIE if port is None else f"{COOKIE}-{port}"


def _host_of(origin: str) -> str | None:
    scheme, _, host = origin.partition("://")
    return host.lower() if scheme in ("http", "https") else None


_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


async def _answer(send: Send, status: int, sentence: str, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    body = json.dumps({"detail": sentence}).encode() if sentence else b""
    more = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *_HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": [*more, *(headers or [])]})
    await send({"type": "http.response.body", "body": body})
