"""``python -m tiocross``."""

import sys

from tiocross.cli import main

if __name__ == "__main__":
    sys.exit(main())
