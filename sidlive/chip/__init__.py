"""The hardware: the SID's registers and its sound, and the C64 that runs a tune. Knows no file format.

Reading order:

- ``registers``: the register map, the columns of a frame, PAL and NTSC timing
- ``pitch``: frequency registers as Hz, notes and cents
- ``sid``: `Sid` and `render`, from frames or writes to samples
- ``wav``, ``flac``: samples to sound files
- ``spectrum``: how different two sounds are
- ``c64``: the machine that runs a tune's code
"""
