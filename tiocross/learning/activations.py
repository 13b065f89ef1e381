"""What a hidden unit makes of its sum: one table of all activations, for the compiled kernels and in plain NumPy.

Every activation must be increasing. `classes_kernel.classify_points` bounds a network over a box of inputs by the values at
the ends of each interval, which is true of increasing functions only. Each must also give its slope from its output alone.

The kernels know three kinds. A further activation of the first two takes one line in `ACTIVATIONS` and nothing else.

kind         value                            slope, from the output y
0 curved     shift + gain tanh(gain x)        slope_0 + slope_1 y + slope_2 y^2
1 clipped    min(max(x, low), high)           the same where low < y < high, else 0
2 softplus   log(1 + exp(x))                  1 - exp(-y)
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tiocross.checks import require_name

_CURVED, _CLIPPED, _SOFTPLUS = range(3)


class Activation(NamedTuple):
    """How the compiled kernels know an activation, and its value on an ndarray."""

    value: Callable
    kind: int
    gain: float = 1.0
    shift: float = 0.0
    low: float = -np.inf
    high: float = np.inf
    slope: tuple[float, float, float] = (1.0, 0.0, 0.0)

    @property
    def terms(self):
        """Its numbers, in the order that the kernels take them."""
        return (self.gain, self.shift, self.low, self.high, *self.slope)


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
    "sigmoid": Activation(sigmoid, _CURVED, gain=0.5, shift=0.5, slope=(0.0, 1.0, -1.0)),
    "tanh": Activation(np.tanh, _CURVED, slope=(1.0, 0.0, -1.0)),
    "relu": Activation(lambda x: np.maximum(x, 0.0), _CLIPPED, low=0.0),
    "softplus": Activation(softplus, _SOFTPLUS),
    "hardtanh": Activation(lambda x: np.clip(x, -1.0, 1.0), _CLIPPED, low=-1.0, high=1.0),
    "linear": Activation(lambda x: x, _CLIPPED),
}


def slope_of(name, outputs):
    """Slope of an activation, from its outputs, an ndarray."""
    activation = find_activation(name)
    if activation.kind == _CLIPPED:
        return ((activation.low < outputs) & (outputs < activation.high)).astype(outputs.dtype)
    if activation.kind == _SOFTPLUS:
        return -np.expm1(-outputs)
    constant, linear, quadratic = activation.slope
    return constant + outputs * (linear + quadratic * outputs)


def find_activation(name):
    """The `Activation` of this name; ValueError with the nearest name where there is none."""
    require_name("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]
