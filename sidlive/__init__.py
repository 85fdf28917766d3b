"""sidlive: a live-coding instrument that continues Commodore 64 SID tunes, 50 frames a second.

Each room imports only from the rooms to its left: chip <- tune <- model <- live <- studio; commands and bench import
from all of them. Importing a room has no effect: no port is opened, nothing is compiled, no logging is configured.

The ground floor, for all rooms, in reading order:

- ``errors``: the errors that a person can fix
- ``cli``: the command line, with a module of ``commands`` for each command
- ``report``: output of commands: figures, warnings, progress
- ``writing``: files that are written completely or not at all
- ``picture``: figures as SVG
- ``compiling``: kernels compiled by numba and cached on disk, under a digest of their ``sources``
"""

from sidlive import sources as sources  # before any other module: it records the files as this process runs them

__version__ = "0.1.0"
