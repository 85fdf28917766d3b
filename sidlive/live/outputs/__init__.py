"""Chips that play the frames beside the emulator: real SIDs over ASID, an Ultimate 64 over the network.

In reading order: `choice` (a chip as the performer writes it), `asid` (the messages of ASID), `asid_stream` and
`ultimate` (frames as messages), `sender_process` (sends messages at their times, and silence if the core dies),
`sender` (its owner in the core), `chip_output` (frames to one chip), `patchbay` (all chips, and what is heard).
"""
