"""Files in the safetensors format: the library reads them, and divided files are joined again."""

from pathlib import Path

import numpy as np
import pytest
from engines import lively
from safetensors import safe_open

from sidlive.cli import main
from sidlive.errors import ModelError
from sidlive.model.weight_files import divide, join, serialise
from sidlive.model.weights import load_weights, save_weights


def test_the_library_reads_what_is_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tensors = {
        "odd": rng.integers(-9, 9, (3, 5), dtype=np.int8),
        "turned": rng.random((4, 3), dtype=np.float32).T,
        "one": np.ones(1, np.float32),
    }
    (tmp_path / "a.safetensors").write_bytes(serialise(tensors, {"about": "ö"}))
    with safe_open(tmp_path / "a.safetensors", framework="numpy") as file:
        assert file.metadata() == {"about": "ö"} and set(file.keys()) == set(tensors)
        for name, tensor in tensors.items():
            found = file.get_tensor(name)
            assert found.dtype == tensor.dtype and np.array_equal(found, tensor)


def test_a_large_file_is_divided_and_joined_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "m.safetensors", tmp_path / "whole.safetensors"
    save_weights(lively(), path)
    data = path.read_bytes()
    assert divide(path, len(data)) == [path] and path.exists()
    parts = divide(path, len(data) // 3 + 1)
    assert [part.name for part in parts] == [f"m.safetensors.{n}" for n in (1, 2, 3)] and not path.exists()
    assert max(part.stat().st_size for part in parts) <= len(data) // 3 + 1
    join(parts[0], out)
    assert out.read_bytes() == data
    assert main(["export", str(parts[0]), "-o", str(out)]) == 0
    assert load_weights(out).config == lively().config and "parameters" in capsys.readouterr().out
    parts[1].write_bytes(parts[1].read_bytes()[:-1])
    assert main(["export", str(parts[0]), "-o", str(out)]) == 2
    assert "one is missing or damaged" in capsys.readouterr().err and not out.exists()
    with pytest.raises(ModelError, match=r"expected the first part of a model file, which ends in \.1"):
        join(tmp_path / "none.1", out)
