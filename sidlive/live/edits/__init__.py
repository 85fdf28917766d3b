"""Edits of music while it plays. The edits themselves are functions of frames, in `sidlive.tune.shaping`.

In reading order: `edit_list` (the edits in force), `edited_past` (the past as the model is to hear it), `remix` (edits
on the way to the chip, which the model does not hear).
"""
