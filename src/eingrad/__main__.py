"""``python -m eingrad``: the same as the command ``eingrad``."""

import sys

from eingrad.cli import main

if __name__ == "__main__":
    sys.exit(main())
