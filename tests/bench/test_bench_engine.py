"""The figures of ``sidlive bench engine``: their names and plausible values."""

import numpy as np
import pytest

from sidlive.bench import engine as bench
from sidlive.chip import registers as sid
from sidlive.instructions import in_use
from sidlive.model.config import PRESETS
from sidlive.model.engine import Engine
from sidlive.tune.fragment import onsets


def test_figures_have_their_names_and_make_sense(monkeypatch) -> None:
    small = {"pocket": PRESETS["pocket"], "stage": PRESETS["pocket"]}
    monkeypatch.setattr(bench, "PRESETS", small)
    monkeypatch.setattr(bench, "CONTEXT", 64)
    monkeypatch.setattr(bench, "ROUND", 5)
    progress: list[str] = []
    monkeypatch.setattr(bench, "UNCACHED", 1 << 22)
    results = {r.name: r for r in bench.bench_engine(rounds=2, everything=False, report_progress=progress.append)}
    isa = in_use()
    assert results["isa"].value == isa
    assert results[f"gmac_per_s.{isa}"].value > 0 and results[f"memory_gb_per_s.{isa}"].value > 0
    results |= {name.removesuffix(f".{isa}"): result for name, result in results.items() if name.endswith(f".{isa}")}
    assert results["share_of_limit.pocket"].value > 0
    for name in ("realtime_x.pocket", "realtime_x.stage", "p99_ms.pocket", "p99_ms.stage"):
        assert isinstance(results[name].value, float) and results[name].value > 0
    for name in (
        "prefill512_ms.pocket",
        "flat_realtime_x.stage",
        "lanes4_cost_x.stage",
        "composer_us_per_event",
        "composer_prefill600_ms",
        "start_s.warm",
        "resident_mb.pocket",
    ):
        assert results[name].value > 0
    assert results["weights.stage"].value in ("shipped", "random")
    assert results["realtime_x.pocket"].unit == "x"
    ratio = results["realtime_x.pocket"].value * results["frame_ms.pocket"].value / 1000 * sid.PAL.rate_hz
    np.testing.assert_allclose(ratio, 1.0)
    assert 12 <= results["tokens_per_frame.pocket"].value <= sid.COLUMNS
    assert progress


def test_a_network_of_4_bit_numbers_has_figures_of_its_own(monkeypatch) -> None:
    monkeypatch.setattr(bench, "PRESETS", {"stage": PRESETS["pocket"]})
    monkeypatch.setattr(bench, "CONTEXT", 64)
    monkeypatch.setattr(bench, "ROUND", 5)
    weights, kind = bench.weights_of("stage4")
    assert kind == "random" and weights.bits == 4
    limits = bench.Limits(1e11, 2e10)
    results = {r.name: r.value for r in bench._rates("stage4", Engine(weights, 64), 1, limits)}
    assert results["realtime_x.stage4"] > 0 and 0 < results["share_of_limit.stage4"] < 2
    monkeypatch.setattr(bench, "UNCACHED", 1000)
    results = {r.name: r.value for r in bench._rates("stage4", Engine(weights, 64), 1, limits)}
    np.testing.assert_allclose(results["weights_gb_per_s.stage4"], 20.0, err_msg="those from memory, at its speed")


def test_torch_is_timed_in_a_separate_process(monkeypatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(bench, "CONTEXT", 8)
    seconds = bench._torch_seconds("pocket")
    assert seconds is not None and seconds > 0


def test_without_torch_its_figure_is_left_out(monkeypatch) -> None:
    hidden = "import sys; sys.modules['torch'] = None\n"
    monkeypatch.setattr(bench, "TORCH", hidden + bench.TORCH)
    assert bench._torch_seconds("pocket") is None


def test_the_exercise_resembles_music() -> None:
    frames = bench.exercise(500)
    assert frames.shape == (500, sid.COLUMNS) and not (frames & ~sid.USED_BITS).any()
    assert 5 < onsets(frames).sum() / 10 < 30
