"""Chips that play the frames beside the emulator: real SIDs over ASID, and an Ultimate 64 over the network.

In reading order: `chip_choice` (a chip as the performer writes it), `asid` (the messages of ASID), `chip_stream`,
`asid_stream` and `ultimate` (frames as messages), `receiver` (what messages are sent to), `sender_process` (sends them
at their times, and silence if the core dies), `timed_port` and `ultimate_port` (its ports), `sender` (its owner in the
core), `chip_output` (one chip), `patchbay` (all chips, and what is heard).
"""
