"""The file formats of music, each with its reader and its writer.

In reading order: `kinds` (the kinds of files), `psid` and `prg` (tunes: .sid and .prg), `npz`, `streams` and `inline`
(frames: .npz; .sidgpt and .dmp; inside a log), `files` (one way to open and write them all), `midi_file` (notes as
MIDI), `songlengths` (the HVSC's list of song lengths), `players` (signatures of player routines).
"""
