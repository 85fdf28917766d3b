"""Runs a tune's code and records its writes to the SID, as frames or as single writes.

Reading order:

- ``recorder``: `Recorder` and `capture`, from a tune to frames; the room's public face
- ``trace``: the log of writes and interrupts with their cycles, and the frame rate found in it
- ``rows``: frames of equal length from play calls that come unevenly
- ``samples``: sampled sound found and left out of the frames
- ``lengths``: how long a song's music is, and recording that stops there
- ``write_order``: whether a tune writes control before or after the envelope
- ``performance``: a song's writes with their cycles, for playback of the original without frames
"""
