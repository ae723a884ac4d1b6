"""Runs the command line as ``python -m spean``, for processes that start one another without a console script."""

import sys

from spean.cli import main

if __name__ == "__main__":
    sys.exit(main())
