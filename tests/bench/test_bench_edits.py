"""Measuring how exactly edits of the music meet their beat: what is compared, and what is told of a room that plays."""

from pathlib import Path

from fake_engine import FakeEngine
from patience import undisturbed

from sidlive.bench.hands_edit import edit_figures
from sidlive.live.processes.options import RoomOptions
from sidlive.report import Result


def test_edits_with_a_moment_and_without_one_are_found_in_what_the_chip_got(tmp_path: Path) -> None:
    options = RoomOptions(device="null", midi="none", engine=FakeEngine, takes=tmp_path)
    found: list[Result] = []
    undisturbed(lambda: found.extend(edit_figures(options, 1.0, print)))
    values = {result.name: result.value for result in found}
    assert set(values) == {
        "edit_heard_ms.p50", "edit_heard_ms.p99", "edit_now_ms.p50", "edit_now_ms.p99", "edits.heard",
        "edits.underruns",
    }  # fmt: skip
    assert values["edits.heard"] >= 2
    assert values["edit_now_ms.p50"] > 0
