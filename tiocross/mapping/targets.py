"""What to write, where, and the way back to weights: the targets of a whole network and the layout that they stand on."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tiocross.checks import as_finite, kind_of
from tiocross.devices.device import Device, require_device
from tiocross.mapping.arrangements import arrange
from tiocross.mapping.layout import Layout
from tiocross.records import LayerShape, short_text


class Network(Protocol):
    """What mapping needs of a network, such as `MLP`: each layer's (n_inputs + 1, n_outputs) weights, bias last.

    Where ``shapes`` are given, (n_word_lines, n_outputs) of each layer, they say which layers have no bias, and so no word
    line for the last row of their weights, which is zero. Without them all have one."""

    shapes: tuple[tuple[int, int], ...]
    arrays: list[np.ndarray]


@dataclass(frozen=True, eq=False)
class LayerTargets:
    """Targets of one layer, and what is needed to read weights back.

    Parameters
    ----------
    conductances : (n_word_lines, n_bit_lines) ndarray
        Wanted conductances [S].
    scale : (n_word_lines, 1) or (n_word_lines, n_outputs) ndarray
        Difference of conductance per unit weight [S].
    digital_bias : (n_outputs,) ndarray or None
        Bias that stays in software (unitless).
    """

    conductances: np.ndarray
    scale: np.ndarray
    digital_bias: np.ndarray | None = None

    def __repr__(self):
        return short_text(self)


@dataclass(frozen=True, eq=False)
class Targets:
    """Targets of a whole network; a sequence of its layers' conductances.

    Parameters
    ----------
    layers : tuple of LayerTargets
        First layer first.
    layout : Layout
        Which device of which array carries what.
    network_arrays : tuple of (n_inputs + 1, n_outputs) ndarray
        The weights that were mapped (unitless).
    """

    layers: tuple[LayerTargets, ...]
    layout: Layout
    network_arrays: tuple[np.ndarray, ...]

    def __repr__(self):
        shapes = ", ".join(f"{array.shape[-2]} x {array.shape[-1]}" for array in self)
        return f"<Targets: layers of {shapes}, {self.n_devices} devices on arrays {self.layout.arrays}>"

    def require_network(self, network: Network) -> None:
        """Raise ValueError unless these are targets of ``network``, an MLP."""
        self.layout.require_sizes(shapes_of(network))
        if not all(np.array_equal(ours, theirs) for ours, theirs in zip(self.network_arrays, network.arrays, strict=True)):
            raise ValueError("the targets are those of another network: map this one, map_weights(network, device)")

    def __len__(self):
        return len(self.layers)

    def __getitem__(self, index):
        return tuple(self)[index]

    def __iter__(self):
        return (layer.conductances for layer in self.layers)

    @property
    def n_devices(self) -> int:
        """Number of devices, all layers together (unitless)."""
        return sum(layer.conductances.size for layer in self.layers)

    def weights(self, conductances: list) -> list[np.ndarray]:
        """Inverse map: what arrays in this state compute with.

        Parameters
        ----------
        conductances : list of (..., n_word_lines, n_bit_lines) array_like
            Conductances or transfer matrices, one array a layer [S].

        Returns
        -------
        list of (..., n_inputs + 1, n_outputs) ndarray
            One array a layer, bias last (unitless).
        """
        return [weights_of(layer, state, self.layout.mapping)
                for layer, state in zip(self.layers, conductances, strict=True)]


def weights_of(layer, conductances, mapping):
    """Weights of one layer, (..., n_inputs + 1, n_outputs), bias last."""
    return with_digital_bias(mapping.differences(conductances) / layer.scale, layer.digital_bias)


def with_digital_bias(weights, bias):
    """Weights of a layer with the bias that stays in software as their last row; the same weights where there is none."""
    if bias is None:
        return weights
    rows = np.broadcast_to(bias[..., None, :], (*weights.shape[:-2], 1, weights.shape[-1]))  # chips may have their own
    return np.concatenate([weights, rows], axis=-2)


def biases_in_software(layout, output_bias):
    """Bias of each layer that is on no device: the output's, zeros where a layer has none, None where devices carry it."""
    biases = [layout.mapping.differences(np.zeros(shape[1])) if layer in layout.without_bias else None
              for layer, shape in enumerate(layout.layer_shapes)]
    return biases if output_bias is None else [*biases[:-1], output_bias]


def map_weights(network: Network, device: Device, *, layout: Layout | None = None) -> Targets:
    """Target conductances of a network, on a layout that says where they stand.

    Parameters
    ----------
    network : MLP
        Anything whose ``arrays`` are its layers' ``(n_inputs + 1, n_outputs)`` weights, bias last.
    device : Device
        Its window holds the targets.
    layout : Layout, optional
        Which device of which array carries what, and by which mapping. Without it, differential pairs on arrays of the
        device's ``array_shape``, or on one array a layer where it states none; see `arrange`.

    Returns
    -------
    Targets
        One ``(n_word_lines, n_bit_lines)`` array a layer [S], the layout, and the way back.

    Raises
    ------
    ValueError
        If a weight is not finite, or the layout is for a network of other sizes.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import MLP, TIO2, map_weights
    >>> from tiocross.units import uS
    >>> network = MLP(1, 1, rng=np.random.default_rng(1)).with_arrays([np.array([[2.0], [-1.0]])])
    >>> (map_weights(network, TIO2)[0] / uS).round(3).tolist()
    [[500.0, 100.0], [100.0, 300.0]]
    """
    require_device(device)
    if not hasattr(network, "arrays"):
        raise TypeError(f"network must be an MLP, or have its arrays; got {kind_of(network)}")
    arrays = [as_finite(f"weights of layer {layer}", array, ndim=2) for layer, array in enumerate(network.arrays)]
    layout = layout_for(shapes_of(network), device, layout)
    return Targets(tuple(_map_layer(array, shape, device, layout.mapping)
                         for array, shape in zip(arrays, layout.layer_shapes)), layout, tuple(arrays))


def shapes_of(network):
    """Shapes of a network's layers on devices, bias included; of one that does not state them, as its weights have them."""
    shapes = getattr(network, "shapes", None)
    return [LayerShape(*np.shape(array)) for array in network.arrays] if shapes is None else tuple(shapes)


def layout_for(sizes, device, layout=None):
    """The layout to use for a network of these sizes, or shapes: the given one, checked, or the device's default."""
    if layout is None:
        return arrange(sizes, device.array_shape)
    if not isinstance(layout, Layout):
        raise TypeError(f"layout must be a Layout, such as arrange(network.shapes, (8, 8)); got {kind_of(layout)}")
    layout.require_sizes(sizes)
    return layout


def _map_layer(weights, shape, device, mapping):
    on_devices = weights[: shape[0]]
    scale = mapping.scale_of(on_devices, device)
    bias = weights[-1].copy() if len(weights) > len(on_devices) else None
    return LayerTargets(mapping.conductances(on_devices, device, scale), scale, bias)
