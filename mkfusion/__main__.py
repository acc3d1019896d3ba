"""``python -m mkfusion``: the command ``mkfusion``, where the shell does not find it."""

import sys

from mkfusion.cli import main

if __name__ == "__main__":
    sys.exit(main())
