"""The files of a run: checkpoints are read with care, and written so that an old file stays whole if that fails."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from sidlive.errors import ModelError
from sidlive.model.training.optimisers import OPTIMISERS
from sidlive.model.weights import with_guide_rows


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a run's checkpoint.pt or best.pt, tensors on the CPU. Raises ModelError if the file cannot be used."""
    try:
        kept: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ModelError(f"no checkpoint at {path}: train one with `sidlive train`") from error
    except Exception as error:  # torch raises many types for a damaged file, with long messages
        found = type(error).__name__
        raise ModelError(f"{path} cannot be read as a checkpoint ({found}); train again or restore it") from error
    if not {"model", "config"} <= kept.keys():
        raise ModelError(f"{path} is not a checkpoint of sidlive: it lacks the model or its config")
    for part in ("model", "average"):
        if part in kept:
            kept[part] = {name: extended(name, tensor) for name, tensor in kept[part].items()}
    return kept


def load_run(path: Path) -> dict[str, Any]:
    """Read a checkpoint.pt to go on with its run. Raises ModelError if it cannot be used, or is of other optimisers."""
    kept = load_checkpoint(path)
    if kept.get("optimised_by") != OPTIMISERS:
        raise ModelError(f"{path} was trained by an older version: choose another folder, and --from {path}")
    return kept


def save_checkpoint(plain: dict[str, Any], path: Path) -> None:
    """Write a checkpoint. If that fails at any moment, the old file stays whole. Raises ModelError."""
    write_whole(path, lambda partial: torch.save(plain, partial))


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file through a temporary one: if it fails at any moment, the old file stays whole."""
    partial = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(partial)
        os.replace(partial, path)
    except (OSError, RuntimeError) as error:
        raise ModelError(f"cannot write {path} ({error}): free some space; the previous file is kept") from error


def extended(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Return a parameter of a checkpoint, or its moments, with the rows for guides; see `weights.with_guide_rows`."""
    return torch.from_numpy(with_guide_rows(name, tensor.numpy()))
