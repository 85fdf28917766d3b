"""Weights as the engine takes them: int8 matrices with a float32 scale a row, float32 norms, in a safetensors file.

A file holds, for each matrix ``name``, ``name`` (int8) and ``name.scale`` (float32, one a row), and each norm as it is;
its metadata the format, the network's config and the model card. `save_weights` writes it, `load_weights` reads it, and
`dequantised` gives the floats that the numbers stand for. No torch: `training.export` makes a file of a checkpoint.
"""

import hashlib
import json
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from sidlive.errors import ModelError
from sidlive.model import recall as rc
from sidlive.model import tokens as tk
from sidlive.model.config import PRESETS, ModelConfig, Stack
from sidlive.writing import write_file

FORMAT: Final = "sidlive-q8"
LANGUAGE: Final = f"{tk.SLOTS} slots, {tk.KINDS} kinds, {tk.VOCABULARY} tokens, {tk.MANNERS} manners"
ASSETS: Final = Path(__file__).parent / "assets"
SCALE: Final = ".scale"


@dataclass(frozen=True)
class QuantisedMatrix:
    """``int8[..., R, C]`` times ``float32[..., R]``."""

    numbers: NDArray[np.int8]
    scales: NDArray[np.float32]

    @property
    def floats(self) -> NDArray[np.float32]:
        return self.numbers * self.scales[..., None]


@dataclass(frozen=True)
class EngineWeights:
    """One model: its shape, its parameters by the network's names, its card (strings).

    ``pinnable``: frames of a prompt, at most, that it learned to hear pinned before a past that has a gap in it.
    """

    config: ModelConfig
    matrices: Mapping[str, QuantisedMatrix]
    norms: Mapping[str, NDArray[np.float32]]
    card: Mapping[str, str]
    pinnable: int = 0

    @property
    def parameters(self) -> int:
        return sum(m.numbers.size for m in self.matrices.values()) + sum(n.size for n in self.norms.values())


