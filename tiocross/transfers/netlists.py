"""One crossbar, or a network on its chip, as a netlist for SPICE programs."""

from dataclasses import replace
from os import PathLike

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import as_conductances, as_finite, as_number, as_reals, kind_of
from tiocross.circuit.biasing import Biasing
from tiocross.circuit.crossbar import LARGEST_RESISTANCE, Crossbar
from tiocross.circuit.netlists.dialects import as_dialect
from tiocross.circuit.netlists.elements import require_expressions
from tiocross.circuit.netlists.writing import circuit_lines, write_lines
from tiocross.devices.device import Device
from tiocross.devices.tio2 import TIO2
from tiocross.lab.plans import Plan
from tiocross.learning.network import MLP, Network
from tiocross.mapping.layout import Layout
from tiocross.mapping.targets import Targets, map_weights
from tiocross.periphery.electronics import Periphery, require_periphery
from tiocross.transfers.curved import between_ends
from tiocross.transfers.netlist_signals import Electronics
from tiocross.transfers.network_netlist import Wired, network_deck
from tiocross.transfers.on_table import goes_through, lines_of, seed_of
from tiocross.transfers.prediction import predict_logits
from tiocross.transfers.scales import scales_for
from tiocross.transfers.signals import require_subtraction


def write_netlist(circuit: Crossbar | Plan | list, inputs: ArrayLike | Biasing, path: str | PathLike, *,
                  network: MLP | None = None, layout: Layout | Targets | Plan | None = None, device: Device = TIO2,
                  wire_resistance: float = 0.0, periphery: Periphery | None = None,
                  rng: np.random.Generator | None = None, dialect: str = "ngspice") -> None:
    """Write one array, or a whole network on its chip, as a netlist: every wire segment, every device, every source.

    Parameters
    ----------
    circuit : Crossbar, Plan or list
        One array. Or a network's chip: a plan whose targets are met; or a list with what is on each of the layout's arrays,
        a Crossbar or (n_word_lines, n_bit_lines) conductances as read back, NaN where a device is not in use [S].
    inputs : array_like or Biasing
        For an array as for `solve`, (..., n_word_lines) voltages or a Biasing; leading axes are many inputs in one file [V].
        For a network (n_points, n_features) points (unitless).
    path : str or Path
        The file to write. It appears whole or not at all.
    network : MLP, optional
        The network on the chip; required for a plan and for a list.
    layout : Layout, Targets or Plan, optional
        Which array of a list carries what, and by which mapping; as for `map_weights` without it. For what was read back,
        the plan that was programmed.
    device : Device, optional
        Whose window the network was mapped on, where the layout does not say.
    wire_resistance : float, optional
        Of one wire segment of a plan's arrays, and of those given as conductances [ohm].
    periphery : Periphery, optional
        What stands between a network's arrays; ideal without it.
    rng : numpy.random.Generator, optional
        Makes the gains and offsets of a chip's lines, where those of the periphery differ: with the same generator those
        of `predict_logits`.
    dialect : str, optional
        "ngspice", "xyce" or "ltspice". Only ngspice was run; for LTspice its help was followed, Xyce is unchecked.

    Raises
    ------
    ValueError, TypeError
        If the devices' law has no expression in SPICE, an end floats for some inputs only, the network has layers that are
        not dense, readings are noisy, or as for `solve` or `predict_logits`; nothing is written.

    Notes
    -----
    ``ngspice -b -r found.raw circuit.cir`` writes node voltages and currents of the sources to ``found.raw``, in double
    precision. ``i(vbottom0)`` is the current out of bit line 0, as in ``bit_line_currents``, ``i(vleft0)`` out of the left
    end of word line 0. Devices beyond Ohm's law are B sources. Many inputs are one DC sweep of the source ``vindex`` over
    their numbers. The tolerances asked for are those of double precision.

    A network is written as `predict_logits` computes it: drivers, amplifiers, subtraction, activations as formulas or as
    measured; converters round to their levels. Noise that is new at every reading has no place in a netlist. ``v(logit0)``
    is the first answer, 1 V for 1. An array that carries several blocks stands there once for each.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from tiocross import Crossbar, write_netlist
    >>> crossbar = Crossbar([[1e-4, 0.0], [3e-4, 4e-4]], wire_resistance=2.0, sense_resistance=10.0)
    >>> path = pathlib.Path(tempfile.mkdtemp(), "circuit.cir")
    >>> write_netlist(crossbar, [0.2, 0.1], path)
    >>> print(path.read_text())  # doctest: +ELLIPSIS
    * tiocross, ngspice: 2 x 2 devices; currents out of the bottom ends are i(vbottom0) to i(vbottom1)
    Rleft0 left0 w0_0 2.0
    Rw0_0 w0_0 w0_1 2.0
    Rd0_0 w0_0 b0_0 10000.0
    ...
    Rbottom1 b1_1 in_bottom1 2.0
    Rsense_bottom1 in_bottom1 bottom1 10.0
    Vleft0 left0 0 0.2
    ...
    .options reltol=1e-12 vntol=1e-15 abstol=1e-18 itl1=1000 itl2=1000
    .op
    .end
    <BLANKLINE>
    """
    write_lines(path, netlist_lines(circuit, inputs, network=network, layout=layout, device=device, dialect=dialect,
                                    wire_resistance=wire_resistance, electronics=(periphery, rng)))


