"""The verbs, in groups that build on each other: `sidlive.live.session` joins them.

In reading order: `declaration` (the properties of a verb), `spoken` (numbers of other libraries, names shared with
Python), `fragments` (load and add), `steering` (prompt, transport, controls), `editing` (the take: edit, hear, commit).
"""
