"""What a hidden unit makes of its sum: one table of all activations, and their values in plain NumPy.

Every activation must be increasing. `layers_kernel.classify_points` bounds a network over a box of inputs by the values at
the ends of each interval, which is true of increasing functions only. Each must also give its slope from its output alone.

A further activation needs three entries: a line in `ACTIVATIONS`, a branch in ``layers_kernel._activate`` and a branch in
``layers_kernel._slope``. Nothing else in the package knows the names or the codes.

name        value                    slope, from the output y
sigmoid     1 / (1 + exp(-x))        y (1 - y)
tanh        tanh(x)                  1 - y^2
relu        max(x, 0)                1 where y > 0, else 0
softplus    log(1 + exp(x))          1 - exp(-y)
hardtanh    min(max(x, -1), 1)       1 where -1 < y < 1, else 0
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tiocross.checks import require_name


class Activation(NamedTuple):
    """Number by which the compiled kernels know an activation, and its value on an ndarray."""

    code: int
    value: Callable


def sigmoid(x):
    """1 / (1 + exp(-x)) of an ndarray, without overflow."""
    y = np.negative(x, out=np.empty(np.shape(x)))
    np.minimum(y, 700.0, out=y)  # exp overflows beyond 709
    np.exp(y, out=y)
    y += 1.0
    return np.reciprocal(y, out=y)


def softplus(x):
    """log(1 + exp(x)) of an ndarray, without overflow."""
    return np.logaddexp(0.0, x)


ACTIVATIONS = {
    "sigmoid": Activation(0, sigmoid),
    "tanh": Activation(1, np.tanh),
    "relu": Activation(2, lambda x: np.maximum(x, 0.0)),
    "softplus": Activation(3, softplus),
    "hardtanh": Activation(4, lambda x: np.clip(x, -1.0, 1.0)),
}


def find_activation(name):
    """The `Activation` of this name; ValueError with the nearest name where there is none."""
    require_name("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]
