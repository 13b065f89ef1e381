"""Operations on signals of layers, line by line, for techniques that follow them: differentiable, in double precision.

Signals are (n_networks, n_chips, n_points, n_features); an axis of chips of length 1 stands for all.
"""

import numpy as np

from tiocross.learning.activations import slope_of
from tiocross.learning.tensor import Tensor


def multiply(signals, matrices):
    """(..., n_points, n_lines) Tensor: signals (..., n_points, n_rows) times matrices (..., n_rows, n_lines)."""
    a, b = signals.value, matrices.value
    return Tensor(a @ b, (signals, matrices), lambda g: (g @ b.swapaxes(-1, -2), a.swapaxes(-1, -2) @ g))


def straight_through(signals, values, inside):
    """Tensor with the given ``values``; the gradient is that of the identity where signals are ``inside``, else zero."""
    return Tensor(values, (signals,), lambda g: (g * inside,))


def clip(signals, low, high):
    """Signals within [low, high], arrays that broadcast."""
    values = signals.value
    return straight_through(signals, np.clip(values, low, high), (low <= values) & (values <= high))


def apply(signals, value, slope):
    """Tensor of a function of each signal, with its slope there; both are ndarrays."""
    return Tensor(value, (signals,), lambda g: (g * slope,))


def root(signals):
    """Tensor of the square roots; where a signal is zero no gradient flows."""
    value = np.sqrt(signals.value)
    slope = np.divide(0.5, value, out=np.zeros_like(value), where=value > 0)
    return Tensor(value, (signals,), lambda g: (g * slope,))


def activate(sums, steps):
    """Outputs of a layer whose step each network states, in ``steps``, from Tensor sums (n_networks, ...)."""
    values = np.stack([step.activate(own) for step, own in zip(steps, sums.value)]).astype(sums.value.dtype, copy=False)
    return apply(sums, values, np.stack([slope_of(step.activation, own) for step, own in zip(steps, values)]))


def with_bias(signals, n_rows):
    """Signals of ``n_rows`` word lines: one more, the bias, where it has a line."""
    if signals.shape[-1] == n_rows:
        return signals
    ones = np.ones((*signals.shape[:-1], 1), dtype=signals.value.dtype)
    return Tensor(np.concatenate([signals.value, ones], axis=-1), (signals,), lambda g: (g[..., :-1],))


def gather(signals, step):
    """(..., n_points * n_positions, n_seen) Tensor of what each position of a layer sees."""
    if step.seen is None:
        return signals
    seen, n_features = step.gather(signals.value), signals.shape[-1]

    def pull(g):
        g, back = g.reshape(seen.shape), np.zeros((*signals.shape[:-1], n_features + 1))  # the last for the padding
        for place, column in enumerate(step.seen.T):  # no feature is at one place of two positions
            back[..., column] += g[..., place]
        return (back[..., :-1],)

    return Tensor(seen.reshape(*seen.shape[:-3], -1, seen.shape[-1]), (signals,), pull)


def average(outputs, step):
    """Features of the next layer from the outputs of one."""
    if step.pooled is None:
        return outputs

    def pull(g):
        back = np.zeros(outputs.shape)
        for column in step.pooled.T:  # no output is twice at one place of different averages
            back[..., column] += g / step.pooled.shape[1]
        return (back,)

    return Tensor(step.average(outputs.value), (outputs,), pull)
