"""A guide: frames that the next ones should resemble. Turns them into suggestions beside those of recall.

A guide has the registers that a plan of notes asks for (see ``tune.score``), and a mask of the columns that it covers.
The network receives a suggestion for each slot of these columns, and may still choose another token. So it plays the
plan, and adds what notes do not describe.

The exact rules. A slot is *guided* if the guide covers its column or the other column of its pair. In a guided slot,

- the first suggestion is the token that gives the column the guide's value, with the strength `recall.GUIDE`. The token
  is canonical after the frames that were heard, which need not be the guide's;
- the second suggestion is recall's first one, with its own strength. It may be the same token.

Two kinds of slots differ:

- first control: if the guide's first control value is its control value, the token is KEEP, even if the generated
  frame has another control value;
- lo byte: the guide's lo byte is suggested only if the hi slot has the guide's token. Otherwise the suggestions are
  recall's.

`with_guide` is the slow and obvious implementation; ``engine.spelling.guided`` is the fast one.
"""

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import Frames
from sidlive.model import recall as rc
from sidlive.model import tokens as tk
from sidlive.model.recall import Recalled
from sidlive.model.tokens import Tokens

_PARTNER = np.arange(tk.SLOTS)  # the other slot of a slot's pair, or the slot itself
_PARTNER[tk.HI_SLOTS], _PARTNER[tk.HI_SLOTS + 1] = tk.HI_SLOTS + 1, tk.HI_SLOTS


def with_guide(
    recalled: Recalled,
    frames: Frames,
    guide: Frames,
    mask: NDArray[np.bool_],
    said: Tokens | None = None,
    before: Frames | None = None,
) -> Recalled:
    """Return the suggestions of recall and of a guide together, ``[T, SLOTS, CHOICES]`` as ``recalled``.

    ``frames uint8[T, 28]``: the frames heard. ``guide uint8[T, 28]``, ``mask bool[T, 28]``: row t guides frame t, so it
    changes row t - 1 of ``recalled``; the last row stays as it is. ``said int16[T, 28]``: the frames' tokens, from
    which the hi bytes are taken; default: the canonical ones. ``before``: as for `tokens.encode`.
    """
    said = tk.encode(frames, before) if said is None else said
    offered = guide_tokens(frames, guide, mask, said, before)[1:]
    tokens, strengths = recalled.tokens.copy(), recalled.strengths.copy()
    guided = offered != rc.NOTHING
    for own, new in ((tokens, offered), (strengths, rc.GUIDE)):
        rows = own[:-1]
        rows[..., 1] = np.where(guided, rows[..., 0], rows[..., 1])
        rows[..., 0] = np.where(guided, new, rows[..., 0])
    return Recalled(tokens, strengths)


def guide_tokens(
    frames: Frames, guide: Frames, mask: NDArray[np.bool_], said: Tokens, before: Frames | None = None
) -> Tokens:
    """Return the token that the guide suggests in each slot, ``int16[T, 28]``, NOTHING where it suggests none.

    Arguments as for `with_guide`.
    """
    tokens = tk.encode_instead(guide, frames, before)
    covered = mask[:, tk.COLUMN_OF_SLOT]
    covered |= covered[:, _PARTNER]
    for slot in np.flatnonzero(tk.KIND_OF_SLOT == tk.FIRST_CONTROL):
        first = guide[:, tk.COLUMN_OF_SLOT[slot]]
        as_generated = first == frames[:, tk.COLUMN_OF_SLOT[slot - 1]]
        tokens[as_generated, slot] = tk.KEEP
    los = tk.HI_SLOTS + 1
    covered[:, los] &= tokens[:, tk.HI_SLOTS] == said[:, tk.HI_SLOTS]
    return np.where(covered, tokens, rc.NOTHING).astype(np.int16)
