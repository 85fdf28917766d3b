"""The processes of the instrument, and what starts them.

In reading order: `options` (of a room, and the core made from them), `process` (the core process and its threads),
`room` (starts the core process, and is the link to it), `compile_ahead` (compiles the kernels at the first start).
"""
