"""``python -m mkfusion``, where the command is not on the path."""

import sys

from mkfusion.cli import main

if __name__ == "__main__":
    sys.exit(main())
