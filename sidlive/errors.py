"""What can go wrong in the world outside: files, devices, what a person typed.

A message says what was expected, what was found and what to do next, in one line. Broken invariants of our own
are assertions, never these.
"""


class SidliveError(Exception):
    """Anything a person can put right. The command line prints the message alone and exits with 2."""


class TuneError(SidliveError):
    """A .sid file, a frames file or a tune's code that cannot be used as asked."""


class ModelError(SidliveError):
    """Weights, corpora or checkpoints that cannot be used as asked."""


class ControlError(SidliveError):
    """A control, verb or argument that does not exist or is out of range."""


class DeviceError(SidliveError):
    """Sound, MIDI or the disk: something outside that is missing or full."""
