"""Model files: int8 matrices with a float32 scale for each row, and float32 norms, in the safetensors format.

A matrix ``name`` is stored as ``name`` (int8) and ``name.scale`` (float32); a norm is stored under its name. The
metadata holds the format, the language that the network speaks, its config, the model card, and a digest of all
numbers. There are two kinds of models: frame models and composers. `save_weights` writes a file of either kind,
`load_weights` and `load_composer_weights` read it, `dequantised` reads a frame model as float32. Loads no torch:
`training.export` makes a model file from a training checkpoint.
"""

import hashlib
import json
import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Generic, NamedTuple, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from sidlive.errors import ModelError
from sidlive.model import recall as rc
from sidlive.model import tokens as tk
from sidlive.model.composer import inputs
from sidlive.model.composer.events import SIZES
from sidlive.model.composer.shape import COMPOSERS, ComposerConfig
from sidlive.model.config import PRESETS, ModelConfig
from sidlive.model.matrices import (
    GROUP,
    LARGEST_FACTOR,
    LEAST,
    MOST,
    GroupedMatrix,
    QuantisedMatrix,
    pack,
    quantise,
    quantise_groups,
    unpack,
)
from sidlive.model.parameters import is_norm, is_of_time, parameter_shapes
from sidlive.model.weight_files import serialise
from sidlive.writing import write_file

FORMATS: Final = {8: "sidlive-q8", 4: "sidlive-q4"}  # by the bits of the numbers in the time level's blocks
ASSETS: Final = Path(__file__).parent / "assets"
SCALE: Final = ".scale"
FACTOR: Final = ".factor"


class ModelKind(NamedTuple):
    """One of the two kinds of models. ``language``: what its network speaks, in a text that changes with it."""

    name: str  # for messages
    language: str
    config_of: Callable[[dict[str, Any]], Any]
    presets: tuple[str, ...]
    suffix: str  # of a shipped file's name, after the preset's


FRAME_MODEL: Final = ModelKind(
    "a frame model",
    f"{tk.SLOTS} slots, {tk.KINDS} kinds, {tk.VOCABULARY} tokens, {tk.MANNERS} manners",
    ModelConfig.from_dict,
    tuple(PRESETS),
    "",
)
COMPOSER: Final = ModelKind(
    "a composer",
    f"notes {SIZES}, {inputs.SUGGESTIONS} suggestions, {inputs.HEARD_ROWS} and {inputs.FIELD_ROWS} rows",
    ComposerConfig.from_dict,
    tuple(COMPOSERS),
    "-composer",
)
Config = TypeVar("Config", bound=ModelConfig | ComposerConfig)


@dataclass(frozen=True)
class QuantisedWeights(Generic[Config]):
    """The weights of one model, with its config and its card; the base of both kinds.

    ``matrices``, ``norms`` and ``grouped``: by the names of the network's parameters. ``grouped``: all matrices of the
    time level's blocks, or none. ``card``: text by field.
    """

    config: Config
    matrices: Mapping[str, QuantisedMatrix]
    norms: Mapping[str, NDArray[np.float32]]
    card: Mapping[str, str]
    grouped: Mapping[str, GroupedMatrix] = field(default_factory=dict)

    @property
    def bits(self) -> int:
        """Bits of the numbers in the time level's blocks: 8 or 4. All other matrices have 8."""
        return 4 if self.grouped else 8

    @property
    def parameters(self) -> int:
        """Number of parameters, without scales."""
        matrices = sum(m.numbers.size for m in self.matrices.values()) + sum(n.size for n in self.norms.values())
        return matrices + sum(m.numbers.size for m in self.grouped.values())


@dataclass(frozen=True)
class EngineWeights(QuantisedWeights[ModelConfig]):
    """The weights of a frame model.

    ``pinnable``: the longest prompt, in frames, that the model was trained to hear pinned (see `Engine.reset`).
    """

    pinnable: int = 0


@dataclass(frozen=True)
class ComposerWeights(QuantisedWeights[ComposerConfig]):
    """The weights of a composer. ``digest``: of the numbers in its file; "" before they are in a file."""

    digest: str = ""


