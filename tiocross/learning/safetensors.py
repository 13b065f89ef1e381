"""Reader of ``.safetensors``: eight bytes with the length of a header, the header in JSON, raw numbers.

Nothing in such a file is ever run, and all of it is checked before a number is read: each byte behind the header belongs to
exactly one tensor. Format: https://github.com/huggingface/safetensors.
"""

import json
import math
import os
from typing import NamedTuple

import numpy as np

from tiocross.checks import require_memory, require_text, short_repr
from tiocross.storage import without_doubles

MOST_HEADER = 10_000_000  # bytes; a thousand tensors take 100 kB
_MOST_AXES = 8
_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
          "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1"}


class _Tensor(NamedTuple):
    """Where a tensor's numbers are, from ``start`` to before ``stop`` behind the header, and what they are."""

    dtype: str
    shape: tuple
    start: int
    stop: int


def read_safetensors(path):
    """The tensors of a file by name, float64; ValueError if a byte of it is not as it should be."""
    with open(path, "rb") as file:
        n_bytes = os.fstat(file.fileno()).st_size
        try:
            tensors, first = _read_header(file, n_bytes)
            n_values = sum(math.prod(tensor.shape) for tensor in tensors.values())
            require_memory(f"{n_values} numbers", 16 * n_values, "import a smaller file")
            return {name: _read_tensor(file, first, tensor) for name, tensor in tensors.items()}
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path} is no whole .safetensors file: {error}") from None


def _read_header(file, n_bytes):
    """`_Tensor` by name, and where the numbers begin."""
    if n_bytes < 10:
        raise ValueError(f"it has {n_bytes} bytes; a length and a header take at least 10")
    length = int.from_bytes(file.read(8), "little")
    if length > min(MOST_HEADER, n_bytes - 8):
        raise ValueError(f"its first 8 bytes announce a header of {length} bytes; {n_bytes - 8} follow, and a header has at "
                         f"most {MOST_HEADER}")
    text = file.read(length)
    if not text.startswith(b"{"):
        raise ValueError("its header does not begin with {")
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=without_doubles)
    except UnicodeDecodeError as error:
        raise ValueError(f"its header is not text: {error}") from None
    except RecursionError:
        raise ValueError("its header is nested too deeply") from None
    _require_metadata(header.pop("__metadata__", {}))
    tensors = {_as_name(name): _as_tensor(name, entry) for name, entry in header.items()}
    _require_whole(tensors, n_bytes - 8 - length)
    return tensors, 8 + length


def _require_metadata(metadata):
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("__metadata__ must hold texts")


def _as_name(name):
    require_text("the name of a tensor", name)
    return name


def _as_tensor(name, entry):
    """A checked entry of the header."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name} must have dtype, shape and data_offsets, and nothing else")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _TYPES:
        raise ValueError(f"{name} is of the type {short_repr(dtype)}; known are {', '.join(_TYPES)}. Save it as F32")
    if not _are_counts(shape) or len(shape) > _MOST_AXES:
        raise ValueError(f"the shape of {name} must be a list of at most {_MOST_AXES} lengths; got {short_repr(shape)}")
    if not _are_counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise ValueError(f"data_offsets of {name} must be a start and an end; got {short_repr(offsets)}")
    n_bytes = math.prod(shape) * np.dtype(_TYPES[dtype]).itemsize
    if offsets[1] - offsets[0] != n_bytes:
        raise ValueError(f"{name}, {dtype} of shape {short_repr(shape)}, must take {short_repr(n_bytes)} bytes; its "
                         f"data_offsets are {short_repr(offsets)}")
    return _Tensor(dtype, tuple(shape), *offsets)


def _are_counts(values):
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def _require_whole(tensors, n_bytes):
    """Raise ValueError unless the tensors follow on each other without gap or overlap up to the end of the file."""
    end = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].stop)):
        if tensor.start != end:
            what = "overlaps with the one before" if tensor.start < end else "leaves bytes unused before it"
            raise ValueError(f"{name} begins at byte {short_repr(tensor.start)}, where {end} is due: it {what}")
        end = tensor.stop
    if end != n_bytes:
        raise ValueError(f"its tensors take {short_repr(end)} bytes; {n_bytes} follow the header")


def _read_tensor(file, first, tensor):
    file.seek(first + tensor.start)
    raw = np.frombuffer(file.read(tensor.stop - tensor.start), dtype=_TYPES[tensor.dtype])
    if raw.size != math.prod(tensor.shape):
        raise ValueError("it became shorter while it was read")
    if tensor.dtype == "BF16":  # the upper half of a float32
        raw = (raw.astype("<u4") << 16).view("<f4")
    with np.errstate(invalid="ignore"):  # of signalling NaN
        return raw.astype(np.float64).reshape(tensor.shape)
