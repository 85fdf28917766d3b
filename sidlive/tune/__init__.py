"""Tunes: from .sid files to frames, edits of frames, and from frames back to .sid files.

Reading order:

- ``psid``, ``prg``: the file formats of tunes, .sid and .prg
- ``npz``, ``streams``, ``inline``: the file formats of frames, .npz, .sidgpt and .dmp, and frames inside a log
- ``formats``, ``files``: the kinds of music files, and one way to open and write them
- ``capture``: runs a tune's code and records frames
- ``songlengths``, ``players``: the HVSC's list of song lengths; signatures of player routines
- ``fragment``, ``loading``: `Fragment`, the music that a performer loads, and `load_fragment`
- ``edits``: functions from frames to frames
- ``cutting``, ``seam``: edits of a take as values; the best place for its loop
- ``score``: frames to notes, and notes back to frames
- ``compiler``: frames to a .sid file with a 6510 player
- ``tracker``, ``scores``, ``shipped``: the fragments that ship, their scores and the tracker that plays them
"""
