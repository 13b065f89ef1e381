"""From the weights of networks under training to their logits on simulated chips, differentiable."""

from tiocross.learning.on_devices import ChipSampler
from tiocross.learning.passes import choose_passes
from tiocross.learning.techniques import require_tensor


class Forward:
    """What networks of the same layer sizes compute with on chips, with the effects that techniques let in."""

    def __init__(self, techniques, hardware, networks, points):
        self._techniques = techniques
        self.sampler = ChipSampler(techniques, *hardware, networks[0].shapes)
        self._passes = choose_passes([network.steps for network in networks], [array.shape for array in networks[0].arrays],
                                     [network.encode(points) for network in networks])

    def logits(self, weights, batch, chips, course, *, through_scale):
        """(n_networks, n_chips, n_points, n_outputs) Tensor of the logits for a Tensor of weights (n_networks, 1,
        n_weights, 1), numbers of points (n_networks, n_points) and drawn ``chips``, None where none are simulated."""
        sampled = weights
        if chips is not None:
            sampled = self.sampler.sample(weights, chips, course, through_scale=through_scale)
        for technique in self._techniques:
            sampled = technique.perturb(sampled, course)
            require_tensor(technique, "perturb", sampled, (len(weights.value), None, *weights.shape[2:]))
        return self._passes.run(sampled, batch)