State = Mapping[str, NDArray[np.float32]]


@overload
def from_floats(
    config: ModelConfig, state: State, card: Mapping[str, str], pinnable: int = 0, bits: int = 8
) -> EngineWeights: ...
@overload
def from_floats(config: ComposerConfig, state: State, card: Mapping[str, str]) -> ComposerWeights: ...
def from_floats(
    config: ModelConfig | ComposerConfig, state: State, card: Mapping[str, str], pinnable: int = 0, bits: int = 8
) -> EngineWeights | ComposerWeights:
    """Quantise float32 parameters ``state``. ``bits``: 8, or 4 for the blocks of a frame model's time level.

    Raises ModelError if names, shapes or values do not fit the config, or the config not the bits.
    """
    _check_bits(config, bits)
    shapes, made = parameter_shapes(config), _NamedParts()
    _check_names("the checkpoint", set(state), set(shapes))
    for name, shape in shapes.items():
        floats = np.asarray(state[name], dtype=np.float32)
        _check_shape("the checkpoint", name, floats, shape)
        if not np.isfinite(floats).all():
            raise ModelError(
                f"the checkpoint's {name} holds numbers that are not finite: train again from an earlier checkpoint"
            )
        if is_norm(name):
            made.norms[name] = floats
        elif bits == 4 and is_of_time(name):
            made.grouped[name] = quantise_groups(floats)
        else:
            made.matrices[name] = quantise(floats)
    return made.weights(config, dict(card), pinnable)


def _check_bits(config: ModelConfig | ComposerConfig, bits: int) -> None:
    """Raise ModelError if a network cannot be stored with 4-bit numbers, or the bits are neither 8 nor 4."""
    if bits not in FORMATS:
        raise ModelError(f"numbers have {' or '.join(map(str, FORMATS))} bits, not {bits}")
    if bits == 4:
        if isinstance(config, ComposerConfig):
            raise ModelError("a composer's numbers have 8 bits: only the time level of a frame model can have 4")
        widths = config.time.width, config.time.hidden
        if any(width % GROUP for width in widths):
            raise ModelError(
                f"numbers of 4 bits need widths that are multiples of {GROUP}, not {widths[0]} and {widths[1]}: use 8"
            )


