"""RtMidi, which reaches the MIDI drivers of Linux (ALSA), macOS and Windows: one binding for every Python.

The binding is the package supriya-midi. JACK is left out: `jack` reaches it with exact times, whatever its version.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

PACKAGE: Final = "supriya-midi"
ALSA_DEVICE: Final = Path("/dev/snd/seq")
_DRIVERS: Final = {"LINUX_ALSA": "ALSA", "MACOSX_CORE": "CoreMIDI", "WINDOWS_MM": "Windows MIDI"}

Heard = Callable[[bytes, float], object]  # gets a message and the seconds since the last one, in the driver's thread


class RtMidi:
    """The binding of RtMidi. Raises ImportError if it cannot be loaded."""

    def __init__(self) -> None:
        try:
            import supriya_midi
        except ImportError as error:
            if getattr(error, "name", None) == "supriya_midi":
                raise ImportError(f"{PACKAGE} is not installed (pip install {PACKAGE})") from None
            remedy = " (apt-get install libasound2)" if "libasound" in str(error) else ""
            raise ImportError(f"{PACKAGE} cannot be loaded: {error}{remedy}") from None
        self._module = supriya_midi

    @property
    def version(self) -> str:
        """The versions of the binding and of RtMidi, as people read them."""
        return f"{PACKAGE} {self._module.__version__} (RtMidi {self._module.get_rtmidi_version()})"

    def apis(self) -> list[int]:
        """Return the drivers that are on this machine, by their numbers in RtMidi."""
        known = [api for api in self._module.get_compiled_apis() if api.name in _DRIVERS]
        return [api for api in known if api.name != "LINUX_ALSA" or ALSA_DEVICE.exists()]

    def driver_name(self, api: Any) -> str:
        """Return a driver's name, as people read it."""
        return _DRIVERS[api.name]

    def input(self, api: Any, client: str) -> Any:
        """Return a client that hears. Raises any error if the driver does not answer."""
        return self._module.MidiIn(api, client)

    def output(self, api: Any, client: str) -> Any:
        """Return a client that sends. Raises any error if the driver does not answer."""
        return self._module.MidiOut(api, client)

    def open_any(self, api: Any, client: str) -> None:
        """Open and close a port to see whether a driver works; a port of our own if the driver has such ports.

        Raises any error if it does not.
        """
        opened = self.input(api, client)
        try:
            if api.name == "WINDOWS_MM":
                opened.open_port(0, "in")
            else:
                opened.open_virtual_port("in")
        finally:
            opened.delete()

    @staticmethod
    def hear(client: Any, heard: Heard) -> None:
        """Have all messages of an input client heard, of every kind: times are differences between messages."""
        client.ignore_types(sysex=False, timing=False, active_sense=False)
        client.set_callback(lambda message, since_s, data: heard(bytes(message), since_s))
