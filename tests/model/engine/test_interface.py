"""The engine's public interface: its documented example runs, and settings load no numba."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from engines import SMALL, lively, tune

import sidlive.model.engine
from sidlive.errors import ModelError
from sidlive.model.engine import Engine, Sampling, load_engine
from sidlive.model.weights import ASSETS, save_weights


@pytest.mark.skipif(not (ASSETS / "pocket.safetensors").exists(), reason="no pocket model ships yet")
def test_the_example_in_the_documentation_runs() -> None:
    documentation = sidlive.model.engine.__doc__ or ""
    example = "\n".join(line[4:] for line in documentation.splitlines() if line.startswith("    "))
    assert all(word in example for word in ("load_engine", "prefill", "step", "rewind", "snapshot", "fork", "restore"))
    names: dict[str, object] = {"prompt": tune(100)}
    exec(example, names)
    engine, frame, frames = names["engine"], names["frame"], names["frames"]
    assert isinstance(engine, Engine) and isinstance(frame, np.ndarray) and isinstance(frames, np.ndarray)
    assert engine.position == 100 and frame.shape == (28,) and frames.shape == (4, 28)
    np.testing.assert_array_equal(engine.step(Sampling(seed=1)), frame)  # the state is the one before the first step


def test_every_public_name_is_there() -> None:
    for name in sidlive.model.engine.__all__:
        assert getattr(sidlive.model.engine, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'generate'"):
        sidlive.model.engine.generate  # noqa: B018


def test_settings_and_constraints_load_no_numba() -> None:
    code = (
        "import sys; from sidlive.model.engine import Sampling, constrain, permitted_values; "
        "Sampling(seed=1), constrain(permitted_values({0: [1]})); print('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_loaded_engine_is_ready_to_play(tmp_path: Path) -> None:
    save_weights(lively(), tmp_path / "small.safetensors")
    engine = load_engine(tmp_path / "small.safetensors", context=SMALL.context, headroom=20)
    assert engine.position == 0 and engine.memory == 0
    alone = Engine(lively(), context=SMALL.context, headroom=20)
    for one in (engine, alone):
        one.prefill(tune(30))
    np.testing.assert_array_equal(engine.step(Sampling(seed=1)), alone.step(Sampling(seed=1)))
    for context, headroom in ((0, 20), (20, 0)):
        with pytest.raises(ModelError, match="of at least 1"):
            load_engine(tmp_path / "small.safetensors", context, headroom)
