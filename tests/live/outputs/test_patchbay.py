"""The patchbay: which frames the chips get, when, and what is heard."""

from collections.abc import Callable

import numpy as np
import pytest

from sidlive.chip.registers import PAL
from sidlive.errors import DeviceError
from sidlive.live.outputs import patchbay as module
from sidlive.live.outputs.chip_choice import ChipChoice
from sidlive.live.outputs.chip_stream import DueFrame
from sidlive.live.outputs.patchbay import MOST, ChipFacts, Patchbay
from sidlive.live.state import OutputState


class FakeSender:
    status = "open"


class FakeChip:
    """Stands for `ChipOutput`, without a port."""

    def __init__(self, choice: ChipChoice, tell: Callable[[str], object], tells_failure: bool) -> None:
        self.choice, self.sender = choice, FakeSender()
        self.frames: list[tuple[DueFrame, bool]] = []
        self.calls: list[str] = []

    @property
    def state(self) -> OutputState:
        return OutputState(self.choice.name, self.sender.status)

    def frame(self, frame: DueFrame, is_heard: bool) -> None:
        self.frames.append((frame, is_heard))

    def hush(self) -> None:
        self.calls.append("hush")

    def end(self) -> None:
        self.calls.append("end")

    def close(self) -> None:
        self.calls.append("close")


class Bay(Patchbay):
    """A patchbay whose alignment the test sets."""

    def __init__(self) -> None:
        self.align_ms = 0.0
        super().__init__(print, lambda: ChipFacts("8580", PAL, True), lambda: self.align_ms)

    def chip(self, number: int) -> FakeChip:
        found = self._chips[number]
        assert isinstance(found, FakeChip)
        return found


@pytest.fixture
def bay(monkeypatch: pytest.MonkeyPatch) -> Bay:
    monkeypatch.setattr(module, "ChipOutput", FakeChip)
    return Bay()


def play(bay: Bay, begin_s: float, value: int = 0) -> None:
    bay.frame(np.full(28, value, dtype=np.uint8), begin_s, begin_s + 0.02)


def test_all_chips_get_each_frame_with_what_they_need_to_know(bay: Bay) -> None:
    play(bay, 0.0)
    bay.connect("asid:left", voices="1-2")
    bay.connect("u64:right")
    play(bay, 1.0, value=7)
    for number in range(2):
        ((frame, is_heard),) = bay.chip(number).frames
        assert frame.row.tolist() == [7] * 28 and is_heard
        assert (frame.due_s, round(frame.length_s, 6)) == (1.0, 0.02)
        assert (frame.chip, frame.timing, frame.control_first) == ("8580", PAL, True)


def test_align_moves_the_chips_and_time_never_goes_back(bay: Bay) -> None:
    bay.connect("asid:synth")
    for align_ms, begin_s in ((0.0, 1.0), (10.0, 1.02), (-10.0, 1.04), (-10.0, 1.06), (-50.0, 1.08)):
        bay.align_ms = align_ms
        play(bay, begin_s)
    dues = [round(frame.due_s, 6) for frame, _ in bay.chip(0).frames]
    assert dues == [1.0, 1.03, 1.03, 1.05, 1.05]


def test_what_is_heard_is_chosen_and_without_a_chip_it_is_the_emulator(bay: Bay) -> None:
    bay.listen("chip")
    assert bay.emulator_is_heard
    bay.connect("asid:synth")
    play(bay, 1.0)
    assert not bay.emulator_is_heard and bay.chip(0).frames[-1][1]
    bay.listen("emulator")
    play(bay, 1.02)
    assert bay.emulator_is_heard and not bay.chip(0).frames[-1][1]
    bay.listen("chip")
    bay.chip(0).sender.status = "failed"
    assert bay.emulator_is_heard, "a chip that cannot play is not the only one heard"


def test_a_chip_that_is_named_again_replaces_itself_and_off_ends_all(bay: Bay) -> None:
    bay.connect("asid:synth")
    first = bay.chip(0)
    bay.connect("asid:synth", voices=3)
    bay.connect("asid:other")
    assert first.calls == ["end", "close"] and [state.name for state in bay.states] == ["asid:synth", "asid:other"]
    chips = [bay.chip(0), bay.chip(1)]
    bay.hush()
    bay.connect("off")
    assert all(chip.calls == ["hush", "end", "close"] for chip in chips) and bay.states == ()


def test_there_is_a_bound(bay: Bay) -> None:
    for number in range(MOST):
        bay.connect(f"asid:{number}")
    with pytest.raises(DeviceError, match=f"{MOST} chips play already"):
        bay.connect("asid:one more")
    assert len(bay.states) == MOST
