"""Run the command line: ``python -m sidlive``, and the program ``sidlive``.

Other processes of the instrument import this module again before they begin, so it imports nothing.
"""

import sys


def main() -> int:
    """Run one command and return the exit status; see `sidlive.cli.main`."""
    from sidlive import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
