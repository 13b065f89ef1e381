"""What the chip on the table will answer: a network computed with the crossbars that were measured.

Electronics is taken as ideal unless a `Periphery` is given, as in `transfer`: inputs are driven as voltages, the currents of
each pair of bit lines are subtracted, and what arrays of one layer measure is added digitally, scaled and driven into the
next layer.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from tiocross.circuit.crossbar import require_crossbar
from tiocross.circuit.matrices import transfer_matrix
from tiocross.circuit.solver import solve
from tiocross.devices.device import Device
from tiocross.devices.tio2 import TIO2
from tiocross.checks import as_finite, kind_of, require_shape
from tiocross.intervals import weighted_median
from tiocross.lab.report import InstrumentError
from tiocross.lab.safety import named, run_safely
from tiocross.periphery.electronics import Periphery, require_periphery
from tiocross.transfers.on_table import goes_through, measure_through, predict_through
from tiocross.transfers.driving import drive_layers
from tiocross.learning.network import MLP, Network, classify
from tiocross.learning.steps import run_steps
from tiocross.mapping.targets import Targets, map_weights
from tiocross.mapping.layout import Layout

_GAINS = (0.5, 2.0)  # pair differences over mapped weights outside it: another network or window, not a worn chip


def infer(network: MLP, crossbars: list, points: ArrayLike, *, device: Device = TIO2,
          layout: Layout | Targets | None = None, periphery: Periphery | None = None,
          rng: np.random.Generator | None = None) -> np.ndarray:
    """Class that the measured chip gives to each point.

    Parameters
    ----------
    network : MLP
        The network on the chip: its layers, input encoding and scale.
    crossbars : list of Crossbar
        As for `predict_logits`.
    points : (n_points, n_features) array_like
        Features (unitless).
    device : Device, optional
        Whose window the network was mapped on; the published TiO2 card without it.
    layout : Layout or Targets, optional
        Which array carries what, and by which mapping; as for `map_weights` without it. Where the targets were compensated,
        or planned, give them, such as ``plan.targets_of(network)``: their scales hold the gains.
    periphery : Periphery, optional
        What drives and senses the arrays; ideal without it.
    rng : numpy.random.Generator, optional
        Source of chance, needed where lines of the periphery differ or readings are noisy.

    Returns
    -------
    (..., n_points) int ndarray
        Classes, with the leading axes of the crossbars (unitless).

    Raises
    ------
    ValueError
        As `predict_logits`.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import MLP, TIO2, Crossbar, infer, map_weights
    >>> network = MLP(2, 8, 1, rng=np.random.default_rng(7))
    >>> points = np.array([[0.1, 0.9], [0.8, 0.2]])
    >>> crossbars = [Crossbar(conductances, wire_resistance=1.0) for conductances in map_weights(network, TIO2)]
    >>> bool((infer(network, crossbars, points) == network.predict(points)).all())
    True
    """
    return classify(predict_logits(network, crossbars, points, device=device, layout=layout, periphery=periphery, rng=rng))


def predict_logits(network: MLP, crossbars: list, points: ArrayLike, *, device: Device = TIO2,
                   layout: Layout | Targets | None = None, periphery: Periphery | None = None,
                   rng: np.random.Generator | None = None) -> np.ndarray:
    """Outputs that the measured chip computes for each point.

    Parameters
    ----------
    network : MLP
        The network on the chip: its layers, input encoding and scale.
    crossbars : list of Crossbar
        One for each of the layout's ``arrays``. Where each layer has one array of its own, word lines are its inputs and,
        last, the bias; bit lines 2 j and 2 j + 1 the pair of output j. Leading axes, the same for all, are chips.
    points : (n_points, n_features) array_like
        Features (unitless).
    device : Device, optional
        Whose window the network was mapped on; the published TiO2 card without it.
    layout : Layout or Targets, optional
        Which array carries what, and by which mapping; as for `map_weights` without it. Where the targets were compensated,
        or planned, give them, such as ``plan.targets_of(network)``: their scales hold the gains.
    periphery : Periphery, optional
        What drives and senses the arrays; ideal without it.
    rng : numpy.random.Generator, optional
        Source of chance, needed where lines of the periphery differ or readings are noisy.

    Returns
    -------
    (..., n_points, n_outputs) ndarray
        Logits, with the leading axes of the crossbars (unitless).

    Raises
    ------
    ValueError
        If the crossbars do not have the shapes of the network, or their pair differences do not look like its weights.

    Warns
    -----
    RuntimeWarning
        If a converter or an amplifier cuts off more than one signal of a hundred, with the number.

    Notes
    -----
    With a periphery, or a device with read noise or a nonlinearity, signals are followed as in `transfer`: the read voltage
    and the automatic ranges are those of the network in software at these points, and the crossbars' own wires, sources and
    sensing are there besides. A law of the crossbars stands in place of the device's.

    Otherwise, with ohmic devices the transfer matrices are the layers. Where a device obeys another law every
    point is solved, with the largest magnitude among the inputs of a layer, bias included, at 0.2 V: an answer then
    depends a little on the points that share the scale with it.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import MLP, TIO2, Crossbar, map_weights, predict_logits
    >>> network = MLP(2, 8, 1, rng=np.random.default_rng(7))
    >>> crossbars = [Crossbar(conductances) for conductances in map_weights(network, TIO2)]
    >>> bool(np.allclose(predict_logits(network, crossbars, [[0.1, 0.9]]), network.logits([[0.1, 0.9]])))
    True
    """
    _require_list("crossbars", crossbars)
    for crossbar in crossbars:
        require_crossbar(crossbar)
    shapes = [crossbar.conductances.shape for crossbar in crossbars]
    targets = _target(network, [shape[-2:] for shape in shapes], device, layout)
    require_periphery(periphery)
    if len({shape[:-2] for shape in shapes}) > 1:
        raise ValueError(f"crossbars must have the same leading axes, one entry for each chip; got shapes {shapes}")
    encoded = network.encode(points)
    _require_likeness(targets, targets.layout.collect([crossbar.conductances for crossbar in crossbars]), network)
    if goes_through(periphery, device):
        return _predict_through(network, crossbars, points, targets, device, periphery, rng)
    if any(crossbar.iv is not None for crossbar in crossbars):
        if len(shapes[0]) > 2:
            raise ValueError(f"crossbars with a current-voltage law are answered for one chip at a time; got "
                             f"{shapes[0][:-2]} chips. Call once for each")
        multiply = [lambda volts, crossbar=crossbar: solve(crossbar, volts).bit_line_currents for crossbar in crossbars]
        return drive_layers(network, multiply, targets, encoded)[0]
    matrices = targets.layout.collect([transfer_matrix(crossbar) for crossbar in crossbars])
    return run_steps(network.steps, targets.weights(matrices), encoded)


def measure_logits(network: MLP, instruments: list, points: ArrayLike, *, device: Device = TIO2,
                   layout: Layout | Targets | None = None, periphery: Periphery | None = None) -> np.ndarray:
    """Outputs that the chips on the table give for each point, layer by layer.

    Parameters
    ----------
    network : MLP
        The network on the chips: its layers, input encoding and scale.
    instruments : list
        As the crossbars of `predict_logits`; each has ``shape`` and ``multiply(voltages)``, which drives all rows with
        (n_points, n_rows) voltages [V] and gives the (n_points, n_columns) currents of the columns [A].
    points : (n_points, n_features) array_like
        Features (unitless).
    device : Device, optional
        Whose window the network was mapped on; the published TiO2 card without it.
    layout : Layout or Targets, optional
        Which array carries what, and by which mapping; as for `map_weights` without it. Where the targets were compensated,
        or planned, give them, such as ``plan.targets_of(network)``: their scales hold the gains.
    periphery : Periphery, optional
        Converters before and behind the arrays and the activation; drivers and sensing are those of the chip itself.

    Returns
    -------
    (n_points, n_outputs) ndarray
        Logits (unitless).

    Raises
    ------
    ValueError, TypeError
        If an instrument cannot multiply or has another shape than the network's arrays; nothing is driven.
    InstrumentError
        If an instrument raises, does not give a finite current for each point and column, or cannot be made safe.

    Notes
    -----
    At every end ``make_safe()`` is called for every instrument that has it, as by `program_array`; the others are closed
    after a failure.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import MLP, TIO2, map_weights, measure_logits
    >>> class Ideal:
    ...     def __init__(self, conductances):
    ...         self.conductances, self.shape = conductances, conductances.shape
    ...     def multiply(self, voltages):
    ...         return voltages @ self.conductances
    >>> network = MLP(2, 8, 1, rng=np.random.default_rng(7))
    >>> instruments = [Ideal(conductances) for conductances in map_weights(network, TIO2)]
    >>> bool(np.allclose(measure_logits(network, instruments, [[0.1, 0.9]]), network.logits([[0.1, 0.9]])))
    True
    """
    _require_list("instruments", instruments)
    for instrument in instruments:
        if not callable(getattr(instrument, "multiply", None)):
            raise TypeError(f"instruments must have multiply(voltages); {kind_of(instrument)} lacks it")
    targets = _target(network, [tuple(instrument.shape) for instrument in instruments], device, layout)
    multiply = [_wrap(index, instrument) for index, instrument in enumerate(instruments)]
    require_periphery(periphery)
    encoded = network.encode(points)
    if periphery is not None:
        return run_safely(instruments, lambda: (measure_through(network, targets, multiply, points, periphery), False))
    return run_safely(instruments, lambda: (drive_layers(network, multiply, targets, encoded)[0], False))


def _predict_through(network, crossbars, points, targets, device, periphery, rng):
    """`predict_logits` through a periphery: leading axes of the crossbars as one, and back."""
    leading = crossbars[0].conductances.shape[:-2]
    if leading and any(crossbar.iv is not None for crossbar in crossbars):
        raise ValueError(f"crossbars with a current-voltage law are answered for one chip at a time; got {leading} chips. "
                         "Call once for each")
    flat = [replace(crossbar, conductances=crossbar.conductances.reshape(-1, *crossbar.conductances.shape[-2:]))
            for crossbar in crossbars]
    logits = predict_through(network, targets, flat, points, device, periphery, rng)
    return logits.reshape(*leading, *logits.shape[1:])


def _wrap(index, instrument):
    """``multiply`` of an instrument; what it raises, and what are no currents, becomes an InstrumentError."""
    def multiply(voltages):
        try:
            answer = as_finite("the currents", instrument.multiply(voltages))
            require_shape("the currents", answer.shape, (len(voltages), instrument.shape[1]), ", points x columns")
        except Exception as error:
            raise InstrumentError(f"instrument {index} failed when multiplying {len(voltages)} points: "
                                  f"{named(error)}") from error
        return answer

    return multiply


def _require_list(what, records):
    if not isinstance(records, (list, tuple)):
        raise TypeError(f"{what} must be a list, one for each array; got {kind_of(records)}")


def _target(network, got, device, layout):
    """Targets of the network on arrays of the shapes ``got``."""
    if not isinstance(network, Network):
        raise TypeError(f"network must be an MLP, or another Network; got {kind_of(network)}")
    if isinstance(layout, Targets):
        layout.require_network(network)
        targets = layout
    else:
        targets = map_weights(network, device, layout=layout)
    shapes = targets.layout.shapes
    if got != shapes:
        turned = any(one == other[::-1] != other for one, other in zip(got, shapes))
        raise ValueError(f"crossbars must have shapes {shapes}, word lines (inputs, then bias) by bit lines (a pair "
                         f"for each output); got {got}" + ("; transposed?" if turned else ""))
    return targets


def _require_likeness(targets, conductances, network):
    """Raise ValueError where the differences of a layer are not about its weights on this window."""
    for k, (weights, wanted, target) in enumerate(zip(targets.weights(conductances), network.arrays, targets)):
        weights, wanted = weights[..., : len(target), :], wanted[: len(target)]  # a bias in software is right by itself
        if not (used := wanted != 0).any():
            continue
        typical = np.median(weights[..., used].reshape(-1, int(used.sum())), axis=0)  # of all chips
        gain = weighted_median(typical / wanted[used], np.abs(wanted[used]))  # one short must not decide it
        if not _GAINS[0] <= gain <= _GAINS[1]:
            n_chips = weights[..., 0, 0].size
            of_chips = f", median of {n_chips} chips" if n_chips > 1 else ""
            raise ValueError(f"the crossbars do not look like layer {k} of this network: their pair differences are "
                             f"{gain:.3g} times what device= maps its weights to{of_chips}, outside "
                             f"[{_GAINS[0]:g}, {_GAINS[1]:g}]. Check that device= has the window that the chips "
                             "were mapped on, the order of the crossbars, and whether lines are reversed or readings "
                             "transposed")
