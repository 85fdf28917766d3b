"""The score: frames to notes, and notes back to frames.

Reading order:

- ``notes``: `Score`, the notes of a tune as arrays and as JSON; loads no numba, so the screen's process may use it
- ``melody``: the pitches of a voice: the tune's tuning, arpeggios, tied notes, slides
- ``instruments``: grouping of notes into instruments; chords, drums and ornaments found by comparing their notes
- ``extract``: `score_of`, from frames to a score: where notes begin and end, and their hard restarts
- ``playback``: `replay`, from a score to frames, each note played from the frames of a similar note
"""
