"""sidlive: a live-coding instrument that continues Commodore 64 SID tunes, 50 frames a second.

Each room imports only from the rooms to its left: chip <- tune <- model <- live <- studio; commands and bench import
from all of them. Importing a room has no effect: no port is opened, nothing is compiled, no logging is configured.

The ground floor, for all rooms, in reading order:

- ``errors``: the errors that a person can fix
- ``cli``: the command line; each command is a module in ``commands``
- ``report``: output of commands: figures, warnings, progress
- ``writing``: files that are written completely or not at all
- ``picture``: figures as SVG
- ``instructions``: the instruction sets that kernels are compiled for
- ``compiling``: kernels, functions that numba compiles; their machine code is cached on disk
- ``sources``: a digest of a kernel's source files, by which the cache is found again
"""

from sidlive import sources as sources  # before any other module: it records the files that this process runs

__version__ = "0.1.0"
