"""``sidlive export``: write a checkpoint as a file of whole numbers for the engine."""

import argparse
from pathlib import Path
from typing import Final

PARTS: Final = ".1"  # ending of the first part of a divided file


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``export`` to the command line."""
    command = subparsers.add_parser("export", help="write a checkpoint for the engine, in whole numbers (needs torch)")
    command.add_argument(
        "checkpoint",
        type=Path,
        metavar="CHECKPOINT",
        help="best.pt or checkpoint.pt of a run; or the first part (.1) of a divided model file",
    )
    command.add_argument("-o", "--out", type=Path, required=True, help="file to write, .safetensors")
    command.add_argument(
        "--bits",
        type=int,
        choices=(8, 4),
        default=8,
        help="of a number: 8, or 4 in the blocks of the time level, which makes the file about half as large and the "
        "engine faster, and costs a little (see sidlive docs figures; default: 8)",
    )
    command.add_argument(
        "--card",
        action="append",
        default=[],
        metavar="FIELD=TEXT",
        help="add a field to the model card; may be repeated",
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the .safetensors file. Raises ModelError."""
    from sidlive.errors import ModelError
    from sidlive.model.training.torch_setup import require_torch
    from sidlive.report import plain

    if arguments.checkpoint.suffix == PARTS:
        return _join(arguments)
    require_torch("exporting a checkpoint")
    from sidlive.model.training.export import export

    card = {}
    for item in arguments.card:
        field, equals, text = item.partition("=")
        if not equals:
            raise ModelError(f"--card expects FIELD=TEXT, found {item!r}")
        card[field] = text
    weights = export(arguments.checkpoint, arguments.out, card, arguments.bits)
    size = arguments.out.stat().st_size / 1e6
    print(f"{plain(arguments.out)}: {weights.config.name}, {weights.parameters:,} parameters, {size:.1f} MB")
    return 0


def _join(arguments: argparse.Namespace) -> int:
    """Join the parts of a model file, and check the whole. Raises ModelError."""
    from sidlive.errors import ModelError
    from sidlive.model.weight_files import join
    from sidlive.model.weights import load_composer_weights, load_weights
    from sidlive.report import plain

    join(arguments.checkpoint, arguments.out)
    for load in (load_weights, load_composer_weights):
        try:
            weights = load(arguments.out)
        except ModelError:
            continue
        print(f"{plain(arguments.out)}: {weights.config.name}, {weights.parameters:,} parameters")
        return 0
    arguments.out.unlink()
    raise ModelError(f"{arguments.checkpoint} and the parts beside it are no whole model: one is missing or damaged")
