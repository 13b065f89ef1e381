"""Files of weights from elsewhere: ``.npz`` and ``.safetensors``. Nothing in a file is ever run: no pickle is loaded."""

import math
import zipfile

import numpy as np

from tiocross.checks import as_path, require_memory, require_text
from tiocross.learning.safetensors import read_safetensors

_MOST_DEFLATED, _SMALL = 100, 10_000_000  # times that trained weights are deflated at most; bytes that are no matter
_STATE = "state = torch.load(\"model.pt\", map_location=\"cpu\", weights_only=True)"
_OF_TORCH = ("is one of PyTorch, which runs what is in it when it is read. Save its numbers instead, in Python where "
             f"PyTorch is: {_STATE}; safetensors.torch.save_file(state, \"model.safetensors\"), or numpy.savez("
             "\"model.npz\", **{name: tensor.float().numpy() for name, tensor in state.items()})")
_OF_PICKLE = ("is a pickle, which runs what is in it when it is read. Save its arrays instead, in Python where it was made: "
              "arrays = pickle.load(open(\"model.pkl\", \"rb\")); numpy.savez(\"model.npz\", W0=arrays[0], b0=arrays[1])")
_OF_KERAS = ("is one of Keras. Save its arrays instead, in Python where Keras is: model = keras.models.load_model("
             "\"model.h5\"); numpy.savez(\"model.npz\", *model.get_weights())")
_OTHERS = {".pt": _OF_TORCH, ".pth": _OF_TORCH, ".ckpt": _OF_TORCH, ".bin": _OF_TORCH, ".pkl": _OF_PICKLE,
           ".pickle": _OF_PICKLE, ".joblib": _OF_PICKLE, ".h5": _OF_KERAS, ".hdf5": _OF_KERAS, ".keras": _OF_KERAS}


def read_weights(path):
    """The arrays of a file by name, float64, in the order of the file; ValueError for a file of another kind or a damaged
    one."""
    path = as_path("path", path)
    with open(path, "rb") as file:
        start = file.read(16)
    if path.suffix.lower() in _OTHERS:
        raise ValueError(f"{path} {_OTHERS[path.suffix.lower()]}")
    if start.startswith(b"\x89HDF"):
        raise ValueError(f"{path} {_OF_KERAS}")
    if start[8:9] != b"{" and _is_pickle(start):
        raise ValueError(f"{path}, whatever its name, {_OF_PICKLE}. If it is one of PyTorch: {_STATE}; "
                         "safetensors.torch.save_file(state, \"model.safetensors\")")
    if start.startswith(b"PK"):
        return _read_npz(path)
    if path.suffix.lower() == ".safetensors" or start[8:9] == b"{":
        return read_safetensors(path)
    raise ValueError(f"{path} holds no weights that can be imported: expected .npz or .safetensors")


def _is_pickle(start):
    """Whether a file's first bytes are those of a pickle of protocol 2 to 5."""
    return len(start) > 1 and start[0] == 0x80 and 2 <= start[1] <= 5


def _read_npz(path):
    try:
        with open(path, "rb") as file:
            n_bytes = file.seek(0, 2)
            file.seek(0)
            archive = np.load(file, allow_pickle=False)
            _require_arrays(archive.zip, n_bytes)
            return {name: archive[name].astype(np.float64) for name in archive.files}
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except Exception as error:  # a damaged archive can make zipfile and NumPy raise almost anything
        why = "it is truncated or damaged" if isinstance(error, (zipfile.BadZipFile, EOFError)) else error
        raise ValueError(f"{path} holds no weights that can be imported: {why}") from None


def _require_arrays(archive, n_bytes):
    """Raise ValueError unless the members are arrays of numbers, each as long as its head says; none is unpacked."""
    if any(info.filename.endswith("data.pkl") for info in archive.infolist()):
        raise ValueError(f"it {_OF_TORCH}")
    if {"format.npy", "input_scale.npy"} <= {info.filename for info in archive.infolist()}:
        raise ValueError("it is a network of tiocross already: take it as it is")
    total = 0
    for info in archive.infolist():
        require_text("the name of an array", info.filename)
        if not info.filename.endswith(".npy"):
            raise ValueError(f"{info.filename!r} in it is no array")
        if info.file_size > max(_SMALL, _MOST_DEFLATED * n_bytes):
            raise ValueError(f"{info.filename!r} would be {info.file_size} bytes, unpacked from a file of {n_bytes}: these "
                             "are no trained weights")
        with archive.open(info) as member:
            version = np.lib.format.read_magic(member)
            read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
            shape, _, dtype = read(member)
            if dtype.kind not in "fiu":
                raise ValueError(f"{info.filename} holds no numbers but {dtype}")
            if math.prod(shape) * dtype.itemsize != info.file_size - member.tell():
                raise ValueError(f"{info.filename}, {dtype} of shape {shape}, has another length")
        total += math.prod(shape)
    if len({info.filename for info in archive.infolist()}) < len(archive.infolist()):
        raise ValueError("an array is given twice")
    require_memory(f"{total} numbers", 16 * total, "import a smaller file")