def netlist_lines(circuit, inputs, *, network=None, layout=None, device=TIO2, wire_resistance=0.0, electronics=(None, None),
                  dialect="ngspice"):
    """Pieces of a netlist, all that can be wrong being looked at before; arguments as of `write_netlist`, ``electronics``
    periphery and generator."""
    how = as_dialect(dialect)
    resistance = as_number("wire_resistance", wire_resistance, low=0.0, high=LARGEST_RESISTANCE, unit="ohm")
    if isinstance(circuit, Crossbar):
        _require_array_alone(network, layout, resistance, electronics[0])
        return circuit_lines(circuit, inputs, how)
    wired, device = _wired(circuit, inputs, network, (device, layout), resistance, how)
    return network_deck(_with_electronics(wired, inputs, device, *electronics))


def _require_array_alone(network, layout, resistance, periphery):
    """Raise ValueError if one array is given with what belongs to a network."""
    given = {"network": network is not None, "layout": layout is not None, "wire_resistance": resistance > 0.0,
             "periphery": periphery is not None}
    if named := [name for name, is_given in given.items() if is_given]:
        cure = ("a Crossbar has its own wires" if named == ["wire_resistance"] else "give a list of crossbars, one for each "
                "array, to write the network")
        raise ValueError(f"{' and '.join(named)} cannot go with one Crossbar: leave {'it' if len(named) == 1 else 'them'} "
                         f"out; {cure}")


def _wired(circuit, points, network, mapped, resistance, dialect):
    """The `Wired` network of a plan or a list, and its device."""
    if not isinstance(circuit, (Plan, list, tuple)):
        raise TypeError("the circuit must be a Crossbar, a Plan, or a list with a Crossbar or conductances for each array "
                        f"of a network; got {kind_of(circuit)}")
    if not isinstance(network, Network):
        raise TypeError("network must be given with a plan or a list: the MLP, or another Network, that is on the chip; got "
                        f"{kind_of(network)}")
    _require_dense(network)
    device, layout = mapped
    device = next((each.device for each in (circuit, layout) if isinstance(each, Plan)), device)
    if isinstance(circuit, Plan):
        if layout is not None:
            raise ValueError("a plan has its own layout: leave layout out")
        circuit, layout = circuit.expected, circuit
    targets = _targets(network, device, layout)
    crossbars = _as_crossbars(circuit, targets.layout, resistance)
    points = as_finite("points", points, ndim=2)
    if not len(points):
        raise ValueError("a netlist needs one point or more; got none")
    predict_logits(network, crossbars, points[:1], layout=targets)  # its checks
    return Wired(network, targets, crossbars, network.encode(points), dialect), device


def _with_electronics(wired, points, device, periphery, rng):
    """The same with what stands between the arrays, and the law of the devices."""
    require_periphery(periphery)
    if not goes_through(periphery, device):
        return wired
    periphery = Periphery() if periphery is None else periphery
    if device.read_noise is not None or periphery.sensing.noise > 0.0:
        raise ValueError("noise is new at every reading, and a netlist holds one state of a chip: give "
                         + ("device.without('read_noise')" if device.read_noise is not None else
                            "a periphery whose sensing has noise=0"))
    require_subtraction(periphery, wired.targets.layout)
    lines = lines_of(wired.network, wired.targets, points, periphery, seed_of(device, periphery, rng))
    scales = scales_for(wired.network, wired.targets, wired.encoded, periphery)
    crossbars = [between_ends(crossbar, device.nonlinearity, periphery.resistances) for crossbar in wired.crossbars]
    return replace(wired, crossbars=crossbars, electronics=Electronics(periphery, scales, lines))


def _require_dense(network):
    for k, step in enumerate(network.steps):
        if step.seen is not None or step.pooled is not None:
            raise ValueError(f"layer {k} of the network is used at many positions, or averages; a netlist holds dense "
                             "layers alone. Write its arrays one at a time: write_netlist(crossbar, voltages, path)")


def _targets(network, device, layout):
    if isinstance(layout, Plan):
        return layout.targets_of(network)
    if isinstance(layout, Targets):
        layout.require_network(network)
        return layout
    return map_weights(network, device, layout=layout)


def _as_crossbars(given, layout, resistance):
    """A crossbar for each array of the layout, from crossbars or conductances as read back."""
    if len(given) != len(layout.arrays):
        raise ValueError(f"the network is on {len(layout.arrays)} arrays, of shapes {layout.shapes}; got {len(given)}")
    crossbars = [each if isinstance(each, Crossbar) else _read_back(each, array, used, resistance)
                 for each, array, used in zip(given, layout.arrays, layout.used)]
    for array, crossbar, used in zip(layout.arrays, crossbars, layout.used):
        if crossbar.conductances.shape != used.shape:
            turned = "; transposed?" if crossbar.conductances.shape == used.shape[::-1] != used.shape else ""
            raise ValueError(f"array {array} must have shape {used.shape}, word lines and bit lines of one chip; got "
                             f"{crossbar.conductances.shape}{turned}")
        require_expressions(crossbar)
    if resistance > 0.0 and all(isinstance(each, Crossbar) for each in given):
        raise ValueError("wire_resistance cannot go with crossbars, which have their own wires: leave it out")
    return crossbars


def _read_back(values, array, used, resistance):
    values = as_reals(f"the read-back of array {array}", values)
    if values.shape == used.shape:
        if (missing := np.isnan(values) & used).any():
            row, column = np.argwhere(missing)[0].tolist()
            raise ValueError(f"the read-back of array {array} has no reading (nan) of row {row}, column {column}, a device "
                             f"that the network uses ({int(missing.sum())} such). Read it again, or put there what it "
                             "conducts: 0 if it is open")
        values = np.where(np.isnan(values), 0.0, values)
    return Crossbar(as_conductances(f"the read-back of array {array}", values), resistance)
