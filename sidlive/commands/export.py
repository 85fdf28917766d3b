"""``sidlive export``: write a checkpoint as an int8 file for the engine."""

import argparse
from pathlib import Path


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``export`` to the command line."""
    command = subparsers.add_parser("export", help="write a checkpoint as an int8 file for the engine (needs torch)")
    command.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="best.pt or checkpoint.pt of a run")
    command.add_argument("-o", "--out", type=Path, required=True, help="file to write, .safetensors")
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

    require_torch("exporting a checkpoint")
    from sidlive.model.training.export import export

    card = {}
    for item in arguments.card:
        field, equals, text = item.partition("=")
        if not equals:
            raise ModelError(f"--card expects FIELD=TEXT, found {item!r}")
        card[field] = text
    weights = export(arguments.checkpoint, arguments.out, card)
    size = arguments.out.stat().st_size / 1e6
    print(f"{plain(arguments.out)}: {weights.config.name}, {weights.parameters:,} parameters, {size:.1f} MB")
    return 0
