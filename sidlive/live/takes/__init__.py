"""Takes: `take` (all frames that the chip got, and the log), `commit` (a take as a .sid file), `replay` (its frames,
generated again from the log).
"""
