"""What the verbs that start a server share: their options, and the server itself."""

from __future__ import annotations

import argparse
import importlib.util
import socket
import sys
import threading
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.commands.indices import add_index_argument
from zoo.errors import ConfigError

if TYPE_CHECKING:
    import uvicorn


def add_server_arguments(parser: argparse.ArgumentParser, port: int, why: str, checkpoint: str, mpp: str) -> None:
    """What is segmented with, what is kept where, and who may ask.

    Args:
        parser: takes the options.
        port: the default one.
        why: what is said of it.
        checkpoint: what its checkpoint is for.
        mpp: which images `--mpp` is of, and what is taken without.
    """
    parser.add_argument(
        "--checkpoint",
        default="anything",
        metavar="NAME",
        help=f"{checkpoint}: a name that `zoo models` lists, a folder, hf://... or https://... (default: anything)",
    )
    parser.add_argument("--mpp", type=float, help=f"micrometres per pixel of {mpp}")
    parser.add_argument("--save", type=Path, metavar="FILE", help="what keeps everything; default: see below")
    parser.add_argument("--port", type=int, default=port, help=f"default: {port}, {why}")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at; default: this machine only")
    parser.add_argument("--token", help="that requests must hold; default: one is made for --host, and printed")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, mps ...; default: cpu")
    parser.add_argument(
        "--trust-code", action="store_true", help="run code outside zoo that the checkpoint names; ask who wrote it"
    )
    add_index_argument(parser)


def serve(app: object, listening: socket.socket, said: str, ended: str, opened: str | None = None) -> int:
    """Answer until Ctrl-C, which is the way to end it, and so no failure: 0.

    Args:
        app: the ASGI application.
        listening: bound.
        said: what is printed when it answers.
        ended: what is printed when it has ended.
        opened: what is opened in the browser.
    """
    import uvicorn

    config = uvicorn.Config(app, log_level="warning", server_header=False, ws="none", timeout_graceful_shutdown=5)  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    threading.Thread(target=_when_started, args=(server, said, opened), daemon=True).start()
    with suppress(KeyboardInterrupt):  # which uvicorn raises again once all was answered and kept
        server.run(sockets=[listening])
    print(ended, flush=True)
    return 0


def _when_started(server: uvicorn.Server, said: str, opened: str | None) -> None:
    waiting = threading.Event()
    while not server.started:
        if server.should_exit:
            return
        waiting.wait(0.05)
    print(said, flush=True)
    if opened is not None and not webbrowser.open(opened):
        print("no browser was found; open the address yourself", file=sys.stderr)


def bound(host: str, port: int, usual: int | None = None) -> socket.socket:
    """A socket that listens; at another port where the usual one is taken.

    Raises:
        ConfigError: it can't listen there.
    """
    import uvicorn  # noqa: F401  an error now rather than after loading

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for tried in (port, 0) if port == usual else (port,):
        listening = socket.socket(family)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, tried))
            return listening
        except OSError as error:
            listening.close()
            problem = error
    raise ConfigError(f"--host {host} --port {port}: can't listen there ({problem.strerror}); choose another --port")


def check_server(args: argparse.Namespace) -> None:
    """Refuse options that no server can be started with.

    Raises:
        ConfigError: what is missing or wrong, and what to do.
    """
    if importlib.util.find_spec("fastapi") is None or importlib.util.find_spec("uvicorn") is None:
        raise ConfigError("the server needs FastAPI and uvicorn: pip install 'isegzoo[annotator]'")
    if not 0 <= args.port < 2**16:
        raise ConfigError(f"--port {args.port}: ports are 0 (any free one) to 65535")
    if args.mpp is not None and not 1e-3 < args.mpp < 1e3:
        raise ConfigError(f"--mpp {args.mpp:g}: is no resolution; give micrometres per pixel, e.g. 0.25 at 40x")


def shown(host: str) -> str:
    """The name of a host in an address that others can open."""
    if host in ("0.0.0.0", "::"):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
