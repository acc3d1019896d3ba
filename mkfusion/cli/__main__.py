"""``python -m mkfusion.cli``."""

import sys

from mkfusion.cli import main

if __name__ == "__main__":
    sys.exit(main())
