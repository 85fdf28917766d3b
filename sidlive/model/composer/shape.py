"""The sizes of a composer's network. Passed explicitly wherever they are needed; loads no torch."""

from dataclasses import asdict, dataclass
from typing import Any, Final

from sidlive.errors import ModelError
from sidlive.model.config import Stack


@dataclass(frozen=True)
class ComposerConfig:
    """The shape of a composer.

    ``notes``: the transformer that hears events. ``field_width``, ``field_hidden``: width of the small networks, one a
    field, that generate the next event, and of their SwiGLU. ``context``: events that the transformer attends to. It
    must not exceed the windows that the composer is trained on: at distances that it has never seen its notes get far
    worse.
    """

    name: str
    notes: Stack
    field_width: int
    field_hidden: int
    context: int = 512
    index_base: float = 1_000.0  # rotary base for the number of events between two events
    frame_base: float = 4_000.0  # rotary base for the number of frames between them

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a file's metadata. Inverse: `from_dict`."""
        return asdict(self)

    @staticmethod
    def from_dict(plain: dict[str, Any]) -> "ComposerConfig":
        """Make a config of plain values. Raises ModelError if a field is missing or unknown. Inverse: `to_dict`."""
        try:
            return ComposerConfig(**{**plain, "notes": Stack(**plain["notes"])})
        except (KeyError, TypeError) as error:
            raise ModelError(
                f"the composer's config is not one this version knows ({error}); use a model that this version made"
            ) from error


COMPOSERS: Final = {
    "pocket": ComposerConfig("pocket", Stack(192, 5, 6, 2, 512), 96, 160),
    "stage": ComposerConfig("stage", Stack(256, 8, 8, 2, 704), 128, 256),
}


def composer_preset(name: str) -> ComposerConfig:
    """Return a composer's shape by name. Raises ModelError with the existing names if there is none."""
    if name not in COMPOSERS:
        raise ModelError(f"no composer {name!r}: there are {', '.join(COMPOSERS)}")
    return COMPOSERS[name]
