"""What core and generator exchange: the past that the engine must hear, and the next frame to make."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sidlive.chip.registers import Frames
from sidlive.live.voices import Grips, Row

if TYPE_CHECKING:
    from sidlive.model.engine import Constraints, Sampling


@dataclass(frozen=True)
class Lineage:
    """The past that the model must have heard: the context, then the tape from `root` on, all transposed."""

    number: int  # increases with each change that rewinding the engine cannot make
    context: Frames  # [n, 28], untransposed: the prompt
    root: int | None  # tape frame that follows the context; None: the next cut
    semitones: int  # transposition of the context and the tape
    opening: int = 0  # number of last frames of the context that are themselves played, from `root` on


@dataclass(frozen=True)
class Assignment:
    """The next frame to make and everything that decides it, copied under the core's lock."""

    epoch: int  # of the settings; a frame made under an older one is dropped
    lineage: Lineage
    index: int  # tape frame to make
    before: Row  # the frame before it
    sampling: "Sampling"
    constraints: "Constraints"
    grips: Grips
    mask: frozenset[int]  # voices to generate: 0, 1, 2
