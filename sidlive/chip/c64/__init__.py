"""The C64 that runs a tune: processor, memory map, CIAs, VIC, the SID as a program reads it, and a stand-in Kernal.

`Machine` is the public face; the other files are kernels that work on its state. Reading order:

- ``machine``: `Machine`, one C64 with a tune in its memory; it starts, runs and records
- ``slots``: the layout of its state
- ``driver``: the player around a tune, which calls init and play
- ``cpu``: the 6510 and its interrupts; ``opcodes``: its 256 opcodes; ``alu``: decimal arithmetic and flags
- ``bus``: which memory or chip an address reaches
- ``kernal``: the stand-in for the Kernal's ROM
- ``video``: the VIC's raster and bad lines; ``sprites``: the cycles that the sprites take from the processor
- ``cia``: timers and interrupts; ``daytime``: the time-of-day clocks
- ``voice``: reads and writes of the SID; ``oscillators``, ``envelope``: voice 3 as read in $D41B and $D41C
- ``waveforms``: tables of mixed waveforms
"""