def parameter_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Every parameter of the network, by name: norms have one axis, matrices more."""
    time, column = config.time.width, config.column.width
    return {
        "value_embedding": (tk.SLOTS * 256, time),
        "manner_embedding": (tk.SLOTS * tk.MANNERS, time),
        **dict(_stack_shapes("time", config.time)),
        "bridge.weight": (column, time),
        "slot_embedding": (tk.SLOTS, column),
        "before_embedding": (tk.KINDS * 256, column),
        "said_embedding": (tk.KINDS * tk.TOKEN_IDS, column),
        "recall_embedding": (rc.CHOICES * tk.KINDS * tk.TOKEN_IDS, column),
        "strength_embedding": (rc.CHOICES * tk.KINDS * rc.STRENGTHS, column),
        "trust": (rc.CHOICES * tk.KINDS, column),
        **dict(_stack_shapes("column", config.column)),
        "head": (tk.KINDS, tk.VOCABULARY, column),
    }


def _stack_shapes(level: str, stack: Stack) -> Iterator[tuple[str, tuple[int, ...]]]:
    d, kv, hidden = stack.width, stack.kv_width, stack.hidden
    for layer in range(stack.layers):
        block = f"{level}_blocks.{layer}."
        yield block + "attention_norm", (d,)
        yield block + "feed_norm", (d,)
        for part, shape in (
            ("query", (d, d)),
            ("key", (kv, d)),
            ("value", (kv, d)),
            ("out", (d, d)),
            ("gate", (hidden, d)),
            ("up", (hidden, d)),
            ("down", (d, hidden)),
        ):
            yield f"{block}{part}.weight", shape
    yield f"{level}_norm", (d,)


def quantise(floats: NDArray[np.float32]) -> QuantisedMatrix:
    """To the nearest int8 (-127 .. 127), with the smallest scale a row that holds them all."""
    scales = np.abs(floats).max(axis=-1).astype(np.float32) / np.float32(127)
    safe = np.where(scales > 0, scales, np.float32(1))
    return QuantisedMatrix(np.rint(floats / safe[..., None]).astype(np.int8), scales)


def from_floats(
    config: ModelConfig, state: Mapping[str, NDArray[np.float32]], card: Mapping[str, str], pinnable: int = 0
) -> EngineWeights:
    """Quantise float32 parameters. ModelError where they are not those of the config."""
    shapes = parameter_shapes(config)
    _check_names("the checkpoint", set(state), set(shapes))
    matrices, norms = {}, {}
    for name, shape in shapes.items():
        floats = np.asarray(state[name], dtype=np.float32)
        _check_shape("the checkpoint", name, floats.shape, shape)
        if not np.isfinite(floats).all():
            raise ModelError(
                f"the checkpoint's {name} holds numbers that are not finite: train again from an earlier one"
            )
        if len(shape) == 1:
            norms[name] = floats
        else:
            matrices[name] = quantise(floats)
    return EngineWeights(config, matrices, norms, dict(card), pinnable)


def random_weights(config: ModelConfig, seed: int = 0, std: float = 0.02) -> EngineWeights:
    """Weights of the right shape and size that say nothing sensible: for measuring speed, and tests."""
    rng = np.random.default_rng(seed)
    matrices, norms = {}, {}
    for name, shape in parameter_shapes(config).items():
        if len(shape) == 1:
            norms[name] = np.ones(shape, np.float32)
        else:
            numbers = rng.integers(-127, 128, shape, dtype=np.int8)
            scales = np.full(shape[:-1], std / 73.3, np.float32)  # 73.3: the deviation of those numbers
            matrices[name] = QuantisedMatrix(numbers, scales)
    return EngineWeights(config, matrices, norms, {"about": f"random, seed {seed}"})


def save_weights(weights: EngineWeights, path: Path) -> None:
    """Write a file. Inverse: `load_weights`. DeviceError where the disk refuses."""
    tensors: dict[str, NDArray[Any]] = dict(weights.norms)
    for name, matrix in weights.matrices.items():
        tensors[name] = matrix.numbers
        tensors[name + SCALE] = matrix.scales
    metadata = {
        "format": FORMAT,
        "language": LANGUAGE,
        "config": json.dumps(weights.config.to_dict()),
        "card": json.dumps(dict(weights.card)),
        "pinnable": str(weights.pinnable),
        "digest": _digest(tensors),
    }
    write_file(path, save({name: np.ascontiguousarray(t) for name, t in tensors.items()}, metadata))


def model_path(path_or_preset: str | Path) -> Path:
    """The file of a shipped preset, or the path itself. ModelError where the file is missing."""
    path = Path(path_or_preset)
    if str(path_or_preset) in PRESETS:
        path = ASSETS / f"{path_or_preset}.safetensors"
        if not path.exists():
            shipped = sorted(p.stem for p in ASSETS.glob("*.safetensors"))
            there = f"there is {', '.join(shipped)}" if shipped else "none is"
            raise ModelError(f"the preset {path_or_preset!r} does not ship with this version ({there}); train one")
    elif not os.path.exists(path):
        raise ModelError(f"no model {str(path)!r}: expected a preset ({', '.join(PRESETS)}) or a .safetensors file")
    return path


def load_weights(path_or_preset: str | Path) -> EngineWeights:
    """Read a model. ModelError where the file is missing, damaged, cut short, or not one of sidlive's."""
    path = model_path(path_or_preset)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ModelError(
                    f"{path} is not a model of sidlive (its format is {metadata.get('format')!r}, expected {FORMAT!r})"
                )
            if metadata.get("language") != LANGUAGE:
                raise ModelError(
                    f"{path} speaks another token language ({metadata.get('language')}; this version: {LANGUAGE}); "
                    "use the version that made it, or train again"
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, struct.error) as error:
        raise ModelError(f"{path} cannot be read as a model ({error}); fetch or export it again") from error
    try:
        config = ModelConfig.from_dict(json.loads(metadata["config"]))
        card = {str(key): str(value) for key, value in json.loads(metadata["card"]).items()}
        pinnable = int(metadata.get("pinnable", 0))
    except (KeyError, ValueError, AttributeError, AssertionError) as error:
        raise ModelError(f"{path} has no usable config or card in it ({error!r}); export it again") from error
    shapes = parameter_shapes(config)
    expected = set(shapes) | {name + SCALE for name, shape in shapes.items() if len(shape) > 1}
    _check_names(str(path), set(tensors), expected)
    for name, shape in shapes.items():
        _check_shape(str(path), name, tensors[name].shape, shape, tensors[name].dtype, len(shape) > 1)
        if len(shape) > 1:
            _check_shape(str(path), name + SCALE, tensors[name + SCALE].shape, shape[:-1], tensors[name + SCALE].dtype)
    if metadata.get("digest") != _digest(tensors):
        raise ModelError(f"{path} is damaged: its numbers are not those that were written; fetch or export it again")
    matrices = {
        name: QuantisedMatrix(tensors[name], tensors[name + SCALE]) for name, shape in shapes.items() if len(shape) > 1
    }
    norms = {name: tensors[name] for name, shape in shapes.items() if len(shape) == 1}
    return EngineWeights(config, matrices, norms, card, pinnable)


def dequantised(path_or_preset: str | Path) -> dict[str, NDArray[np.float32]]:
    """The floats that a model's file stands for, by the network's names: what torch loads to compare."""
    return floats_of(load_weights(path_or_preset))


def floats_of(weights: EngineWeights) -> dict[str, NDArray[np.float32]]:
    """Every parameter as float32. Near-inverse of `from_floats` (each number off by at most half a step)."""
    return {**{name: matrix.floats for name, matrix in weights.matrices.items()}, **weights.norms}


def _digest(tensors: Mapping[str, NDArray[Any]]) -> str:
    """Of all numbers: a flipped bit is told instead of played."""
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensors[name]).data)
    return digest.hexdigest()


def _check_names(what: str, found: set[str], expected: set[str]) -> None:
    if missing := sorted(expected - found):
        raise ModelError(f"{what} lacks {missing[0]} (and {len(missing) - 1} more): it is of another network")
    if foreign := sorted(found - expected):
        raise ModelError(
            f"{what} holds {foreign[0]} (and {len(foreign) - 1} more), unknown here: it is of another network"
        )


def _check_shape(
    what: str,
    name: str,
    found: tuple[int, ...],
    expected: tuple[int, ...],
    dtype: Any = np.float32,
    integers: bool = False,
) -> None:
    kind = np.int8 if integers else np.float32
    if found != expected or dtype != kind:
        raise ModelError(
            f"{what}: {name} is {np.dtype(dtype)}{list(found)}, expected {np.dtype(kind)}{list(expected)}; "
            "it is of another network"
        )
