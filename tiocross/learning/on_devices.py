"""Weights of networks under training as simulated chips hold them, differentiable.

All weights of a network stand one below the other, ``(..., n_weights, 1)``; so do its devices, ``(..., n_devices, 1)``,
layer by layer and word line by word line. Where a weight's devices depend on that weight alone the whole network goes
through the mapping as one tall layer with a single output: one operation of NumPy serves all layers.
"""

from dataclasses import fields, replace
from functools import cached_property

import numpy as np

from tiocross.devices.large_draws import LARGE, LargeDraws
from tiocross.devices.rewriting import StateWrites, at_targets
from tiocross.devices.state_disturb import StateDisturb, StateDraws, draw_states
from tiocross.devices.writes import Writes, apply_writes, slope_of_writes, stack_writes
from tiocross.learning.ageing import AgedWrites, age_writes, ageing_among, draw_ages, shortened
from tiocross.learning.large_pairs import sample_large_pairs
from tiocross.learning.techniques import join, require_tensor, split_layers, uses
from tiocross.learning.tensor import Tensor, stop_gradient
from tiocross.mapping.draws import draw_chips, fail_lines
from tiocross.mapping.wiring import wiring_of
from tiocross.mapping.mappings import VANISHING, DifferentialPairs, as_layer_shapes

_VALUES_AT_ONCE = 2**21  # devices of all chips that are sampled together, where each takes some 250 bytes
_PARTS_OF_WRITES = ("constant", "linear", "quadratic", "stuck")


