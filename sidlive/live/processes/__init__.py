"""The processes of the instrument, and what starts them.

In reading order: `options` (of a room, and the core made from them), `core_start` (starts the core process), `process`
(the core process and its threads), `garbage` (collected in small portions), `diary` (what was done before a gap in the
sound), `room` (the link to the core process), `compile_ahead` (compiles the kernels at the first start).
"""
