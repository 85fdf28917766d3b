"""The shape of a network, and the presets. Passed explicitly wherever it is needed; loads no torch."""

from dataclasses import asdict, dataclass
from typing import Any, Final

from sidlive.errors import ModelError


@dataclass(frozen=True)
class Stack:
    """The shape of one level: LLaMA blocks without biases.

    RMSNorm, grouped-query attention with rotary positions and a zero sink (see `training.network`), SwiGLU.
    """

    width: int
    layers: int
    heads: int
    kv_heads: int
    hidden: int  # width of the SwiGLU

    def __post_init__(self) -> None:
        assert self.width % self.heads == 0 and self.heads % self.kv_heads == 0
        assert self.head_width % 2 == 0

    @property
    def head_width(self) -> int:
        """Numbers in one attention head."""
        return self.width // self.heads

    @property
    def kv_width(self) -> int:
        """Numbers in the keys, or in the values, of all heads of a layer for one step."""
        return self.kv_heads * self.head_width

    @property
    def parameters(self) -> int:
        """Number of parameters of the blocks, without norms."""
        return self.layers * (2 * self.width * (self.width + self.kv_width) + 3 * self.width * self.hidden)


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a model: `time` takes one step a frame, `column` one step for each token of the next frame."""

    name: str
    time: Stack
    column: Stack
    context: int = 1024  # frames the time level attends to
    rope_base: float = 10_000.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a file's metadata. Inverse: `from_dict`."""
        return asdict(self)

    @staticmethod
    def from_dict(plain: dict[str, Any]) -> "ModelConfig":
        """Make a config of plain values. Raises ModelError if a field is missing or unknown. Inverse: `to_dict`."""
        try:
            stacks = {level: Stack(**plain[level]) for level in ("time", "column")}
            return ModelConfig(**{**plain, **stacks})
        except (KeyError, TypeError) as error:
            raise ModelError(
                f"the model's config is not one this version knows ({error}); use a model that this version made"
            ) from error


# About 9, 25 and 271 million parameters, embeddings included. Most of the time for a frame is spent on reading weights,
# keys and values from memory, and on about 20 steps of the column level. Therefore in `stage` and `large` 4 or 5 heads
# share keys and values, and the column level is small.
PRESETS: Final = {
    "pocket": ModelConfig("pocket", Stack(256, 6, 4, 2, 704), Stack(128, 2, 2, 1, 352)),
    "stage": ModelConfig("stage", Stack(512, 6, 8, 2, 1600), Stack(128, 2, 2, 1, 352)),
    "large": ModelConfig("large", Stack(1280, 15, 20, 4, 3456), Stack(192, 2, 3, 1, 512)),
}


def preset(name: str) -> ModelConfig:
    """Return a preset by name. Raises ModelError with the existing names if there is none."""
    if name not in PRESETS:
        raise ModelError(f"no preset {name!r}: there are {', '.join(PRESETS)}")
    return PRESETS[name]
