"""The score: frames to notes, and notes back to frames.

Reading order:

- ``notes``: `Score`, the notes of a tune as arrays and as JSON; loads no numba, so the screen's process may use it
- ``melody``: the pitches of a voice: the tune's tuning, arpeggios, tied notes, slides
- ``instruments``: grouping of notes into instruments; chords, drums and ornaments found by comparing their notes
- ``extract``: `score_of`, from frames to a score: where notes begin and end, and their hard restarts
- ``bank``: `SoundBank`, the frames of a tune and their notes, from which other notes are played
- ``templates``: for each note, the most similar one of the bank
- ``sounding``: a note's registers, from the frames of its template
- ``planned``: `PlannedNotes`, what a composer or code wants the voices to play; loads no numba
- ``playback``: `replay`, from a score to frames, and `render`, from a plan to the guide of the frames to generate
- ``causal``: guides of whole tunes, to train with
"""
