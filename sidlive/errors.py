"""Errors that come from outside the program: files, devices, input typed by a person.

A message says in one line what was expected, what was found and what to do next. Violations of our own invariants are
assertions, never these errors.
"""


class SidliveError(Exception):
    """An error that a person can fix. The command line prints only the message, and exits with status 2."""


class TuneError(SidliveError):
    """A .sid file, a frames file or a tune's code that cannot be used."""


class ModelError(SidliveError):
    """Weights, a corpus or a checkpoint that cannot be used."""


class ControlError(SidliveError):
    """A control, verb or argument that does not exist or is out of range."""


class DeviceError(SidliveError):
    """A sound device, MIDI port or disk that is missing, fails or is full."""
