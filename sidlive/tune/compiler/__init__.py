"""Frames to a .sid with a 6510 player: packed, placed in memory, checked register by register."""
