"""Ways to train for the hardware: the base class `Technique`, and those of the paper. Each is usable alone or with others.

`train` knows one device and a list of techniques. A technique names the device's effects that it lets into training;
what is drawn of them goes through the very functions that map weights and program simulated chips.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from tiocross.checks import as_number
from tiocross.devices.device import Device
from tiocross.learning.network import MLP
from tiocross.learning.tensor import Tensor
from tiocross.mapping.layout import Layout


class Course(NamedTuple):
    """What a technique may know of the training that it takes part in."""

    shapes: list  # (n_inputs + 1, n_outputs) of each layer
    n_chips: int  # simulated chips, or disturbed copies, of each network in a step
    rngs: list  # a generator for each network
    device: Device | None
    layout: Layout | None


class Flow(NamedTuple):
    """What a technique follows signals through: the arrays as they conduct, and what is driven into them."""

    conductances: Tensor  # (n_networks, n_chips, n_devices) [S], layer by layer and word line by word line
    targets: np.ndarray  # (n_networks, n_devices), the same as they were to be programmed [S]
    scale: Tensor | np.ndarray  # (n_networks, 1, n_weights on devices, 1), difference of conductance per unit weight [S]
    weights: Tensor  # (n_networks, 1, n_weights, 1), those on no device among them (unitless)
    inputs: np.ndarray  # (n_networks, n_points, n_inputs), encoded (unitless)
    steps: list  # of the layers of each network


class Technique:
    """Base of all techniques; every hook does nothing until a subclass says otherwise.

    Training runs n_networks networks at once. ``weights`` hold all layers of a network one below the other, bias last in
    each: ``(n_networks, 1 or n_chips, n_weights, 1)``, unitless. ``course`` is the `Course`: layer shapes, chips a step,
    generators, device, layout. A hook that returns tensors must be differentiable; `check_pullback` tests a gradient.
    """

    effects: ClassVar[tuple[str, ...]] = ()  # of the device, let into training: names of `EFFECTS`
    source: ClassVar[str] = ""  # where the method comes from

    def perturb(self, weights: Tensor, course: Course) -> Tensor:
        """``(n_networks, n_chips, n_weights, 1)`` Tensor: what each chip computes with, after the device's effects."""
        return weights

    def conduct(self, programmed: Tensor, course: Course) -> Tensor:
        """What flows for the ``(n_networks, n_chips, n_devices)`` Tensor of conductances [S]: of the same shape [S]."""
        return programmed

    def follow(self, flow: Flow, course: Course) -> Tensor | None:
        """``(n_networks, n_chips, n_points, n_outputs)`` Tensor of logits, from signals followed line by line through what
        flows; None where weights say it all. One technique alone may follow them."""
        return None

    def require_company(self, techniques: list) -> None:
        """Raise ValueError where another of the techniques of a training contradicts this one."""

    def penalty(self, arrays: list[Tensor]) -> Tensor | None:
        """Tensor to add to the loss, or None, from Tensors ``(n_networks, 1, n_inputs + 1, n_outputs)``, one a layer."""
        return None

    def ascend(self, weights: np.ndarray, gradient: np.ndarray, course: Course) -> np.ndarray | None:
        """Weights, an ndarray as ``gradient``, at which the step's gradient is taken; None for where they are."""
        return None

    def finish(self, network: MLP) -> MLP:
        """The network to put on a chip, from the trained `MLP`."""
        return network


def uses(technique, hook):
    """Whether a technique has a hook of its own."""
    return getattr(type(technique), hook) is not getattr(Technique, hook)


def require_tensor(technique, hook, found, shape):
    """Raise ValueError unless a technique's hook gave a Tensor of this shape, None for any length."""
    if isinstance(found, Tensor) and len(found.shape) == len(shape):
        if all(due in (None, length) for due, length in zip(shape, found.shape)):
            return
    raise ValueError(f"{type(technique).__name__}.{hook} must give a Tensor of shape {shape}; got {type(found).__name__} "
                     f"{np.shape(getattr(found, 'value', found))}")


