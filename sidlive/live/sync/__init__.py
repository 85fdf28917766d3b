"""Keeping time with other instruments: following a clock, and being one.

In reading order: `steady` filters times that jitter; `timeline` knows when each frame is heard; `midi_clock` and
`link_peer` read the clocks of others; `phase_lock` computes the speed at which our beat meets theirs; `follower` joins
these. `clock_out` sends our clock through a sender process (`sidlive.live.outputs`). `choice` reads what the performer
writes; `ensemble` is what the core sees of all this.
"""
