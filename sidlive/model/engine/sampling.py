"""The settings of a token choice: temperature, cut-offs, seed. Loads no numba; `picking` applies them."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.errors import ControlError
from sidlive.model import tokens as tk

MOST_FOLLOW: Final = 20.0  # nats
SEEDS: Final = 1 << 63  # seeds and lanes are below this

# Kinds of slots whose temperature each heat multiplies.
HEATS: Final = {
    "pitch_heat": (tk.FREQ_HI, tk.FREQ_LO),
    "rhythm_heat": (tk.CONTROL, tk.FIRST_CONTROL),
    "timbre_heat": (tk.PW_HI, tk.PW_LO, tk.AD, tk.SR),
    "filter_heat": (tk.CUTOFF_HI, tk.CUTOFF_LO, tk.RES_ROUTE, tk.MODE_VOL),
}


@dataclass(frozen=True)
class Sampling:
    """Settings for choosing the next token from the model's probabilities.

    ``temperature``: 0 always takes the most probable token.
    ``top_p``: keep the most probable tokens until their probabilities add up to this share.
    ``top_k``: keep this many of the most probable tokens; 0 keeps all.
    ``min_p``: keep tokens with at least this fraction of the highest probability.
    ``seed``, ``lane``: choose the random numbers (see `picking`).
    ``follow``: nats added to the logit of recall's first suggestion in each slot, three times as many in the slots of
        gates and waveforms. 0 trusts recall as the model learned to; more stays closer to earlier music.
    ``obey``: nats added to the logit of a guide's suggestion, besides ``follow``; three times as many in the slots of
        gates and waveforms. 0 trusts a guide as the model learned to; more plays the plan more closely.
    ``vary``: how much recall avoids the last ``near`` frames. At 0 it continues the most similar passage, however
        recent, and the music stays where it is. At 1 it takes no suggestion from those frames, and the music moves on
        as it did longer ago.
    ``near``: frames; about four bars suit most music.
    ``*_heat``: factors on the temperature of one kind of slots, such as frequencies.

    ``follow`` and ``obey`` are added first. Then the three cut-offs (top_p, top_k, min_p) apply, then the temperature.
    A token must pass all three; tokens that tie with the last token kept are kept too. Raises ControlError if a value
    is out of range.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    seed: int = 0
    lane: int = 0
    follow: float = 0.0
    obey: float = 0.0
    vary: float = 0.0
    near: int = 400
    pitch_heat: float = 1.0  # frequencies
    rhythm_heat: float = 1.0  # control registers: gates and waveforms
    timbre_heat: float = 1.0  # pulse widths and envelopes
    filter_heat: float = 1.0  # cutoff, resonance and routing, filter mode and volume

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("temperature", self.temperature, 0.0, 100.0),
            ("top_p", self.top_p, 0.0, 1.0),
            ("top_k", self.top_k, 0, 1 << 16),
            ("min_p", self.min_p, 0.0, 1.0),
            ("follow", self.follow, -20.0, 20.0),
            ("obey", self.obey, 0.0, 20.0),
            ("vary", self.vary, 0.0, 1.0),
            ("near", self.near, 1, 1 << 16),
            ("seed", self.seed, 0, SEEDS - 1),
            ("lane", self.lane, 0, SEEDS - 1),
            *((name, getattr(self, name), 0.0, 100.0) for name in HEATS),
        ):
            if not (math.isfinite(value) and least <= value <= most):
                raise ControlError(f"{name} must be from {least} to {most}, not {value}")
            if isinstance(least, int) and value != int(value):
                raise ControlError(f"{name} must be a whole number, not {value}")

    @property
    def temperatures(self) -> NDArray[np.float64]:
        """Return the temperature of each kind of slot, ``float64[KINDS]``."""
        table = np.full(tk.KINDS, float(self.temperature))
        for name, kinds in HEATS.items():
            table[list(kinds)] *= getattr(self, name)
        return table


# Under a plan the notes are chosen already. The frames then only play them: less daring, and without a will to move on.
GUIDED_HEAT: Final = 0.55  # times the temperature
GUIDED_TOP_P: Final = 0.92  # times top_p
GUIDED_FOLLOW: Final = 1.0  # nats added to ``follow``


@lru_cache(maxsize=64)
def under_plan(sampling: Sampling) -> Sampling:
    """Return the settings for frames that a plan guides."""
    return replace(
        sampling,
        temperature=GUIDED_HEAT * sampling.temperature,
        top_p=GUIDED_TOP_P * sampling.top_p,
        follow=min(sampling.follow + GUIDED_FOLLOW, MOST_FOLLOW),
        vary=0.0,
    )


NEAR_BARS: Final = 4  # bars that `Sampling.near` covers
NEAR_LIMITS: Final = (200, 800)  # smallest and largest value of `near_frames`


def near_frames(bar_frames: int) -> int:
    """Return `Sampling.near` for music whose bars have ``bar_frames`` frames: four bars, from 4 to 16 s."""
    least, most = NEAR_LIMITS
    return min(max(NEAR_BARS * bar_frames, least), most)


GREEDY: Final = Sampling(temperature=0.0)
