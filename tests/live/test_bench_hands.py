"""``sidlive bench hands`` as typed on the command line."""

import pytest

from sidlive.bench.hands_box import LAST, NUMBERS, HandsBox
from sidlive.cli import main


def test_a_time_that_is_too_short_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "hands", "--seconds", "1"]) != 0
    assert "--seconds expects 5 or more, found 1" in capsys.readouterr().err


def test_a_flood_ends_with_its_last_value_on_each_number(jack: object) -> None:
    from fake_engine import until

    from sidlive.bench.jack_in import JackIn

    recorder = JackIn("recorder")
    box = HandsBox()
    try:
        from sidlive.live.hands.jack import JackClient

        wire = JackClient("wire")
        assert wire.sources() == ["sidlive box:knobs"]
        wire._jack.jack_connect(wire._client, b"sidlive box:knobs", b"recorder:in")
        wire.close()
        box.obey(["flood", "20", "1000"])
        assert until(lambda: len(recorder.heard) > 1000)
        box.obey(["quiet"])
        changes = [message for _, message in recorder.heard if message[0] == 0xB0]
        assert changes[-NUMBERS:] == [bytes([0xB0, 20 + number, LAST]) for number in range(NUMBERS)]
        times = [time_s for time_s, message in recorder.heard if message[0] == 0xB0]
        assert (times[900] - times[100]) == pytest.approx(0.8, abs=0.01), "a thousand a second, to the sample"
        assert sum(message == b"\xf8" for _, message in recorder.heard) > 40
    finally:
        recorder.close()