class WeightsOnDevices:
    """Between the weights of a network of one layout and its devices; ``sizes`` are its layer sizes or ``network.shapes``. A
    bias that the layout has no word line for is on no device."""

    def __init__(self, device, layout, sizes):
        self.device, self.layout, self.mapping = device, layout, layout.mapping
        layers = [(shape[0] + (not shape.has_bias), shape[1]) for shape in as_layer_shapes(sizes)]
        self.shapes = [(on[0], columns) for on, (_, columns) in zip(layout.layer_shapes, layers)]  # of what is on devices
        self.n_weights = sum(rows * columns for rows, columns in layers)
        self.n_mapped = sum(rows * columns for rows, columns in self.shapes)
        self.parts = [(self.n_mapped, 1)] if self.mapping.acts_on_single_weights else self.shapes
        starts = np.cumsum([0, *(rows * columns for rows, columns in layers)])
        self.places = np.concatenate([start + np.arange(rows * columns) for start, (rows, columns)
                                      in zip(starts, self.shapes)])  # of the weights that are on devices
        self.others = np.setdiff1d(np.arange(self.n_weights), self.places, assume_unique=True)
        self._are_first = self.places[-1] == self.n_mapped - 1

    @cached_property
    def device_parts(self):
        """(word lines, bit lines) of each part."""
        return [(rows, self.mapping.n_bit_lines(columns)) for rows, columns in self.parts]

    def mapped(self, weights):
        """The weights that are on devices."""
        if self.n_mapped == self.n_weights:
            return weights
        if self._are_first or not isinstance(weights, Tensor):
            return weights[..., : self.n_mapped, :] if self._are_first else weights[..., self.places, :]
        return Tensor(weights.value[..., self.places, :], (weights,), lambda g: (self._put(np.zeros, g),))

    def _put(self, start, values):
        """An array that ``start`` gives for the shape of all weights, with these values of those on devices."""
        found = start((*values.shape[:-2], self.n_weights, 1))
        found[..., self.places, :] = values
        return found

    def _with_digital(self, on_devices, digital):
        """All weights, from those on devices and from ``digital``, which gives the others."""
        if self.n_mapped == self.n_weights:
            return on_devices
        if self._are_first:
            return join([on_devices, digital[..., self.n_mapped :, :]])
        def pull(g):
            rest = np.zeros(g.shape)
            rest[..., self.others, :] = g[..., self.others, :]
            return g[..., self.places, :], rest

        def start(shape):
            return np.array(np.broadcast_to(digital.value, shape), dtype=on_devices.value.dtype)

        return Tensor(self._put(start, on_devices.value), (on_devices, digital), pull)

    def scale_of(self, weights):
        """Scale of each weight on devices, (..., n_mapped, 1) [S]; a Tensor if the weights are one."""
        return self.mapping.span(self.device) / self._largest(self.mapped(weights))

    def conductances(self, weights, scale):
        """Devices that carry the weights, (..., n_devices, 1) [S]."""
        weights = self.mapped(weights)
        parts = zip(split_layers(weights, self.parts), split_layers(scale, self.parts))
        if len(self.parts) == 1:
            return _tall(next(self.mapping.conductances(w, self.device, s) for w, s in parts))
        return join([_tall(self.mapping.conductances(w, self.device, s[..., :1])) for w, s in parts])

    def targets(self, weights, scale):
        """The same as plain numbers, (n_networks, n_devices) [S]."""
        return self.conductances(Tensor(weights), getattr(scale, "value", scale)).value[:, 0, :, 0]

    def weights(self, conductances, scale, digital):
        """What the devices compute with, (..., n_weights, 1); ``digital`` gives the weights that are on no device."""
        parts = [_tall(self.mapping.differences(part)) for part in split_layers(conductances, self.device_parts)]
        return self._with_digital(join(parts) / scale, digital)

    def sample_generally(self, weights, scale, writes, conduct=lambda programmed: programmed):
        """What the chips of these ``writes`` compute with, (n_networks, n_chips, n_weights, 1): Tensors all the way."""
        return self.weights(conduct(self.program(weights, scale, writes)), scale, weights)

    def program(self, weights, scale, writes):
        """Conductances (n_networks, n_chips, n_devices, 1) that these ``writes`` leave behind [S], a Tensor."""
        targets = self.conductances(stop_gradient(weights, self.touched(writes.stuck)), scale)
        return apply_writes(targets, writes, floor=self.mapping.is_physical)

    def sample_pairs(self, weights, scale, writes):
        """The same for differential pairs, as one operation whose gradient is written out. Targets, which all chips of a
        network share, are computed once."""
        mapped = self.mapped(weights)
        kind = writes.linear.dtype
        w, s = mapped.value.astype(kind), getattr(scale, "value", scale).astype(kind)
        targets = self.mapping.conductances(w, self.device, s).astype(kind)  # (n_networks, 1, n_mapped, 2)
        writes = Writes(*(getattr(writes, name).reshape(*writes.stuck.shape[:-2], -1, 2) for name in _PARTS_OF_WRITES))
        programmed = apply_writes(targets, writes)
        values = self.mapping.differences(programmed) / s

        def pull(g):
            signs = np.sign(w)
            slopes = slope_of_writes(targets, writes)
            slopes *= np.concatenate([0.5 + 0.5 * signs, 0.5 - 0.5 * signs], axis=-1)  # which device follows the weight
            slopes *= programmed > 0
            by_difference = self.mapping.added(slopes)
            by_difference *= g
            by_weight = (by_difference * ~self.mapping.touched(writes.stuck)).sum(axis=1, keepdims=True)
            if not isinstance(scale, Tensor):
                return (by_weight,)
            by_scale = (by_difference * w - g * values).sum(axis=1, keepdims=True) / s
            return by_weight, by_scale

        parents = (mapped, scale) if isinstance(scale, Tensor) else (mapped,)
        return self._with_digital(Tensor(values, parents, pull), weights)

    def touched(self, stuck):
        """Which weights have a stuck device of their own, (..., n_weights, 1) bool."""
        hit = [_tall(self.mapping.touched(part)) for part in split_layers(stuck, self.device_parts)]
        return self._put(lambda shape: np.zeros(shape, dtype=bool), np.concatenate(hit, axis=-2))

    def draw(self, device, n_later_writes, n_chips, rngs):
        """Writes of shape (n_networks, n_chips, n_devices, 1) for chips of this device, ``n_chips`` from each generator;
        `StateWrites` where they disturb by state."""
        drawn = [draw_chips(device, self.layout, n_later_writes, n_chips, [rng] * len(self.shapes)).writes for rng in rngs]

        def joined(name):
            return np.stack([np.concatenate([_tall(getattr(writes, name)) for writes in layers], axis=1)
                             for layers in drawn])

        return with_states(device, Writes(*map(joined, _PARTS_OF_WRITES)), rngs)

    def layers_of_writes(self, writes):
        """`Writes` of each layer, (n_chips, n_word_lines, n_bit_lines), that share memory with (n_chips, n_devices, 1)."""
        split = zip(*(split_layers(getattr(writes, name), self.layout.layer_shapes) for name in _PARTS_OF_WRITES))
        return [Writes(*parts) for parts in split]

    @cached_property
    def _groups(self):
        """First weight of each group that shares a scale, and the group of each weight."""
        sizes = [n * columns for rows, columns in self.shapes for n in self.mapping.scale_groups(rows)]
        return np.cumsum([0, *sizes[:-1]]), np.repeat(np.arange(len(sizes)), sizes)

    def _largest(self, weights):
        """Largest magnitude of each weight's group, 1 where it vanishes; gradients are shared equally among ties."""
        values = getattr(weights, "value", weights)
        firsts, group = self._groups
        magnitudes = np.abs(values)
        largest = np.maximum.reduceat(magnitudes, firsts, axis=-2)
        total = np.where(largest > VANISHING, largest, 1.0).take(group, axis=-2)
        if not isinstance(weights, Tensor):
            return total

        def pull(g):
            hit = magnitudes == total
            n_ties = np.maximum(np.add.reduceat(hit, firsts, axis=-2, dtype=np.float64), 1.0)
            shares = (np.add.reduceat(g, firsts, axis=-2) / n_ties).take(group, axis=-2)
            return (shares * hit * np.sign(values),)

        return Tensor(total, (weights,), pull)


