"""The loss of a network expected over simulated chips, and the gradient that training takes of it: on the same chips.

Chips come in groups. What is a sum over chips is known for each group, so that others can tell how well it is known.
"""

import numpy as np

from tiocross.learning.forward import Forward
from tiocross.learning.losses import MeanLoss
from tiocross.learning.techniques import Course
from tiocross.learning.tensor import Tensor


class ExpectedLoss:
    """A loss of a network on ``n_groups`` groups of ``n_chips`` simulated chips each, with the effects that
    techniques let in; ``hardware`` are device and layout. The chips are the same for all weights."""

    def __init__(self, network, dataset, techniques, hardware, *, n_groups, n_chips, loss=MeanLoss(), rng):
        self._shapes, self._hardware, self._n_chips = [array.shape for array in network.arrays], hardware, n_chips
        self.weights = np.concatenate([array.reshape(-1, 1) for array in network.arrays])
        self._forward = Forward(techniques, hardware, [network] * n_groups, dataset.points)
        self._loss, self._labels = loss, dataset.labels[None, None]
        self._batch = np.broadcast_to(np.arange(len(dataset)), (n_groups, len(dataset)))
        self._seeds = rng.integers(2**63, size=(2, n_groups))
        sampler, self._chips = self._forward.sampler, None
        if sampler.is_on:
            self._chips = sampler.shorten(sampler.draw(n_chips, [np.random.default_rng(seed) for seed in self._seeds[0]]))

    def losses(self, weights):
        """(n_groups,) mean losses at weights (n_weights, 1)."""
        logits = self._logits(Tensor(self._stacked(weights)), False).value.astype(np.float64)
        return np.array([float(self._loss(Tensor(group[None]), self._labels).value) for group in logits])

    def gradients(self, weights, *, through_scale=False):
        """(n_groups, n_weights) gradients that training takes at these weights."""
        tensor = Tensor(self._stacked(weights))
        self._loss(self._logits(tensor, through_scale), self._labels).backward()
        return tensor.grad[:, 0, :, 0]

    def _stacked(self, weights):
        return np.broadcast_to(weights, (len(self._batch), 1, *weights.shape)).copy()

    def _logits(self, tensor, through_scale):
        rngs = [np.random.default_rng(seed) for seed in self._seeds[1]]  # what techniques draw is the same each time
        course = Course(self._shapes, self._n_chips, rngs, *self._hardware)
        return self._forward.logits(tensor, self._batch, self._chips, course, through_scale=through_scale)
