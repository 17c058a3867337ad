"""Starts real servers with the small checkpoints, which can be killed: one for each line, which names what it keeps.

Each prints its id and its address, and `ended` with its exit code is printed when it has ended. They are forks of this
process, which has loaded everything: that takes longer than all the rest.
"""

import os
import sys
from pathlib import Path

from tests.helpers.annotator import models_of
from zoo.annotate.app import create_app
from zoo.commands.http_server import bound, serve


def main() -> None:
    root, index = map(Path, sys.argv[1:])
    models = models_of(index)
    models.get("whole")
    for line in sys.stdin:
        server = os.fork()
        if server == 0:
            print(os.getpid(), flush=True)
            listening = bound("127.0.0.1", 0)
            said = f"zoo annotate: http://127.0.0.1:{listening.getsockname()[1]}"
            os._exit(serve(create_app(root, Path(line.strip()), models), listening, said, "everything is kept"))
        _, status = os.waitpid(server, 0)
        print("ended", os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
