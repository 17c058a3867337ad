"""Runs `data_prep.cli`; errors a user can mend are printed without a traceback, exit code 2; 130 after Ctrl-C."""

import sys

from zoo.errors import ZooError
from zoo.interrupts import interruptible

if __name__ == "__main__":
    try:
        from data_prep.cli import main  # here, since importing takes long enough for a Ctrl-C

        with interruptible():
            sys.exit(main(prog="python -m data_prep"))
    except ZooError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
