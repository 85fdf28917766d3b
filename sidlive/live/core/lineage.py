"""The values that core and generator exchange: the past that the engine continues, and the next frame to generate."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sidlive.chip.registers import Frames
from sidlive.live.core.voices import Grips, Row
from sidlive.tune.beat import UNKNOWN, Beat
from sidlive.tune.shaping.past_edits import Edits

if TYPE_CHECKING:
    from sidlive.model.composer.plan_settings import PlanSettings
    from sidlive.model.engine import Constraints, Sampling


@dataclass(frozen=True)
class Lineage:
    """The past that the engine continues: the context, then the tape from `root` on, all edited and transposed."""

    number: int  # increases with each change for which the engine must prefill again; others only rewind it
    context: Frames  # [n, 28], untransposed and unedited: the prompt
    root: int | None  # tape frame that follows the context; None: not known before the prefill is done
    semitones: int  # transposition of the context and the tape
    at: int | None = None  # tape frame from which on it is valid; None: from the end of its prefill on
    opening: int = 0  # number of frames at the end of the context that are played first, as tape frames from `root` on
    beat: Beat = UNKNOWN  # of the context
    edits: Edits = ()  # of the context and the tape, before the transposition
    edited: int = 0  # number of the lineage with which these edits began; 0: the prompt is continued without any

    def followed(self, number: int, changes: "dict[str, object]") -> "Lineage":
        """Return the lineage with ``changes`` and another number."""
        other = replace(self, **{"at": None, **changes, "number": number})  # type: ignore[arg-type]
        if other.edits != self.edits:
            return replace(other, edited=number)
        if "root" in changes and changes["root"] is None:  # the context is heard from its beginning
            return replace(other, edited=number if other.edits else 0)
        return other


@dataclass(frozen=True)
class Assignment:
    """The next frame to generate and everything that decides it, copied under the core's lock."""

    epoch: int  # version of the settings; a frame generated under an older one is dropped
    lineage: Lineage
    index: int  # tape frame to generate
    before: Row  # the frame before it
    sampling: "Sampling"
    constraints: "Constraints"
    grips: Grips
    mask: frozenset[int]  # voices to generate: 0, 1, 2
    plan: "PlanSettings"
