"""Model files: int8 matrices with a float32 scale for each row, and float32 norms, in the safetensors format.

A matrix ``name`` is stored as ``name`` (int8) and ``name.scale`` (float32); a norm is stored under its name. The
metadata holds the format, the token language, the network's config, the model card, and a digest of all numbers.
`save_weights` writes a file, `load_weights` reads it, `dequantised` reads it as float32. Loads no torch:
`training.export` makes a model file from a training checkpoint.
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
    """A matrix, or several of equal shape, as int8 numbers times a scale for each row."""

    numbers: NDArray[np.int8]  # [..., rows, columns]
    scales: NDArray[np.float32]  # [..., rows]

    @property
    def floats(self) -> NDArray[np.float32]:
        """The matrix in float32, ``[..., rows, columns]``."""
        return self.numbers * self.scales[..., None]


@dataclass(frozen=True)
class EngineWeights:
    """The weights of one model, with its config and its card.

    ``matrices`` and ``norms``: by the names of the network's parameters. ``card``: text by field. ``pinnable``: the
    longest prompt, in frames, that the model was trained to hear pinned (see `Engine.reset`).
    """

    config: ModelConfig
    matrices: Mapping[str, QuantisedMatrix]
    norms: Mapping[str, NDArray[np.float32]]
    card: Mapping[str, str]
    pinnable: int = 0

    @property
    def parameters(self) -> int:
        """Number of parameters, without scales."""
        return sum(m.numbers.size for m in self.matrices.values()) + sum(n.size for n in self.norms.values())


def parameter_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of every parameter of the network, by name. Norms have one axis, matrices have more."""
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
    """Yield name and shape of each parameter of a level's blocks. ``level``: "time" or "column"."""
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
    """Round a float32 matrix to int8, -127 to 127, with a scale for each row that maps its largest number to 127."""
    scales = np.abs(floats).max(axis=-1).astype(np.float32) / np.float32(127)
    safe = np.where(scales > 0, scales, np.float32(1))
    return QuantisedMatrix(np.rint(floats / safe[..., None]).astype(np.int8), scales)


def from_floats(
    config: ModelConfig, state: Mapping[str, NDArray[np.float32]], card: Mapping[str, str], pinnable: int = 0
) -> EngineWeights:
    """Quantise float32 parameters ``state``. Raises ModelError if names, shapes or values do not fit the config."""
    shapes = parameter_shapes(config)
    _check_names("the checkpoint", set(state), set(shapes))
    matrices, norms = {}, {}
    for name, shape in shapes.items():
        floats = np.asarray(state[name], dtype=np.float32)
        _check_shape("the checkpoint", name, floats.shape, shape)
        if not np.isfinite(floats).all():
            raise ModelError(
                f"the checkpoint's {name} holds numbers that are not finite: train again from an earlier checkpoint"
            )
        if len(shape) == 1:
            norms[name] = floats
        else:
            matrices[name] = quantise(floats)
    return EngineWeights(config, matrices, norms, dict(card), pinnable)


def random_weights(config: ModelConfig, seed: int = 0, std: float = 0.02) -> EngineWeights:
    """Return random weights of the right shapes, to measure speed and for tests. ``std``: of every matrix."""
    rng = np.random.default_rng(seed)
    matrices, norms = {}, {}
    for name, shape in parameter_shapes(config).items():
        if len(shape) == 1:
            norms[name] = np.ones(shape, np.float32)
        else:
            numbers = rng.integers(-127, 128, shape, dtype=np.int8)
            scales = np.full(shape[:-1], std / 73.3, np.float32)  # 73.3: the standard deviation of the numbers
            matrices[name] = QuantisedMatrix(numbers, scales)
    return EngineWeights(config, matrices, norms, {"about": f"random, seed {seed}"})


def save_weights(weights: EngineWeights, path: Path) -> None:
    """Write a model file. Inverse: `load_weights`. Raises DeviceError if the disk refuses."""
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
    """Return the file of a shipped preset, or the path itself. Raises ModelError if the file is missing."""
    path = Path(path_or_preset)
    if str(path_or_preset) in PRESETS:
        path = ASSETS / f"{path_or_preset}.safetensors"
        if not path.exists():
            shipped = sorted(p.stem for p in ASSETS.glob("*.safetensors"))
            there = f"shipped: {', '.join(shipped)}" if shipped else "no preset is shipped"
            raise ModelError(f"the preset {path_or_preset!r} does not ship with this version ({there}); train one")
    elif not os.path.exists(path):
        raise ModelError(f"no model {str(path)!r}: expected a preset ({', '.join(PRESETS)}) or a .safetensors file")
    return path


