"""What a change of each weight does to the logits of a network: derivatives by the weights at each point."""

import numpy as np

from tiocross.learning.activations import slope_of
from tiocross.learning.steps import width_of

_VALUES_AT_ONCE = 4_000_000


def effects_of_weights(steps, arrays, inputs):
    """|d logit / d weight| of each weight and bias, mean over the (n_points, n_inputs) encoded points, sum over outputs:
    (n_seen + 1, n_outputs) each. Where a weight is used at several positions its derivatives there add up before."""
    totals = [np.zeros(array.shape) for array in arrays]
    at_once = max(1, _VALUES_AT_ONCE // width_of(steps, arrays, inputs.shape[1]))
    for first in range(0, len(inputs), at_once):
        _add_effects(totals, steps, arrays, inputs[first : first + at_once])
    return [total / len(inputs) for total in totals]


def _add_effects(totals, steps, arrays, signal):
    """Add the effects at some points to ``totals``."""
    seen, outputs = [], []
    for step, array in zip(steps, arrays):
        gathered = step.gather(signal)
        gathered = gathered[:, None] if step.seen is None else gathered  # (n_points, n_positions, n_seen)
        seen.append(np.concatenate([gathered, np.ones((*gathered.shape[:-1], 1))], axis=-1))
        sums = (seen[-1] @ array).reshape(len(signal), -1)
        outputs.append(step.activate(sums))
        signal = step.average(outputs[-1])
    for output in range(signal.shape[1]):
        slopes = np.zeros(signal.shape)
        slopes[:, output] = 1.0
        for k in reversed(range(len(steps))):
            by_sum = _spread(slopes, steps[k].pooled, outputs[k].shape[1]) * slope_of(steps[k].activation, outputs[k])
            by_sum = by_sum.reshape(*seen[k].shape[:2], -1)  # (n_points, n_positions, n_outputs)
            if steps[k].seen is None:  # one product: what many numbers at one point do is no sum
                totals[k] += np.abs(seen[k][:, 0]).T @ np.abs(by_sum[:, 0])
            else:
                totals[k] += np.abs(np.swapaxes(seen[k], 1, 2) @ by_sum).sum(axis=0)
            if k:
                slopes = _gathered_back(by_sum @ arrays[k][:-1].T, steps[k].seen, steps[k - 1], outputs[k - 1])


def _spread(slopes, pooled, n_outputs):
    """Slopes by the outputs that were averaged, from those by the averages."""
    if pooled is None:
        return slopes
    spread = np.zeros((len(slopes), n_outputs))
    for column in pooled.T:  # no output is twice at one place of different averages
        spread[:, column] += slopes / pooled.shape[1]
    return spread


def _gathered_back(by_seen, seen, before, outputs):
    """Slopes by the features of a layer's input, from those by what each position sees."""
    if seen is None:
        return by_seen[:, 0]
    n_features = outputs.shape[1] if before.pooled is None else len(before.pooled)
    back = np.zeros((len(by_seen), n_features + 1))  # the last for zeros of the padding
    for place, column in enumerate(seen.T):  # no feature is at one place of two positions
        back[:, column] += by_seen[..., place]
    return back[:, :-1]
