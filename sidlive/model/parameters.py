"""Names and shapes of the parameters of each kind of network: the frame levels, and the composer. Loads no torch."""

from collections.abc import Iterator

from sidlive.model import recall as rc
from sidlive.model import tokens as tk
from sidlive.model.composer import inputs
from sidlive.model.composer.events import FIELDS
from sidlive.model.composer.shape import ComposerConfig
from sidlive.model.config import ModelConfig, Stack


def parameter_shapes(config: ModelConfig | ComposerConfig) -> dict[str, tuple[int, ...]]:
    """Return the shape of every parameter of a network, by name."""
    return _composer_shapes(config) if isinstance(config, ComposerConfig) else _frame_shapes(config)


def is_norm(name: str) -> bool:
    """Return whether a parameter is the gains of a norm, which stay float32, and not a matrix or several."""
    return name.endswith("norm")


def is_of_time(name: str) -> bool:
    """Return whether a parameter is a matrix of the time level's blocks, which can be of 4-bit numbers."""
    return name.startswith("time_blocks.") and not is_norm(name)


def _frame_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Return the parameters of `training.network`."""
    time, column = config.time.width, config.column.width
    return {
        "value_embedding": (tk.SLOTS * 256, time),
        "manner_embedding": (tk.SLOTS * tk.MANNERS, time),
        **dict(_block_shapes("time_blocks", config.time)),
        "time_norm": (time,),
        "bridge.weight": (column, time),
        "slot_embedding": (tk.SLOTS, column),
        "before_embedding": (tk.KINDS * 256, column),
        "said_embedding": (tk.KINDS * tk.TOKEN_IDS, column),
        "recall_embedding": (rc.CHOICES * tk.KINDS * tk.TOKEN_IDS, column),
        "strength_embedding": (rc.CHOICES * tk.KINDS * rc.STRENGTHS, column),
        "trust": (rc.CHOICES * tk.KINDS, column),
        **dict(_block_shapes("column_blocks", config.column)),
        "column_norm": (column,),
        "head": (tk.KINDS, tk.VOCABULARY, column),
    }


def _composer_shapes(config: ComposerConfig) -> dict[str, tuple[int, ...]]:
    """Return the parameters of `training.composer_network`."""
    width, narrow, hidden = config.notes.width, config.field_width, config.field_hidden
    return {
        "heard_embedding": (inputs.HEARD_ROWS, width),
        **dict(_block_shapes("blocks", config.notes)),
        "notes_norm": (width,),
        "bridge.weight": (narrow, width),
        "field_embedding": (inputs.FIELD_ROWS, narrow),
        "field_norm": (FIELDS, narrow),
        "gate": (FIELDS, hidden, narrow),
        "up": (FIELDS, hidden, narrow),
        "down": (FIELDS, narrow, hidden),
        "head_norm": (FIELDS, narrow),
        "head": (inputs.HEAD_ROWS, narrow),
        "leaps": (inputs.RELATIVES * inputs.LEAPS, narrow),
        "trust": (FIELDS * inputs.SUGGESTIONS, narrow),
    }


def _block_shapes(blocks: str, stack: Stack) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield name and shape of each parameter of a level's blocks. ``blocks``: their name in the network."""
    d, kv, hidden = stack.width, stack.kv_width, stack.hidden
    for layer in range(stack.layers):
        block = f"{blocks}.{layer}."
        yield block + "attention_norm", (d,)
        yield block + "feed_norm", (d,)
        for part, shape in (
            ("query", (d, d)),
            ("key", (kv, d)),
            ("value", (kv, d)),
            ("out", (d, d)),
            ("gate", (hidden, d)),
            ("up", (hidden, d)),
            ("down", (d, hidden)),
        ):
            yield f"{block}{part}.weight", shape
