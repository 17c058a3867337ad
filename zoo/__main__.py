"""`python -m zoo`, as launchers of several processes start it."""

import sys

from zoo.cli import main

sys.exit(main())
