"""Tunes: from .sid files to frames, edits of frames, and from frames back to .sid files.

In reading order:

- ``formats``: the file formats of tunes and of frames
- ``capture``: runs a tune's code and records frames
- ``fragment``, ``loading``: `Fragment`, the music that a performer loads, and `load_fragment`
- ``beat``: tempo and bars of frames
- ``edits``, ``shaping``: functions from frames to frames; those for music that the model has heard
- ``cutting``, ``seam``: edits of a take as values; the best place for its loop
- ``score``: frames to notes, and notes back to frames
- ``compiler``: frames to a .sid file with a 6510 player
- ``tracker``, ``scores``, ``shipped``: the fragments that ship, their scores and the tracker that plays them
"""
