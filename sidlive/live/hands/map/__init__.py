"""Maps: which knob, pad or key of which controller does what.

In reading order: `midi_source` (the parts of a controller), `decoder` (from messages to what they did), `curves`,
`takeover` (how a knob gets hold of a control), `light` (LEDs and what they show), `binding` (a source and its deed),
`map_error`, `map_file` (a map as TOML), `map_folder` (all maps, and the profiles of common controllers in
``profiles/``), `old_knobs` (knobs learned by earlier versions), `learner` (what the performer means), `map_player`
(does the deeds), `light_board` (sets the LEDs).
"""
