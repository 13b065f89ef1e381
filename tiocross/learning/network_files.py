"""Files of networks: ``.npz`` without pickle, whole or absent, and refused before anything that does not belong is unpacked.

Format 1 holds perceptrons with one activation and a bias in each layer: their sizes say all. Format 2 holds any network: an
``architecture`` in JSON says its kind, the shape of its inputs and its layers.
"""

import json
import math
from typing import NamedTuple

import numpy as np

from tiocross.checks import as_finite, as_path, nearest_name
from tiocross.learning.activations import ACTIVATIONS
from tiocross.learning.layer_kinds import KINDS, Dense, chain_layers
from tiocross.storage import replacing, without_doubles

FORMAT, GENERAL_FORMAT = "tiocross network 1", "tiocross network 2"
_MOST_BYTES = 100_000  # of a member that holds a few numbers or a text, and of the head of any other
_ENCODING = ("input_offset", "input_scale")


class Stored(NamedTuple):
    """A network as a file holds it: its kind, the shape of its inputs, its layers, the activation of hidden layers where it
    is one for all, weights, input encoding."""

    kind: str
    input_shape: tuple
    layers: tuple
    activation: str | None
    arrays: list
    input_offset: np.ndarray
    input_scale: np.ndarray


def write_network(path, network, head):
    """Write a network under the names of ``head`` and those of its arrays."""
    arrays = {f"layer_{k}": array for k, array in enumerate(network.arrays)}
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **head, input_offset=network.input_offset, input_scale=network.input_scale, **arrays)


def architecture_of(kind, input_shape, layers):
    """JSON that says all of a network but its weights and input encoding."""
    listed = [{"layer": type(layer).__name__, **vars(layer)} for layer in layers]
    return json.dumps({"kind": kind, "input_shape": list(input_shape), "layers": listed})


def read_network(path):
    """What the file of a network holds, checked; ValueError if it is no such file, or damaged."""
    content = _read_npz(as_path("path", path))
    try:
        return _stored(content, path)
    except TypeError as error:
        raise ValueError(f"{path} is damaged: {error}") from None


def _stored(content, path):
    mark = str(content.get("format"))
    if mark not in (FORMAT, GENERAL_FORMAT):
        raise ValueError(f"{path} is not a network that tiocross saved: it lacks the mark {FORMAT!r}. Weights of "
                         "elsewhere are made one by tiocross import")
    if mark == FORMAT:
        return _stored_perceptron(content, path)
    if content.get("architecture") is None:
        raise ValueError(f"{path} is damaged: 'architecture' is missing, or too long")
    try:
        kind, input_shape, layers, shapes = _read_architecture(content["architecture"])
    except ValueError as error:
        raise ValueError(f"{path} is damaged: its architecture is none: {error}") from None
    keys = _require_members(path, content, len(shapes), {"format", "architecture"}, f"{len(shapes)} such layers")
    arrays = [as_finite(f"{key} of {path}", content[key], ndim=2) for key in keys]
    if [array.shape for array in arrays] != list(shapes):
        raise ValueError(f"{path} is damaged: its layers need weights of shapes {list(shapes)}; it holds "
                         f"{[array.shape for array in arrays]}")
    return Stored(kind, input_shape, layers, None, arrays, *_encoding(content, path, math.prod(input_shape)))


def _stored_perceptron(content, path):
    sizes = as_finite(f"sizes of {path}", content.get("sizes", []), ndim=1).astype(int).tolist()
    keys = _require_members(path, content, len(sizes) - 1, {"format", "sizes", "activation"},
                            f"a network of sizes {sizes}", names=len(sizes) >= 2)
    arrays = [as_finite(f"{key} of {path}", content[key], ndim=2) for key in keys]
    activation = str(content["activation"])
    if activation not in ACTIVATIONS:
        raise ValueError(f"{path} has the unknown activation {activation!r}; {nearest_name(activation, ACTIVATIONS)}")
    shapes = [(n_in + 1, n_out) for n_in, n_out in zip(sizes, sizes[1:])]
    if min(sizes) < 1 or [array.shape for array in arrays] != shapes:
        raise ValueError(f"{path} is damaged: layers of shapes {[a.shape for a in arrays]} do not have sizes {sizes}")
    layers = tuple(Dense(n_out, activation) for n_out in sizes[1:-1]) + (Dense(sizes[-1]),)
    return Stored("MLP", (sizes[0],), layers, activation, arrays, *_encoding(content, path, sizes[0]))


