"""sidlive: a live-coding instrument that continues Commodore 64 SID tunes, 50 frames a second.

Rooms, each knowing only those to its left: chip <- tune <- model <- live <- studio.
Importing any of them has no effect: no port is opened, nothing is compiled, no logging is configured.
"""

from sidlive import sources as sources  # before any other module: it notes which files this process runs

__version__ = "0.1.0"
