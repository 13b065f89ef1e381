"""Which arrays of a file are the weights and the bias of which layer, by their names.

A name is taken apart into words and numbers: ``fc1.weight``, ``net.0.bias``, ``dense_1/kernel:0``, ``W0``, ``layer_0``. What
is left without the word for weights or bias names the layer; layers follow each other in the order of numbers, then words.
"""

import re
from typing import NamedTuple

from tiocross.checks import nearest_name

_WEIGHTS, _BIAS = {"weight", "weights", "kernel", "w"}, {"bias", "biases", "b"}


class NamedLayer(NamedTuple):
    """Names of the weights and of the bias of one layer, None where it has no bias, and the arrays."""

    weights: str
    bias: str | None
    arrays: tuple


def name_layers(arrays, names=None):
    """`NamedLayer` of each layer in a dict of arrays; ``names`` are those of the weights, or of the layers, in order, where
    the names in the file do not tell the order, or where the file holds more."""
    if not arrays:
        raise ValueError("the file holds no arrays")
    parsed = {name: _parse(name) for name in arrays}
    groups, left = {}, []
    for name in sorted(arrays, key=lambda name: _order(parsed[name][1])):
        role, layer = parsed[name]
        if role is None:
            role = "bias" if arrays[name].ndim == 1 else "weights"
            if role == "bias" and layer not in groups:  # of the layer before, such as arr_0, arr_1
                layer = next((key for key in reversed(groups) if "bias" not in groups[key]), layer)
        if role in groups.setdefault(layer, {}):
            left.append(name)
        groups[layer].setdefault(role, name)
    layers = [_layer(group, arrays) for group in groups.values() if _is_layer(group, arrays)]
    if names is not None:
        return [_find(name, layers) for name in names]
    taken = {name for layer in layers for name in layer[:2]}
    left = [name for name in arrays if name not in taken]
    if left or not layers:
        odd = left[0]
        raise ValueError(f"{odd!r}, of shape {arrays[odd].shape}, is neither the weights of a layer nor the bias of one. "
                         "Tell the layers to take, in order, with names (--names); fold a batch normalisation into the "
                         "layer before it first")
    return layers


def _parse(name):
    """"weights", "bias" or None, and the words and numbers that name the layer."""
    words = re.findall(r"[a-z]+|[0-9]+", re.sub(r":0$", "", name).lower())
    for role, signs in (("weights", _WEIGHTS), ("bias", _BIAS)):
        if signs & set(words[-1:]) or (len(words) > 1 and words[-1].isdigit() and words[-2] in signs):
            at = len(words) - 1 if words[-1] in signs else len(words) - 2
            return role, tuple(words[:at] + words[at + 1 :])
    return None, tuple(words)


def _order(words):
    """Numbers by their value, before words; a name before longer ones that begin like it."""
    return [(0, int(word), "") if word.isdigit() else (1, 0, word) for word in words]


def _is_layer(group, arrays):
    return "weights" in group and arrays[group["weights"]].ndim >= 2


def _layer(group, arrays):
    weights, bias = group["weights"], group.get("bias")
    return NamedLayer(weights, bias, (arrays[weights], None if bias is None else arrays[bias]))


def _find(name, layers):
    """The layer whose weights have this name, or begin with it."""
    for layer in layers:
        if layer.weights == name or _parse(layer.weights)[1] == _parse(name)[1]:
            return layer
    raise ValueError(f"there are no weights {name!r}; {nearest_name(name, [layer.weights for layer in layers])}")
