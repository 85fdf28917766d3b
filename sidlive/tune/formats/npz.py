"""The .npz files of frames: uint8[T, 28], the frame rate, and texts about the music. Runs no tune."""

from pathlib import Path
from typing import Final

import numpy as np

from sidlive.chip.registers import COLUMNS, Frames
from sidlive.errors import TuneError
from sidlive.writing import WholeFile

LONGEST: Final = 24 * 3600 * 60  # frames of a day
LARGEST: Final = LONGEST * COLUMNS + (1 << 20)  # bytes, unpacked


def save_frames(path: str | Path, frames: Frames, rate_hz: float, **meta: str) -> None:
    """Write ``frames`` uint8[T, 28], ``rate_hz`` and the texts ``meta`` to an .npz file. Inverse: `load_frames`.

    Raises DeviceError if that fails.
    """
    assert frames.dtype == np.uint8 and frames.ndim == 2 and frames.shape[1] == COLUMNS
    arrays = {key: np.array(value) for key, value in meta.items()}
    with WholeFile(path) as file:
        np.savez_compressed(file, frames=frames, rate_hz=np.array(rate_hz), **arrays)  # type: ignore[arg-type]


def load_frames(path: str | Path) -> tuple[Frames, float, dict[str, str]]:
    """Read the frames uint8[T, 28], the frame rate in Hz and the texts of an .npz file. Inverse: `save_frames`.

    Raises TuneError if the file is missing or holds no frames.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            size = sum(entry.file_size for entry in archive.zip.infolist())
            if size > LARGEST:
                raise TuneError(f"{path} unpacks to {size:,} bytes; expected a day of frames at most, {LARGEST:,}")
            arrays = {key: np.asarray(archive[key]) for key in archive.files}
    except FileNotFoundError:
        raise TuneError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise TuneError(f"{path} is a folder; expected an .npz file of frames") from None
    except TuneError:
        raise
    except Exception:  # numpy and zipfile raise many unrelated classes for broken archives
        raise TuneError(f"{path} is not an .npz file of frames; `sidlive capture` writes them") from None
    frames, rate = arrays.pop("frames", None), arrays.pop("rate_hz", None)
    if frames is None or rate is None:
        raise TuneError(f"{path} has no `frames` and `rate_hz`; `sidlive capture` writes them")
    if frames.dtype != np.uint8 or frames.ndim != 2 or frames.shape[1] != COLUMNS or len(frames) == 0:
        raise TuneError(f"{path}: frames are {frames.dtype}{list(frames.shape)}; expected uint8[T, {COLUMNS}]")
    rate_hz = float(rate) if rate.ndim == 0 and rate.dtype.kind in "fiu" else 0.0
    if not 1.0 <= rate_hz <= 1000.0:
        raise TuneError(f"{path}: rate_hz is {rate}; expected 1 to 1000")
    return frames, rate_hz, {key: str(value) for key, value in arrays.items() if value.ndim == 0}
