"""`zoo serve`: segment from QuPath, MONAI Label's extension and CVAT."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

from zoo.commands.http_server import add_server_arguments, bound, check_server, serve, shown
from zoo.commands.indices import INDEX
from zoo.errors import ConfigError

PORT = 8000
"""That the clients come with."""
EPILOG = f"""\
What to enter where:

  QuPath 0.5 and later, extension SAM (samapi)
      Server: http://localhost:{PORT}/sam/ (as it comes). Choose weights by the magnification that the viewer shows:
      the picture that QuPath sends does not say it. Points and lines say what belongs to an object, a rectangle holds
      it; the classes that QuPath ignores (with *) say what does not. Auto mask looks for all nuclei in the view.
  QuPath 0.3 and 0.4, extension MONAI Label
      Server URL: http://127.0.0.1:{PORT}. Slides below FOLDER are read here, at all magnifications; what lies elsewhere
      is sent. Points in a rectangle: of nuclei each is an object, else those of class Positive and Negative are told.
  CVAT, AI tools, interactors
      CVAT_SERVERLESS=1, CVAT_NUCLIO_HOST and CVAT_NUCLIO_PORT={PORT}, CVAT_NUCLIO_INVOKE_METHOD=dashboard. From its
      containers: --host 0.0.0.0 here, and CVAT_NUCLIO_HOST=isegzoo:TOKEN@ADDRESS, with the token that is printed.

With FOLDER the annotator's API answers, too (http://127.0.0.1:{PORT}/api/openapi.json), and keeps what it is told in
FOLDER/isegzoo.sqlite. Checkpoints that are not on this machine are downloaded when they are first asked for.

examples:
  zoo serve
  zoo serve slides/ --checkpoint nuclick-nuclei-compact
  zoo serve --mpp 0.5 --device cuda
  zoo serve slides/ --index https://lab.org/checkpoints --checkpoint lab/glands

"""


def main(argv: list[str]) -> int:
    """Run the server until it is interrupted; 0 then."""
    args = _parser().parse_args(argv)
    check_server(args)
    if importlib.util.find_spec("python_multipart") is None:
        raise ConfigError("the server needs python-multipart: pip install 'isegzoo[annotator]'")
    # Only now: importing torch takes seconds, which --help and wrong options must not.
    from zoo.annotate.models import Models
    from zoo.annotate.serving import create_server
    from zoo.annotate.trust import token_for

    token = token_for(args.host, args.token)
    listening = bound(args.host, args.port)
    models = Models(args.checkpoint, args.device, args.trust_code, args.index)
    app = create_server(args.folder, args.save, models, args.mpp, token)
    address = f"http://{shown(args.host)}:{listening.getsockname()[1]}/"
    held = "" if token is None else f"; token: {token}"
    said = f"zoo serve: {address}sam/ for QuPath's SAM extension, {address} for MONAI Label's and CVAT{held}"
    return serve(app, listening, f"{said}  (Ctrl-C ends it)", "zoo serve: ended")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zoo serve",
        description="Segment from the viewers that you have: QuPath (extensions SAM and MONAI Label) and CVAT.",
        epilog=EPILOG + INDEX,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folder", type=Path, nargs="?", metavar="FOLDER", help="slides and images that viewers can name; default: none"
    )
    add_server_arguments(
        parser,
        PORT,
        "which clients expect",
        "offered first",
        "all images, and of pictures that are sent; default: what files say, and for pictures what the checkpoint was "
        "trained at",
    )
    return parser