def _require_members(path, content, n_layers, others, whose, names=True):
    """Names of the layers' members; ValueError unless the file holds these and the others, none of them too large."""
    keys = [f"layer_{k}" for k in range(n_layers)]
    expected = {*others, *_ENCODING, *keys}
    if not names or set(content) != expected:
        odd = sorted(expected ^ set(content))
        raise ValueError(f"{path} is damaged: {odd[0] if odd else 'sizes'!r} is missing or does not belong there")
    too_large = [name for name in sorted(expected) if content[name] is None]
    if too_large:
        raise ValueError(f"{path} is damaged: {too_large[0]!r} is larger than {whose} has it")
    return keys


def _encoding(content, path, n_inputs):
    """Offset and scale of the inputs, checked."""
    offset, scale = (as_finite(f"{name} of {path}", content[name], ndim=1) for name in _ENCODING)
    if not len(offset) == len(scale) == n_inputs:
        raise ValueError(f"{path} is damaged: input_offset and input_scale do not have {n_inputs} entries")
    return offset, scale


def _read_architecture(text):
    """Kind, input shape, layers and shapes of their weights; ValueError, TypeError unless it is what `architecture_of`
    writes."""
    try:
        content = json.loads(str(text), object_pairs_hook=without_doubles)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(content, dict) or set(content) != {"kind", "input_shape", "layers"}:
        raise ValueError("it must hold kind, input_shape and layers")
    if not isinstance(content["layers"], list) or not isinstance(content["input_shape"], list):
        raise ValueError("layers and input_shape must be lists")
    layers = tuple(_read_layer(layer) for layer in content["layers"])
    input_shape = tuple(content["input_shape"])
    return content["kind"], input_shape, layers, chain_layers(layers, input_shape).shapes


def _read_layer(content):
    kind = KINDS.get(content.pop("layer", None)) if isinstance(content, dict) else None
    if kind is None:
        raise ValueError(f"a layer must be one of {', '.join(KINDS)}")
    return kind(**content)


def _read_npz(path):
    """Arrays of the file by name. The directory is read first: what does not belong to a network, or is larger than its
    sizes say, is not unpacked, and None stands for it."""
    try:
        with open(path, "rb") as file:
            if file.read(2) != b"PK":
                raise ValueError("it is no .npz archive")
            file.seek(0)
            archive = np.load(file, allow_pickle=False)
            unpacked = {info.filename.removesuffix(".npy"): info.file_size for info in archive.zip.infolist()}
            content = dict.fromkeys(unpacked)
            for name in content.keys() & {"format", "sizes", "activation", "architecture"}:
                content[name] = archive[name] if unpacked[name] <= _MOST_BYTES else None
            for name, shape in _shapes_of_members(content).items():
                if name in content and unpacked[name] <= _MOST_BYTES + 8 * math.prod(shape):
                    content[name] = archive[name]
            return content
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except Exception as error:  # a damaged archive can make zipfile and NumPy raise almost anything
        raise ValueError(f"{path} is not a network that tiocross saved, or it is truncated: {error}") from None


def _shapes_of_members(content):
    """Shapes of the arrays that a network is saved with, by name, as far as the file says them."""
    if str(content.get("format")) == GENERAL_FORMAT:
        try:
            _, input_shape, _, layers = _read_architecture(content.get("architecture"))
        except (ValueError, TypeError):  # is told when it is read again
            return {}
        n_inputs = math.prod(input_shape)
    else:
        sizes = [] if content.get("sizes") is None else [int(size) for size in content["sizes"].ravel()]
        layers = [(n_in + 1, n_out) for n_in, n_out in zip(sizes, sizes[1:])]
        n_inputs = sizes[0] if sizes else 0
    shapes = {f"layer_{k}": shape for k, shape in enumerate(layers)}
    return {**shapes, **dict.fromkeys(_ENCODING, (n_inputs,))} if shapes else {}
