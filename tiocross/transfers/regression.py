"""Logistic regression of the outputs of many chips at once.

Newton's method from zero, where no output is saturated: from large weights its steps overshoot. A step that would raise the
loss of a chip is halved until it does not.
"""

import numpy as np

from tiocross.learning.activations import sigmoid, softplus
from tiocross.learning.losses import softmax

_MOST_STEPS = 50  # of Newton's method; a handful is usual, nearly separable points take some twenty
_MOST_HALVINGS = 30  # the last of them would pass by 1e-9 of a step
_FLAT = 1e-12  # largest gradient that counts as zero
_ROUNDING = 1e-14  # of a loss


def fit_outputs(features, shares, start, *, ridge):
    """(n_chips, n_outputs, n_features) coefficients at the least mean cross-entropy plus ridge / 2 |coefficients - start|^2,
    for (n_chips, 1 or n_outputs, n_points, n_features) features and the (n_points, n_outputs) share of each output's class
    in a point: with one output the share of class 1. ``ridge`` is above zero."""
    found = np.zeros((len(features), *start.shape))
    value, chances = _loss(features, shares, found, start, ridge)
    for _ in range(_MOST_STEPS):
        away = np.swapaxes(chances - shares, -1, -2)[..., None, :]  # (n_chips, n_outputs, 1, n_points)
        gradient = (away @ features)[..., 0, :] / len(shares) + ridge * (found - start)
        done = np.abs(gradient).max(axis=(1, 2)) < _FLAT
        if done.all():
            break
        curvature = _curvature(features, chances, ridge)
        steps = np.linalg.solve(curvature, gradient.reshape(len(found), -1, 1)).reshape(found.shape)
        steps[done] = 0.0  # what a chip gets does not depend on those beside it
        for _ in range(_MOST_HALVINGS):
            new_value, new_chances = _loss(features, shares, found - steps, start, ridge)
            worse = new_value > value + _ROUNDING * np.abs(value)
            if not worse.any():
                break
            steps[worse] *= 0.5
        found, value, chances = found - steps, new_value, new_chances
    return found


def _loss(features, shares, found, start, ridge):
    """(n_chips,) loss and (n_chips, n_points, n_outputs) chances of each output's class."""
    logits = np.swapaxes((features @ found[..., None])[..., 0], -1, -2)
    if logits.shape[-1] == 1:
        entropies, chances = softplus(logits) - shares * logits, sigmoid(logits)
    else:
        shifted, chances, logs = softmax(logits)
        entropies = logs[..., None] - (shares * shifted).sum(axis=-1, keepdims=True)
    distances = ((found - start) ** 2).sum(axis=(-2, -1))
    return entropies.mean(axis=(-2, -1)) + 0.5 * ridge * distances, chances


def _curvature(features, chances, ridge):
    """(n_chips, n_outputs n_features, n_outputs n_features) second derivatives of the loss."""
    n_chips, _, n_points, n_features = features.shape
    n_outputs = chances.shape[-1]
    curvature = np.empty((n_chips, n_outputs, n_features, n_outputs, n_features))
    of = [features[:, min(output, features.shape[1] - 1)] for output in range(n_outputs)]
    for one in range(n_outputs):
        for other in range(one + 1):
            weights = chances[..., one] * ((one == other) - chances[..., other]) / n_points
            block = np.swapaxes(of[one], -1, -2) @ (of[other] * weights[..., None])
            curvature[:, one, :, other] = block
            curvature[:, other, :, one] = np.swapaxes(block, -1, -2)
    curvature = curvature.reshape(n_chips, n_outputs * n_features, -1)
    return curvature + ridge * np.eye(n_outputs * n_features)
