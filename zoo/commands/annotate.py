"""`zoo annotate`: segment images and slides in the browser."""

from __future__ import annotations

import argparse
import importlib.util
import re
import socket
import sys
import threading
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.commands.indices import INDEX, add_index_argument
from zoo.errors import ConfigError

if TYPE_CHECKING:
    import uvicorn

PORT = 8017
EPILOG = f"""\
PATH is an image, a slide, or a folder of them (and of folders); nothing outside of it can be seen. The page opens in
your browser, and all runs on this machine: no account, no network.

Everything you do is kept as you do it, in FOLDER/isegzoo.sqlite unless --save names another file: a closed page, or a
computer that went off, loses nothing. Open the same PATH again and go on.

With --host the page is reached over the network, too, and asks for a token: the printed address holds it. There is no
encryption; over networks that are not yours, take ssh -L {PORT}:127.0.0.1:{PORT} instead.

examples:
  zoo annotate slide.svs
  zoo annotate slides/ --checkpoint nuclick-nuclei-compact
  zoo annotate images/ --checkpoint ritm-glands-glas --mpp 0.62 --classes Gland,Stroma
  zoo annotate slides/ --save ~/annotations.sqlite --no-browser --port 9000

"""
COLOURS = ("#c80000", "#1f77b4", "#2ca02c", "#ff7f0e", "#9467bd", "#17becf", "#e377c2", "#bcbd22", "#8c564b")


def main(argv: list[str]) -> int:
    """Run the server until it is interrupted; 0 then."""
    args = _parser().parse_args(argv)
    check_server(args)
    # Only now: importing torch takes seconds, which --help and wrong options must not.
    from zoo.annotate.app import CLASSES, create_app
    from zoo.annotate.models import Models
    from zoo.annotate.trust import token_for

    token = token_for(args.host, args.token)
    listening = bound(args.host, args.port)
    models = Models(args.checkpoint, args.device, args.trust_code, args.index)
    classes = CLASSES if args.classes is None else _classes(args.classes)
    app = create_app(args.path, args.save, models, args.mpp, token, classes)
    address = f"http://{shown(args.host)}:{listening.getsockname()[1]}/"
    page = address if token is None else f"{address}?token={token}"
    said = f"zoo annotate: {page}  (Ctrl-C ends it; everything is kept)"
    return serve(app, listening, said, None if args.no_browser else page)


def serve(app: object, listening: socket.socket, said: str, opened: str | None) -> int:
    """Answer until Ctrl-C.

    Args:
        app: the ASGI application.
        listening: bound.
        said: what is printed then.
        opened: what is opened in the browser.
    """
    import uvicorn

    config = uvicorn.Config(app, log_level="warning", server_header=False, ws="none", timeout_graceful_shutdown=5)  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    threading.Thread(target=_when_started, args=(server, said, opened), daemon=True).start()
    server.run(sockets=[listening])
    return 0


def _when_started(server: uvicorn.Server, said: str, opened: str | None) -> None:
    waiting = threading.Event()
    while not server.started:
        if server.should_exit:
            return
        waiting.wait(0.05)
    print(said, flush=True)
    if opened is not None and not webbrowser.open(opened):
        print("zoo annotate: no browser was found; open the address yourself", file=sys.stderr)


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens; at another port where the usual one is taken."""
    import uvicorn  # noqa: F401  an error now rather than after loading

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for tried in (port, 0) if port == PORT else (port,):
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
        raise ConfigError("the annotator needs FastAPI and uvicorn: pip install 'isegzoo[annotator]'")
    if not 0 <= args.port < 2**16:
        raise ConfigError(f"--port {args.port}: ports are 0 (any free one) to 65535")
    if args.mpp is not None and not 1e-3 < args.mpp < 1e3:
        raise ConfigError(f"--mpp {args.mpp:g}: is no resolution; give micrometres per pixel, e.g. 0.25 at 40x")


def _classes(text: str) -> list[tuple[str, str]]:
    """Names and colours, from `Name,Name=#rrggbb`."""
    found = []
    for number, each in enumerate(part.strip() for part in text.split(",")):
        name, _, colour = each.partition("=")
        colour = colour or COLOURS[number % len(COLOURS)]
        if not name or not name.isprintable() or len(name) > 100 or not re.fullmatch("#[0-9a-fA-F]{6}", colour):
            raise ConfigError(f"--classes {text}: give names, or names with colours, e.g. Tumour=#c80000,Stroma")
        found.append((name, colour))
    return found


def shown(host: str) -> str:
    """The name of a host in an address that others can open."""
    if host in ("0.0.0.0", "::"):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zoo annotate",
        description="Segment images and slides in the browser, with clicks and scribbles.",
        epilog=EPILOG + INDEX,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", type=Path, metavar="PATH", help="an image, a slide, or a folder of them")
    parser.add_argument(
        "--checkpoint",
        default="nuclei",
        metavar="NAME",
        help="what the page begins with: a name that `zoo models` lists, a folder, hf://... or https://... "
        "(default: nuclei)",
    )
    parser.add_argument("--mpp", type=float, help="micrometres per pixel of all images; default: what each file says")
    parser.add_argument(
        "--classes", metavar="NAMES", help="classes to choose from, with colours if you like: Tumour=#c80000,Stroma"
    )
    parser.add_argument("--save", type=Path, metavar="FILE", help="what keeps everything; default: see below")
    parser.add_argument("--port", type=int, default=PORT, help=f"default: {PORT}, or a free one")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at; default: this machine only")
    parser.add_argument("--token", help="that requests must hold; default: one is made for --host, and printed")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, mps ...; default: cpu")
    parser.add_argument(
        "--trust-code", action="store_true", help="run code outside zoo that the checkpoint names; ask who wrote it"
    )
    add_index_argument(parser)
    return parser