@overload
def random_weights(config: ModelConfig, seed: int = 0, std: float = 0.02, bits: int = 8) -> EngineWeights: ...
@overload
def random_weights(config: ComposerConfig, seed: int = 0, std: float = 0.02) -> ComposerWeights: ...
def random_weights(
    config: ModelConfig | ComposerConfig, seed: int = 0, std: float = 0.02, bits: int = 8
) -> EngineWeights | ComposerWeights:
    """Return random weights of the right shapes, to measure speed and for tests.

    ``std``: of every matrix. ``bits``: as for `from_floats`.
    """
    _check_bits(config, bits)
    rng, made = np.random.default_rng(seed), _NamedParts()
    for name, shape in parameter_shapes(config).items():
        if is_norm(name):
            made.norms[name] = np.ones(shape, np.float32)
        elif bits == 4 and is_of_time(name):
            numbers = rng.integers(LEAST, MOST + 1, shape, dtype=np.int8)
            factors = rng.integers(-LARGEST_FACTOR, LARGEST_FACTOR + 1, (shape[0], shape[1] // GROUP), dtype=np.int8)
            scales = np.full(shape[0], std / 341, np.float32)  # 341: the standard deviation of number times factor
            made.grouped[name] = GroupedMatrix(numbers, factors, scales)
        else:
            numbers = rng.integers(-127, 128, shape, dtype=np.int8)
            scales = np.full(shape[:-1], std / 73.3, np.float32)  # 73.3: the standard deviation of the numbers
            made.matrices[name] = QuantisedMatrix(numbers, scales)
    return made.weights(config, {"about": f"random, seed {seed}"}, 0)


@dataclass
class _NamedParts:
    """The parameters of a network that is made or read, by name."""

    matrices: dict[str, QuantisedMatrix] = field(default_factory=dict)
    norms: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    grouped: dict[str, GroupedMatrix] = field(default_factory=dict)

    def weights(
        self, config: ModelConfig | ComposerConfig, card: Mapping[str, str], pinnable: int
    ) -> EngineWeights | ComposerWeights:
        """Return weights of the kind that the config is of."""
        if isinstance(config, ComposerConfig):
            return ComposerWeights(config, self.matrices, self.norms, card)
        return EngineWeights(config, self.matrices, self.norms, card, self.grouped, pinnable)


def save_weights(weights: EngineWeights | ComposerWeights, path: Path) -> None:
    """Write a model file. Inverse: `load_weights`, `load_composer_weights`. Raises DeviceError if the disk refuses."""
    tensors: dict[str, NDArray[Any]] = dict(weights.norms)
    for name, matrix in weights.matrices.items():
        tensors |= {name: matrix.numbers, name + SCALE: matrix.scales}
    for name, grouped in weights.grouped.items():
        tensors |= {name: pack(grouped.numbers), name + FACTOR: grouped.factors, name + SCALE: grouped.scales}
    metadata = {
        "format": FORMATS[weights.bits],
        "language": (COMPOSER if isinstance(weights, ComposerWeights) else FRAME_MODEL).language,
        "config": json.dumps(weights.config.to_dict()),
        "card": json.dumps(dict(weights.card)),
        "digest": _digest(tensors),
    }
    if isinstance(weights, EngineWeights):
        metadata["pinnable"] = str(weights.pinnable)
    write_file(path, serialise(tensors, metadata))


def model_path(path_or_preset: str | Path, kind: ModelKind = FRAME_MODEL) -> Path:
    """Return the file of a shipped preset, or the path itself. Raises ModelError if the file is missing."""
    path = Path(path_or_preset)
    if str(path_or_preset) in kind.presets:
        path = ASSETS / f"{path_or_preset}{kind.suffix}.safetensors"
        if not path.exists():
            shipped = sorted(p.stem for p in ASSETS.glob("*.safetensors"))
            there = f"shipped: {', '.join(shipped)}" if shipped else "no preset is shipped"
            raise ModelError(f"the preset {path.stem!r} does not ship with this version ({there}); train one")
    elif not os.path.exists(path):
        presets = ", ".join(kind.presets)
        raise ModelError(f"no model {str(path)!r}: expected a preset ({presets}) or a .safetensors file")
    return path


def composer_path(model: str | Path) -> Path | None:
    """Return the file of a frame model's composer, "NAME-composer.safetensors" beside it; None if it has none."""
    path = ASSETS / f"{model}.safetensors" if str(model) in FRAME_MODEL.presets else Path(model)
    beside = path.with_name(f"{path.stem}{COMPOSER.suffix}{path.suffix}")
    return beside if os.path.exists(beside) else None


def load_weights(path_or_preset: str | Path) -> EngineWeights:
    """Read a frame model's file, or a shipped preset by its name. Inverse: `save_weights`.

    Raises ModelError if the file is missing, damaged, cut short, of another version or not a frame model.
    """
    path = model_path(path_or_preset)
    config, made, card, metadata = _read(path, FRAME_MODEL)
    try:
        pinnable = int(metadata.get("pinnable", 0))
    except ValueError as error:
        raise ModelError(f"{path} has no usable length of pinned prompts ({error}); export it again") from error
    return EngineWeights(config, made.matrices, made.norms, card, made.grouped, pinnable)


def load_composer_weights(path_or_preset: str | Path) -> ComposerWeights:
    """Read a composer's file, or that of a shipped preset by its name. As `load_weights`."""
    config, made, card, metadata = _read(model_path(path_or_preset, COMPOSER), COMPOSER)
    return ComposerWeights(config, made.matrices, made.norms, card, digest=metadata["digest"])


def _read(path: Path, kind: ModelKind) -> tuple[Any, _NamedParts, dict[str, str], dict[str, str]]:
    """Return a file's config, parameters, card and all of its metadata; checked against the config."""
    from safetensors import SafetensorError, safe_open  # here, because a machine that only trains may lack it

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            bits = _check_language(path, metadata, kind)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, struct.error) as error:
        raise ModelError(f"{path} cannot be read as a model ({error}); fetch or export it again") from error
    try:
        config = kind.config_of(json.loads(metadata["config"]))
        card = {str(key): str(value) for key, value in json.loads(metadata["card"]).items()}
        _check_bits(config, bits)
    except (KeyError, ValueError, AttributeError, AssertionError) as error:
        raise ModelError(f"{path} has no usable config or card in it ({error!r}); export it again") from error
    digest, tensors = _digest(tensors), {name: with_guide_rows(name, part) for name, part in tensors.items()}
    made = _parameters(str(path), tensors, parameter_shapes(config), bits)
    if metadata.get("digest") != digest:
        raise ModelError(f"{path} is damaged: its numbers do not match its digest; fetch or export it again")
    return config, made, card, metadata


def _parameters(
    source: str, tensors: Mapping[str, NDArray[Any]], shapes: Mapping[str, tuple[int, ...]], bits: int
) -> _NamedParts:
    """Return the parameters that a file's tensors hold. Raises ModelError if they are not those of the network."""
    norms = {name for name in shapes if is_norm(name)}
    grouped = {name for name in shapes if bits == 4 and is_of_time(name)}
    scaled = {name + SCALE for name in shapes.keys() - norms} | {name + FACTOR for name in grouped}
    _check_names(source, set(tensors), shapes.keys() | scaled)
    made = _NamedParts()
    for name, shape in shapes.items():
        if name in norms:
            made.norms[name] = _check_shape(source, name, tensors[name], shape)
            continue
        scales = _check_shape(source, name + SCALE, tensors[name + SCALE], shape[:-1])
        if name in grouped:
            rows, columns = shape
            packed = _check_shape(source, name, tensors[name], (rows, columns // 2), np.uint8)
            factors = _check_shape(source, name + FACTOR, tensors[name + FACTOR], (rows, columns // GROUP), np.int8)
            made.grouped[name] = GroupedMatrix(unpack(packed), factors, scales)
        else:
            made.matrices[name] = QuantisedMatrix(_check_shape(source, name, tensors[name], shape, np.int8), scales)
    return made


def _check_language(path: Path, metadata: Mapping[str, str], kind: ModelKind) -> int:
    """Return the bits of a file's format.

    Raises ModelError if the file is no model of this version, is of another kind, or speaks another language.
    """
    found = metadata.get("language")
    bits = {name: number for number, name in FORMATS.items()}.get(metadata.get("format", ""))
    if bits is None:
        raise ModelError(
            f"{path} is not a model of sidlive (its format is {metadata.get('format')!r}, "
            f"expected {' or '.join(map(repr, FORMATS.values()))})"
        )
    for other in (FRAME_MODEL, COMPOSER):
        if other is not kind and found == other.language:
            raise ModelError(f"{path} is {other.name}, expected {kind.name}: give the file of the other one")
    if found != kind.language:
        raise ModelError(
            f"{path} speaks another token language ({found}; expected {kind.language}); "
            "use the version that made it, or train again"
        )
    return bits


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


def floats_of(weights: EngineWeights | ComposerWeights) -> dict[str, NDArray[np.float32]]:
    """Return every parameter in float32, by name. Inverse of `from_floats`, up to half a step of the rounding."""
    matrices = {name: matrix.floats for name, matrix in weights.matrices.items()}
    return {**matrices, **{name: matrix.floats for name, matrix in weights.grouped.items()}, **weights.norms}


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
    source: str, name: str, found: NDArray[Any], expected: tuple[int, ...], kind: Any = np.float32
) -> NDArray[Any]:
    """Return a parameter. Raises ModelError if it has another shape or another type of numbers than expected."""
    if found.shape != expected or found.dtype != kind:
        raise ModelError(
            f"{source}: {name} is {found.dtype}{list(found.shape)}, expected {np.dtype(kind)}{list(expected)}; "
            "it is of another network"
        )
    return found
