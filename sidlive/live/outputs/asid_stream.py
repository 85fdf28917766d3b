"""Frames as a stream of ASID messages: one update a frame, with the registers that change, and now and then all."""

from typing import Final

from sidlive.chip.registers import silence
from sidlive.live.outputs.asid import START, STOP, chip_type, speed, update, write_order
from sidlive.live.outputs.chip_stream import DueFrame, Row

REFRESH_S: Final = 1.0  # seconds between two updates with all registers: a message may be lost on a cable
SPEED_S: Final = 2.0  # shortest time between two speed messages
SPEED_CHANGE: Final = 0.002  # change of a frame's length, as a share, that is sent


class AsidStream:
    """The messages for one chip. One thread."""

    def __init__(self, extended: bool = False) -> None:
        """``extended``: send write order, speed and chip type as well."""
        self._extended = extended
        self._before: Row | None = None  # the frame that the chip has; None: not known
        self._whole_s = 0.0  # due time of the last update with all registers
        self._sent: tuple[str, bool] | None = None  # the chip and the write order that were sent
        self._frame_s, self._speed_s = 0.0, 0.0  # the frame's length that was sent last, and when

    @property
    def last(self) -> list[bytes]:
        """The messages after which the chip is silent, whatever it has played."""
        return [update(silence(1)[0]), STOP]

    @property
    def hush(self) -> list[bytes]:
        """The messages after which the chip is silent, and goes on listening."""
        return [update(silence(1)[0])]

    def forget(self) -> None:
        """Note that the chip's registers are not known: messages were dropped."""
        self._before = None

    def begin(self) -> None:
        """Note that the port is new: the chip knows nothing."""
        self._before = self._sent = None
        self._frame_s = 0.0

    def of(self, frame: DueFrame) -> list[bytes]:
        """Return the messages of a frame, all due when it is."""
        messages = self._news(frame)
        whole = self._before is None or frame.due_s - self._whole_s >= REFRESH_S
        messages.append(update(frame.row, None if whole else self._before))
        if whole:
            self._whole_s = frame.due_s
        self._before = frame.row.copy()
        return messages

    def _news(self, frame: DueFrame) -> list[bytes]:
        """Return the messages about the chip and the time, as far as they are new."""
        messages: list[bytes] = []
        about = frame.chip, frame.control_first
        is_new = self._sent is None
        if is_new:
            messages.append(START)
        if self._extended:
            changed = abs(frame.length_s - self._frame_s) > SPEED_CHANGE * self._frame_s
            if is_new or (changed and frame.due_s - self._speed_s >= SPEED_S):
                messages.append(speed(frame.timing, frame.length_s))
                self._frame_s, self._speed_s = frame.length_s, frame.due_s
                self._before = None  # some receivers reset the chip when they get this message
            if about != self._sent:
                messages += [chip_type(frame.chip), write_order(frame.control_first)]
        self._sent = about
        return messages
