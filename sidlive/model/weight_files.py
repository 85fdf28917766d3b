"""Write files in the safetensors format, and divide large files into parts. Knows nothing of networks.

Written without the library of that name, which a machine that only trains may lack.
"""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sidlive.errors import ModelError
from sidlive.writing import write_file

_TYPES: Final = {"int8": "I8", "uint8": "U8", "float32": "F32"}  # the format's names of types, by numpy's


def serialise(tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> bytes:
    """Return the bytes of a file: the header's length, the header in JSON, then the numbers of all tensors."""
    order = sorted(tensors, key=lambda name: (-tensors[name].itemsize, name))  # so that every tensor is aligned
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name in order:
        start, end = end, end + tensors[name].nbytes
        kind, shape = _TYPES[tensors[name].dtype.name], list(tensors[name].shape)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([struct.pack("<Q", len(text)), text, *(np.ascontiguousarray(tensors[n]).tobytes() for n in order)])


def divide(path: Path, part_bytes: int) -> list[Path]:
    """Divide a file into PATH.1, PATH.2 ... of at most ``part_bytes`` each; return them, or the file if it is small.

    The divided file is removed. Inverse: `join`. Raises DeviceError if the disk refuses.
    """
    data = path.read_bytes()
    if len(data) <= part_bytes:
        return [path]
    parts = []
    for number, first in enumerate(range(0, len(data), part_bytes), 1):
        parts.append(path.with_name(f"{path.name}.{number}"))
        write_file(parts[-1], data[first : first + part_bytes])
    path.unlink()
    return parts


def join(first: Path, path: Path) -> None:
    """Join the files that `divide` made. ``first``: the one that ends in .1. Raises ModelError if it is missing."""
    data, number = b"", 1
    while (part := first.with_suffix(f".{number}")).exists():
        data += part.read_bytes()
        number += 1
    if number == 1:
        raise ModelError(f"no file {first}: expected the first part of a model file, which ends in .1")
    write_file(path, data)
