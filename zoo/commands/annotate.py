"""`zoo annotate`: segment images and slides in the browser."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from zoo.commands.http_server import add_server_arguments, bound, check_server, serve, shown
from zoo.commands.indices import INDEX
from zoo.errors import ConfigError

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
    listening = bound(args.host, args.port, PORT)
    models = Models(args.checkpoint, args.device, args.trust_code, args.index)
    classes = CLASSES if args.classes is None else _classes(args.classes)
    app = create_app(args.path, args.save, models, args.mpp, token, classes)
    address = f"http://{shown(args.host)}:{listening.getsockname()[1]}/"
    page = address if token is None else f"{address}?token={token}"
    said = f"zoo annotate: {page}  (Ctrl-C ends it; everything is kept)"
    return serve(app, listening, said, "zoo annotate: ended; everything is kept", None if args.no_browser else page)


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zoo annotate",
        description="Segment images and slides in the browser, with clicks and scribbles.",
        epilog=EPILOG + INDEX,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", type=Path, metavar="PATH", help="an image, a slide, or a folder of them")
    parser.add_argument(
        "--classes", metavar="NAMES", help="classes to choose from, with colours if you like: Tumour=#c80000,Stroma"
    )
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    add_server_arguments(
        parser, PORT, "or a free one", "what the page begins with", "all images; default: what each file says"
    )
    return parser
