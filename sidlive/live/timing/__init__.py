"""Musical time: beats and bars as frames of the tape, and what happens in them.

In reading order: `moments` ("bar", "2 beats"), `clock` (which beat a frame lies in), `shapes` (movements of controls),
`loops` (functions called in time), `pace` (how fast the frames of a take were played).
"""
