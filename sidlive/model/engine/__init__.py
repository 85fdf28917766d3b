"""The engine: generates SID frames with numba kernels over int8 weights, without torch.

This package is the public interface; nothing outside it needs the modules below, except benchmarks and tests. Importing
it loads no numba. ``Engine``, ``Lanes``, ``Snapshot`` and ``load_engine`` load numba when first used.

    from sidlive.model.engine import Sampling, load_engine

    engine = load_engine("pocket")  # a shipped preset or a .safetensors file; weights loaded, kernels compiled
    engine.prefill(prompt)  # hear a prompt, uint8[T, 28]
    frame = engine.step(Sampling(seed=1))  # generate the next frame, uint8[28], and hear it
    engine.rewind(1)  # forget the last frame
    kept = engine.snapshot()  # the whole state, as a value
    lanes = engine.fork(4)  # four alternative futures, which share each pass over the weights
    frames = lanes.step([Sampling(seed=1, lane=number) for number in range(4)])  # uint8[4, 28]
    engine.restore(lanes.lane(2))  # continue with the third future ...
    engine.restore(kept)  # ... or go back to before the fork, to the bit

Words used throughout: the engine *hears* a frame when the time level processes it and updates the state; it *generates*
a frame when the column level samples that frame's tokens. ``step`` does both. A *lane* is one of several futures that
run side by side. Bad input raises ModelError or ControlError with one line that says what was expected.

Files, in reading order:

- ``engine``: `Engine`, `Lanes`, `load_engine`;
- ``stateful``: the common base of engine and lanes: their state, prefill, rewind, snapshot, restore;
- ``sampling``, ``constraints``: how tokens are chosen, and limits on values and notes (no numba);
- ``levels``: the two levels of the network, frame by frame;
- ``blocks``: one level's transformer blocks;
- ``picking``, ``race``, ``enforcing``: the kernels behind ``sampling`` and ``constraints``;
- ``spelling``: the token language and recall inside the kernels, one frame at a time;
- ``packing``: from a weights file to the layout of the kernels; empty states and scratch space;
- ``multiplying``: the kernels for products with a matrix of bytes or of 4-bit numbers;
- ``products``, ``dots``, ``nibbles``: such matrices, and their products in each CPU's instructions;
- ``passes``: what a block does beside its products: rotation, norms, SwiGLU, softmax;
- ``vectors``, ``simd``: sums, maxima and e^x; the vocabulary of vector code;
- ``tables``, ``arrays``, ``addresses``: how arrays reach a kernel, and kernels the code that is written in vectors.
"""

from typing import TYPE_CHECKING, Any, Final

from sidlive.model.engine.constraints import (
    UNCONSTRAINED,
    Constraints,
    columns_of,
    constrain,
    permitted_values,
    widest_steps,
)
from sidlive.model.engine.sampling import GREEDY, HEATS, Sampling, near_frames, under_plan

if TYPE_CHECKING:
    from sidlive.model.engine.engine import Engine, Lanes, load_engine
    from sidlive.model.engine.stateful import Snapshot

# Number of the engine's arithmetic, which takes keep in their logs. It grows whenever the same weights, prompt and seed
# begin to give other frames: as activations became bytes (2), sweeps kept to the prompt's steps (3), long planned notes
# kept their vibrato (4), plans used more of the prompt's pitch classes (5), and voices got new parts (6). A log without
# a number is of 1.
ARITHMETIC: Final = 6

__all__ = [
    "ARITHMETIC",
    "GREEDY",
    "HEATS",
    "UNCONSTRAINED",
    "Constraints",
    "Engine",
    "Lanes",
    "Sampling",
    "Snapshot",
    "columns_of",
    "constrain",
    "load_engine",
    "near_frames",
    "permitted_values",
    "under_plan",
    "widest_steps",
]


def __getattr__(name: str) -> Any:
    """Import the modules that load numba when one of their names is first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sidlive.model.engine import engine

    return getattr(engine, name)
