"""From the weights of networks under training to their logits on simulated chips, differentiable."""

import numpy as np

from tiocross.learning.on_devices import ChipSampler
from tiocross.learning.passes import choose_passes
from tiocross.learning.techniques import Flow, require_tensor, uses


class Forward:
    """What networks of the same layer sizes compute with on chips, with the effects that techniques let in."""

    def __init__(self, techniques, hardware, networks, points):
        self._techniques, self._follower = techniques, next((one for one in techniques if uses(one, "follow")), None)
        self.sampler = ChipSampler(techniques, *hardware, networks[0].shapes)
        self._steps = [network.steps for network in networks]
        encoded = [network.encode(points) for network in networks]
        self._points = encoded if self._follower is not None else None
        self._passes = None
        if self._follower is None:
            self._passes = choose_passes(self._steps, [array.shape for array in networks[0].arrays], encoded)

    def logits(self, weights, batch, chips, course, *, through_scale):
        """(n_networks, n_chips, n_points, n_outputs) Tensor of the logits for a Tensor of weights (n_networks, 1,
        n_weights, 1), numbers of points (n_networks, n_points) and drawn ``chips``, None where none are simulated."""
        if self._follower is not None:
            return self._followed(weights, batch, chips, course, through_scale)
        sampled = weights
        if chips is not None:
            sampled = self.sampler.sample(weights, chips, course, through_scale=through_scale)
        for technique in self._techniques:
            sampled = technique.perturb(sampled, course)
            require_tensor(technique, "perturb", sampled, (len(weights.value), None, *weights.shape[2:]))
        return self._passes.run(sampled, batch)

    def _followed(self, weights, batch, chips, course, through_scale):
        conductances, targets, scale = self.sampler.flow(weights, chips, course, through_scale=through_scale)
        inputs = np.stack([own[chosen] for own, chosen in zip(self._points, batch)])
        logits = self._follower.follow(Flow(conductances, targets, scale, weights, inputs, self._steps), course)
        require_tensor(self._follower, "follow", logits, (len(weights.value), None, batch.shape[1], None))
        return logits
