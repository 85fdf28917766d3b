"""Edits of music that a model has heard: the same frames with other pitches, other voices, other rhythms.

Each edit is a pure function from frames ``uint8[T, 28]`` and a `BarGrid` to as many frames. Where an edit is about
notes, it finds the notes (see ``tune.score``), changes them, and plays them with the music's own instruments. Voices
are 0, 1, 2 here. Reading order:

- ``grid``: `BarGrid`, the beats and bars of the frames; lengths such as "1/8" and "2 bars"
- ``loose_notes``: notes that an edit may move, and their way back to a score without overlaps or hanging gates
- ``pitching``: `octave`, `mirror`
- ``moving``: `stretch`, `reverse`, `chop`, `swing`
- ``thinning``: `thin`, `echo`
- ``borrowing``: `timbre`, `rhythm`, with another fragment's sounds and onsets
- ``past_edits``: `PastEdit`, an edit as a value, and the change from some edits to others; loads no numba
- ``applying``: `apply_edits`, several edits in order
"""