class ChipSampler:
    """Weights as simulated chips would hold them, with the effects that techniques let in."""

    def __init__(self, techniques, device, layout, sizes):
        self.effects = tuple(dict.fromkeys(effect for technique in techniques for effect in technique.effects))
        conducting = [technique for technique in techniques if uses(technique, "conduct")]
        follows = any(uses(technique, "follow") for technique in techniques)
        self.is_on = bool(self.effects or conducting or follows)
        self.is_large = False
        if not self.is_on:
            return
        if device is None:
            named = next(technique for technique in techniques if technique.effects or technique in conducting
                         or uses(technique, "follow"))
            raise ValueError(f"{type(named).__name__} simulates a device: say which, for example train(..., device=TIO2)")
        if conducting and not layout.mapping.is_physical:
            raise ValueError(f"wires join conductances: {type(conducting[0]).__name__} needs a physical mapping; got "
                             f"{layout.mapping!r}")
        self.device, self._conducting = device.only(*self.effects), conducting
        self._on_devices = WeightsOnDevices(self.device, layout, sizes)
        if follows and not layout.mapping.is_physical:
            raise ValueError(f"signals flow through conductances, which {layout.mapping!r} does not give; train for "
                             "DifferentialPairs")
        self._are_plain_pairs = type(layout.mapping) is DifferentialPairs and not conducting and not follows
        self.is_large = sum(rows * columns for rows, columns in layout.layer_shapes) > LARGE
        self._ageing = ageing_among(techniques, self.device)
        if self._ageing is not None and not layout.mapping.is_physical:
            raise ValueError(f"time passes for conductances, which {layout.mapping!r} does not give; train for "
                             "DifferentialPairs")

    @cached_property
    def _large_draws(self):
        later = self._on_devices.layout.n_later_writes
        return LargeDraws(self.device, np.concatenate([layer.ravel() for layer in later])[:, None])

    @cached_property
    def _wiring(self):
        layout = self._on_devices.layout
        return wiring_of(layout, layout.n_later_writes)

    def draw(self, n_chips, rngs):
        """Writes of shape (n_networks, n_chips, n_devices, 1), ``n_chips`` from each generator; of single precision for
        large networks, whose chips are drawn one after the other."""
        writes = self._draw_writes(n_chips, rngs)
        return writes if self._ageing is None else draw_ages(writes, self._ageing, self.device.retention, rngs)

    def _draw_writes(self, n_chips, rngs):
        view = self._on_devices
        if not self.is_large:
            return view.draw(self.device, view.layout.n_later_writes, n_chips, rngs)
        drawn = []
        for rng in rngs:
            drawn.append(self._large_draws.draw([rng] * n_chips))
            if self.device.lines is not None:
                fail_lines(self.device.lines, view.layout, view.layers_of_writes(drawn[-1]), rng)
        return with_states(self.device, stack_writes(drawn) if len(drawn) > 1 else drawn[0][None], rngs)

    def shorten(self, writes):
        """The same writes in single precision, 1e-7 of the largest weight, where `sample` needs no more."""
        if not self._are_plain_pairs or self.is_large:
            return writes
        if isinstance(writes, AgedWrites):
            return shortened(writes, self.shorten(writes.writes))
        return replace(writes, **{part: getattr(writes, part).astype(np.float32) for part in _PARTS_OF_WRITES[:3]})

    def sample(self, weights, writes, course, *, through_scale=False):
        """(n_networks, n_chips, n_weights, 1) Tensor: what each chip computes with. ``through_scale`` lets gradients flow
        through the mapping's scale too: then a smaller largest weight, which makes every error weigh less, is worth
        something."""
        view = self._on_devices
        scale = view.scale_of(weights if through_scale else weights.value)
        writes = self._settled(weights, scale, writes)
        if self._are_plain_pairs and self.is_large:
            return sample_large_pairs(weights, scale, writes, (view.places, view.others), g_min=self.device.g_min)
        if self._are_plain_pairs:
            return view.sample_pairs(weights, scale, writes)
        if self._conducting:  # a technique may draw: it must not be asked twice
            return view.sample_generally(weights, scale, writes, lambda programmed: self._conduct(programmed, course))
        at_once = max(1, _VALUES_AT_ONCE // (len(weights.value) * writes.stuck.shape[-2]))
        if writes.stuck.shape[1] <= at_once:
            return view.sample_generally(weights, scale, writes)
        return _sample_in_pieces(view.sample_generally, weights, scale, writes, at_once)

    def _settled(self, weights, scale, writes):
        """`Writes` of these weights' targets: what depends on the targets of others, and on the time since, included."""
        view, aged = self._on_devices, writes if isinstance(writes, AgedWrites) else None
        writes = writes if aged is None else aged.writes
        if isinstance(writes, StateWrites):
            writes = at_targets(self.device.disturb, self._wiring, view.targets(weights.value, scale), writes)
        if aged is None:
            return writes
        targets = view.conductances(weights.value, getattr(scale, "value", scale)).reshape(len(weights.value), 1, -1, 1)
        return age_writes(replace(aged, writes=writes), targets, self.device.retention)

    def flow(self, weights, writes, course, *, through_scale=False):
        """(n_networks, n_chips, n_devices) Tensor of what the arrays of each chip conduct [S]; the targets (n_networks,
        n_devices) [S]; and the scale of each weight on devices [S]."""
        view = self._on_devices
        scale = view.scale_of(weights if through_scale else weights.value)
        targets = view.conductances(Tensor(weights.value), getattr(scale, "value", scale)).value
        conducted = self._conduct(view.program(weights, scale, self._settled(weights, scale, writes)), course)
        return conducted.reshape(*conducted.shape[:-1]), targets.reshape(len(targets), -1), scale

    def _conduct(self, programmed, course):
        """What flows for programmed conductances."""
        for technique in self._conducting:
            conducted = technique.conduct(programmed.reshape(*programmed.shape[:-1]), course)
            require_tensor(technique, "conduct", conducted, programmed.shape[:-1])
            programmed = conducted.reshape(*conducted.shape, 1)
        return programmed


def with_states(device, writes, rngs):
    """`StateWrites` of writes (n_networks, n_chips, n_devices, 1), where the device is disturbed by state, with draws from
    each network's generator."""
    if not isinstance(device.disturb, StateDisturb):
        return writes
    draws = [draw_states(*writes.stuck.shape[1:3], rng) for rng in rngs]
    return StateWrites.of(writes, StateDraws(*(np.stack([getattr(one, place.name) for one in draws])
                                               for place in fields(StateDraws))))


def _sample_in_pieces(sample, weights, scale, writes, at_once):
    """What ``sample`` gives, ``at_once`` chips at a time: nothing is kept, on the way back they are sampled again."""
    pieces = [np.s_[:, first : first + at_once] for first in range(0, writes.stuck.shape[1], at_once)]
    through = isinstance(scale, Tensor)
    held = scale.value if through else scale
    value = np.concatenate([sample(Tensor(weights.value), held, writes[piece]).value for piece in pieces], axis=1)

    def pull(g):
        found = [np.zeros(weights.shape), np.zeros(held.shape)][: 1 + through]
        for piece in pieces:
            ends = Tensor(weights.value), Tensor(held)
            (sample(ends[0], ends[1] if through else held, writes[piece]) * g[piece]).sum().backward()
            for gradient, end in zip(found, ends):
                gradient += end.grad
        return tuple(found)

    return Tensor(value, (weights, scale) if through else (weights,), pull)


def _tall(layer):
    """A layer's values one below the other."""
    return layer.reshape(*layer.shape[:-2], -1, 1)
