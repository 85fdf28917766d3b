"""The shape of a network, passed explicitly everywhere. Free of torch."""

from dataclasses import asdict, dataclass
from typing import Any, Final

from sidlive.errors import ModelError


@dataclass(frozen=True)
class Stack:
    """One pile of LLaMA blocks: RMSNorm, rotary grouped-query attention with a zero sink, SwiGLU, no biases."""

    width: int
    layers: int
    heads: int
    kv_heads: int
    hidden: int  # of the SwiGLU

    def __post_init__(self) -> None:
        assert self.width % self.heads == 0 and self.heads % self.kv_heads == 0
        assert self.head_width % 2 == 0

    @property
    def head_width(self) -> int:
        return self.width // self.heads

    @property
    def kv_width(self) -> int:
        return self.kv_heads * self.head_width

    @property
    def parameters(self) -> int:
        """Of the blocks alone, norms left out."""
        return self.layers * (2 * self.width * (self.width + self.kv_width) + 3 * self.width * self.hidden)


@dataclass(frozen=True)
class ModelConfig:
    """Two levels: `time` takes one step a frame, `column` says the next frame's tokens one after another."""

    name: str
    time: Stack
    column: Stack
    context: int = 1024  # frames the time level attends to
    rope_base: float = 10_000.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a file's metadata. Inverse: `from_dict`."""
        return asdict(self)

    @staticmethod
    def from_dict(plain: dict[str, Any]) -> "ModelConfig":
        """Raises ModelError where a field is missing or unknown."""
        try:
            stacks = {level: Stack(**plain[level]) for level in ("time", "column")}
            return ModelConfig(**{**plain, **stacks})
        except (KeyError, TypeError) as error:
            raise ModelError(
                f"the model's config is not one this version knows ({error}); use a model made by it"
            ) from error


# About 9, 25 and 271 million parameters, embeddings and all. `stage` and `large` share keys and values among 4 and 5
# heads and have small column levels, for that is where a frame's time goes: memory, and 20 steps of the column level.
PRESETS: Final = {
    "pocket": ModelConfig("pocket", Stack(256, 6, 4, 2, 704), Stack(128, 2, 2, 1, 352)),
    "stage": ModelConfig("stage", Stack(512, 6, 8, 2, 1600), Stack(128, 2, 2, 1, 352)),
    "large": ModelConfig("large", Stack(1280, 15, 20, 4, 3456), Stack(192, 2, 3, 1, 512)),
}


def preset(name: str) -> ModelConfig:
    """A preset by name; raises ModelError naming those that exist."""
    if name not in PRESETS:
        raise ModelError(f"no preset {name!r}: there are {', '.join(PRESETS)}")
    return PRESETS[name]
