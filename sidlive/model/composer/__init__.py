"""The composer: writes the notes that the frame levels will play. Loads no torch.

This package is the public interface. Importing it loads no numba. ``Composer``, ``ComposerSnapshot`` and
``load_composer`` load numba when first used.

    from sidlive.model.composer import NoteLimits, NoteSampling, load_composer

    composer = load_composer("pocket")  # a shipped preset or a .safetensors file; weights loaded, kernels compiled
    composer.prefill(events)  # hear the notes of a prompt, int16[K, 7], see `events.events_of`
    event = composer.write(NoteSampling(seed=1), NoteLimits(silent_voices=frozenset({2})))  # write the next one
    composer.rewind(1)  # forget it
    kept = composer.snapshot()  # the whole state, as a value

Reading order:

- ``events``: the language of the composer: a score's notes as rows of small numbers, and back;
- ``memory``: the context of each event, and motifs: how the music continued after similar notes;
- ``shape``: the sizes of a composer's network; ``inputs``: the inputs of its two parts;
- ``choices``: how notes are chosen, and limits on them (no numba);
- ``composer``: `Composer`, `load_composer`;
- ``styles``: directions in which notes can be moved, towards some years or somebody (no numba);
- ``note_levels``: the kernels: the network, event by event;
- ``note_packing``: from a weights file to the layout of the kernels; the empty state and scratch space;
- ``planner``: `Planner` keeps a plan of notes, by a composer and by code, and turns it into guides for the engine;
- ``plan_settings``: what decides a plan, and the notes of code (no numba); ``sheet``: the notes of a plan, which can be
  rewound; ``hearing``: the music that a plan goes on from; ``chapter``: the plan since then, and its guide;
- ``attendance``: whether each voice plays the attacks that are planned for it, and what happens if one does not;
- ``sections``: how the plan moves on from section to section; ``drafts``, ``choosing``: several continuations of a
  plan, of which one is taken; ``traits``, ``taste``: what they are compared by;
- ``note_writer``: lets composer and code write a plan's notes, and its drafts;
- ``loop_watch``: whether a plan goes round in circles, and what the composer hears then;
- ``continuation``: a prompt continued by engine and composer together.
"""

from typing import TYPE_CHECKING, Any

from sidlive.model.composer.choices import UNLIMITED, NoteLimits, NoteSampling

if TYPE_CHECKING:
    from sidlive.model.composer.composer import Composer, ComposerSnapshot, load_composer, warm_up_composer

__all__ = [
    "UNLIMITED",
    "Composer",
    "ComposerSnapshot",
    "NoteLimits",
    "NoteSampling",
    "load_composer",
    "warm_up_composer",
]


def __getattr__(name: str) -> Any:
    """Import the modules that load numba when one of their names is first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sidlive.model.composer import composer

    return getattr(composer, name)