def load_weights(path_or_preset: str | Path) -> EngineWeights:
    """Read a model file, or a shipped preset by its name. Inverse: `save_weights`.

    Raises ModelError if the file is missing, damaged, cut short, of another version or not a model.
    """
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
                    f"{path} speaks another token language ({metadata.get('language')}; expected {LANGUAGE}); "
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
    digest, tensors = _digest(tensors), {name: with_guide_rows(name, part) for name, part in tensors.items()}
    shapes = parameter_shapes(config)
    expected = set(shapes) | {name + SCALE for name, shape in shapes.items() if len(shape) > 1}
    _check_names(str(path), set(tensors), expected)
    for name, shape in shapes.items():
        _check_shape(str(path), name, tensors[name].shape, shape, tensors[name].dtype, len(shape) > 1)
        if len(shape) > 1:
            _check_shape(str(path), name + SCALE, tensors[name + SCALE].shape, shape[:-1], tensors[name + SCALE].dtype)
    if metadata.get("digest") != digest:
        raise ModelError(f"{path} is damaged: its numbers do not match its digest; fetch or export it again")
    matrices = {
        name: QuantisedMatrix(tensors[name], tensors[name + SCALE]) for name, shape in shapes.items() if len(shape) > 1
    }
    norms = {name: tensors[name] for name, shape in shapes.items() if len(shape) == 1}
    return EngineWeights(config, matrices, norms, card, pinnable)


def with_guide_rows(name: str, part: NDArray[Any]) -> NDArray[Any]:
    """Return a parameter, or its scales, as networks with a guide have it. ``name``: in a file or a checkpoint.

    Networks made before `model.guide` existed have no strength GUIDE. It then equals recall's greatest strength: such a
    network trusts the guide as it trusts recall of a long passage. All other parameters are returned as they are.
    """
    old = rc.CHOICES * tk.KINDS * rc.RUN_STRENGTHS
    if name.removesuffix(SCALE) != "strength_embedding" or len(part) != old:
        return part
    by_strength = part.reshape(rc.CHOICES * tk.KINDS, rc.RUN_STRENGTHS, *part.shape[1:])
    return np.concatenate([by_strength, by_strength[:, -1:]], axis=1).reshape(-1, *part.shape[1:])


def dequantised(path_or_preset: str | Path) -> dict[str, NDArray[np.float32]]:
    """Read a model file as float32 parameters by name, as the network in torch loads them."""
    return floats_of(load_weights(path_or_preset))


def floats_of(weights: EngineWeights) -> dict[str, NDArray[np.float32]]:
    """Return every parameter in float32, by name. Inverse of `from_floats`, up to half a step of the rounding."""
    return {**{name: matrix.floats for name, matrix in weights.matrices.items()}, **weights.norms}


def _digest(tensors: Mapping[str, NDArray[Any]]) -> str:
    """Return a digest of all names and numbers, which shows that a file is damaged before it is played."""
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensors[name]).data)
    return digest.hexdigest()


def _check_names(source: str, found: set[str], expected: set[str]) -> None:
    """Raise ModelError if parameters are missing or unknown. ``source``: the file, for the message."""
    if missing := sorted(expected - found):
        raise ModelError(f"{source} lacks {missing[0]} (and {len(missing) - 1} more): it is of another network")
    if foreign := sorted(found - expected):
        raise ModelError(
            f"{source} holds {foreign[0]} (and {len(foreign) - 1} more), unknown here: it is of another network"
        )


def _check_shape(
    source: str,
    name: str,
    found: tuple[int, ...],
    expected: tuple[int, ...],
    dtype: Any = np.float32,
    integers: bool = False,
) -> None:
    """Raise ModelError if a parameter has another shape or type than expected: int8 if ``integers``, else float32."""
    kind = np.int8 if integers else np.float32
    if found != expected or dtype != kind:
        raise ModelError(
            f"{source}: {name} is {np.dtype(dtype)}{list(found)}, expected {np.dtype(kind)}{list(expected)}; "
            "it is of another network"
        )
