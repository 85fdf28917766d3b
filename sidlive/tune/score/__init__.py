"""The score: frames to notes, and notes back to frames.

Read in this order:

- `notes`: what a note is (`Score`), as arrays and as JSON. Loads no compiler, so that a screen may use it.
- `melody`: the pitches of a voice: the tune's tuning, arpeggios, notes tied together, slides.
- `instruments`: which notes are of one instrument, and what the notes of an instrument tell of each other.
- `extract`: frames to a score: where notes begin and end, and what prepares them.
- `playback`: a score and the frames of a tune to new frames, each note replayed from another note of its instrument.
"""
