"""The verbs, in groups that build on each other: `sidlive.live.session` joins them.

In reading order: `declaration` (the properties of a verb), `spoken` (numbers of other libraries, names shared with
Python), `timing` (the moment of a verb's effect), `fragments` (load and add), `steering` (prompt, transport, controls),
`planning` (the notes ahead), `reshaping` (edits of what the model has heard), `counting` (the clock, commands that
wait), `looping` (functions called in time), `mapping` (knobs and pads), `editing` (the take: edit, hear, commit).
"""
