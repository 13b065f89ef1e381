"""Training for single chips: known stuck devices, layers already programmed and read back, an order of programming."""

import numpy as np

from tiocross.devices.large_draws import LARGE, LargeDraws
from tiocross.devices.rewriting import StateWrites, at_targets
from tiocross.devices.writes import apply_writes, draw_writes, stack_writes
from tiocross.learning.on_devices import WeightsOnDevices, with_states
from tiocross.learning.techniques import Technique
from tiocross.mapping.wiring import wiring_of

_STEPS_PER_DRAW = 32


class KnownChips(Technique):
    """Technique of `train_many` where each network is meant for one chip: its stuck devices keep their conductances, their
    partners in a pair, if they have any, make up for them, and the other devices suffer tuning error and disturb drawn anew
    at every step.

    ``stuck`` holds ``(n_chips, n_word_lines, n_bit_lines)`` conductances for each layer, NaN where healthy [S];
    ``n_later_writes`` one ``(n_word_lines, n_bit_lines)`` array a layer. ``measured`` are the ``(n_chips, n_inputs + 1,
    n_outputs)`` weights of the first layers, where these are already programmed and read back; they are not trained.
    """

    def __init__(self, device, layout, sizes, stuck, n_later_writes, measured=()):
        self._device = device.only("tuning", "disturb")
        self._wiring = wiring_of(layout, n_later_writes)
        self._n_later_writes = np.concatenate([later.reshape(-1, 1) for later in n_later_writes])
        self._view = WeightsOnDevices(device, layout, sizes)
        n_chips = len(stuck[0])
        self._stuck = np.concatenate([layer.reshape(n_chips, -1, 1) for layer in stuck], axis=1)[:, None]
        known = [layer.reshape(n_chips, -1, 1) for layer in measured]
        n_known = sum(layer.shape[1] for layer in known)
        self._measured = np.concatenate([*known, np.zeros((n_chips, self._view.n_weights - n_known, 1))], axis=1)
        self._trained = (np.arange(self._view.n_weights) >= n_known).astype(np.float64)[:, None]
        self._draws = None

    def perturb(self, weights, course):
        """``(n_networks, n_chips, n_weights, 1)`` Tensor: weights as the chips will compute with them."""
        if self._draws is None:
            self._draws = self._draw(course.n_chips, course.rngs)
        view = self._view
        scale = view.scale_of(weights)
        targets = view.conductances(weights, scale)
        if view.mapping.has_partners:
            targets = offset_pairs(targets, view.mapped(weights), scale, self._stuck, self._device)
        writes = next(self._draws)
        if isinstance(writes, StateWrites):
            writes = at_targets(self._device.disturb, self._wiring, targets.value[:, 0, :, 0], writes, known=True)
        sampled = view.weights(apply_writes(targets, writes), scale, weights)
        return sampled * self._trained + self._measured[:, None]

    def _draw(self, n_chips, rngs):
        if len(self._n_later_writes) > LARGE:
            yield from self._draw_large(n_chips, rngs)
        while True:
            drawn = [draw_writes(self._device, self._n_later_writes, _STEPS_PER_DRAW * n_chips, rng) for rng in rngs]
            writes = with_states(self._device, stack_writes(drawn), rngs)
            writes.fix_devices(np.broadcast_to(self._stuck, writes.constant.shape))
            for step in range(_STEPS_PER_DRAW):
                yield writes[:, step * n_chips : (step + 1) * n_chips]

    def _draw_large(self, n_chips, rngs):
        """The same for large networks, of which the draws of several steps would fill the memory."""
        law = LargeDraws(self._device, self._n_later_writes)
        while True:
            writes = with_states(self._device, stack_writes([law.draw([rng] * n_chips) for rng in rngs]), rngs)
            writes.fix_devices(np.broadcast_to(self._stuck, writes.constant.shape))
            yield writes


def offset_pairs(targets, weights, scale, stuck, device):
    """`offset_known` for tensors, stuck devices left at their targets: ``targets`` and ``stuck``, NaN where healthy, are
    ``(..., 2 n_weights, 1)`` [S], plus and minus in turn; ``weights`` and ``scale`` are ``(..., n_weights, 1)``."""
    pairs = stuck.reshape(*stuck.shape[:-2], -1, 2)
    partners = pairs[..., ::-1].reshape(stuck.shape)
    offset = np.isnan(stuck) & ~np.isnan(partners)
    if not offset.any():
        return targets
    differences = (weights * (scale * np.array([1.0, -1.0]))).reshape(*targets.shape)
    wanted = differences + np.where(offset, partners, 0.0)
    values = getattr(wanted, "value", wanted)
    held = np.clip(values, device.g_min, device.g_max)
    within = offset & (held == values)
    return targets * ~offset + wanted * within + np.where(offset & ~within, held, 0.0)
