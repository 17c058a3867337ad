"""A real server with the small checkpoints, in a process that can be killed; prints its address."""

import sys
from pathlib import Path

from tests.helpers.annotator import models_of
from zoo.annotate.app import create_app
from zoo.commands.annotate import _bound, serve


def main() -> None:
    root, index, save = map(Path, sys.argv[1:])
    app = create_app(root, save, models_of(index))
    listening = _bound("127.0.0.1", 0)
    serve(app, listening, f"http://127.0.0.1:{listening.getsockname()[1]}", None)


if __name__ == "__main__":
    main()