def require_techniques(techniques):
    """Raise TypeError unless all are techniques."""
    if not isinstance(techniques, list | tuple):
        raise TypeError(f"techniques must be a list, such as [NoiseInjection()]; got {techniques!r}")
    for technique in techniques:
        if not isinstance(technique, Technique):
            raise TypeError(f"techniques must be objects such as NoiseInjection() or RangePenalty(1e-4); got {technique!r}")
    following = [technique for technique in techniques if uses(technique, "follow")]
    weighing = [technique for technique in techniques if uses(technique, "perturb")]
    if len(following) + bool(following and weighing) > 1:
        others = " and ".join(type(technique).__name__ for technique in (*following, *weighing))
        raise ValueError("where signals are followed line by line there are no weights left to disturb; give one of "
                         f"{others}")
    for technique in techniques:
        technique.require_company(techniques)


@dataclass(frozen=True)
class NoiseInjection(Technique):
    """Train with tuning error and write disturb: w -> w + error(w), with fresh draws at every step.

    The reparametrisation trick: errors are a differentiable function of the weight and of draws that do not depend on
    it, so gradients flow to the weights through the same function that programs chips. The mapping's scale, set by the
    largest weight of a layer, is a constant in the gradient (straight-through), unless
    ``TrainingSettings.scale_gradient_from`` says otherwise.

    References
    ----------
    Drolet et al., arXiv:2305.18495; Kingma and Welling, arXiv:1312.6114 (reparametrisation).
    """

    effects: ClassVar[tuple[str, ...]] = ("tuning", "disturb")
    source: ClassVar[str] = "Drolet et al., arXiv:2305.18495"


@dataclass(frozen=True)
class ConductanceDropout(Technique):
    """Train with stuck devices: a weight hit by a sampled stuck device, or failed line, takes that conductance for the step.

    Such a weight is not updated through that chip: no gradient flows to it, neither through the stuck device nor
    through its partner.

    References
    ----------
    Drolet et al., arXiv:2305.18495.
    """

    effects: ClassVar[tuple[str, ...]] = ("stuck", "lines")
    source: ClassVar[str] = "Drolet et al., arXiv:2305.18495"


@dataclass(frozen=True)
class RangePenalty(Technique):
    """Add strength * sum over layers of (largest |weight|)^2 to the loss.

    The largest magnitude of a layer lands on the end of the conductance window, so an error of one device, in
    siemens, weighs less when the range of the weights is small.

    Parameters
    ----------
    strength : float
        Factor of the penalty (unitless).

    References
    ----------
    Drolet et al., arXiv:2305.18495.
    """

    strength: float
    source: ClassVar[str] = "Drolet et al., arXiv:2305.18495"

    def __post_init__(self):
        as_number("strength", self.strength, low=0.0)

    def penalty(self, arrays: list[Tensor]) -> Tensor:
        """strength * sum over layers of (largest |weight|)^2, a Tensor."""
        return sum((abs(array).max(axis=(-2, -1)) ** 2).sum() for array in arrays) * self.strength


def split_layers(weights, shapes):
    """Arrays ``(..., rows, columns)`` of the layers that stand one below the other in ``weights``, views of an ndarray."""
    arrays, start = [], 0
    for rows, columns in shapes:
        part = weights[..., start : start + rows * columns, :]
        arrays.append(part.reshape(*part.shape[:-2], rows, columns))
        start += rows * columns
    return arrays


def join(tensors, axis=-2):
    """Tensors one behind the other along an axis; a single one is itself. Leading axes broadcast."""
    if len(tensors) == 1:
        return tensors[0]
    leading = np.broadcast_shapes(*(tensor.shape[:-2] for tensor in tensors))
    values = [np.broadcast_to(tensor.value, (*leading, *tensor.shape[-2:])) for tensor in tensors]
    ends = np.cumsum([value.shape[axis] for value in values])[:-1]
    return Tensor(np.concatenate(values, axis=axis), tuple(tensors), lambda g: tuple(np.split(g, ends, axis=axis)))
