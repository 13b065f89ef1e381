"""What the tests of the circuit solver share: circuits of the oracle as a Crossbar and a Biasing, and what rounding does."""

import numpy as np

from tiocross import Crossbar, Cubic, Polynomial, Sinh, custom

EPS = 2.0**-52
RESISTANCES = ("word_line_resistance", "bit_line_resistance", "source_resistance", "sense_resistance")
ENDS = ("left", "right", "top", "bottom")


def build(circuit):
    """Crossbar and Biasing of the arguments of ``dense_circuit``."""
    law = circuit["iv"]
    if law is not None:
        kind, parameters = law
        parameters = parameters if isinstance(parameters, tuple) else (parameters,)
        law = {"sinh": Sinh, "cubic": Cubic, "polynomial": Polynomial}[kind](*parameters)
    crossbar = Crossbar(circuit["conductances"], **{name: circuit[name] for name in RESISTANCES}, iv=law)
    return crossbar, custom(crossbar, **{end: circuit[end] for end in ENDS})


def highest_voltage(circuit):
    return max(float(np.nanmax(np.abs(circuit[end]), initial=0.0)) for end in ENDS)


def gross_current(circuit, device_currents):
    """What rtol is relative to: the largest sum of a bit line's device currents without signs, of those sensed if any is."""
    gross, sensed = np.abs(device_currents).sum(axis=0), ~np.isnan(circuit["bottom"])
    return gross[sensed].max() if sensed.any() else gross.max()


def device_rounding(circuit, device_voltages):
    """Most that rounding adds to a current that is a sum of device currents [A].

    Node voltages are right to a few roundings of the largest end voltage, here four; devices pass that on with the slope
    of their law.
    """
    crossbar, _ = build(circuit)
    slopes = crossbar.conductances if crossbar.iv is None else crossbar.iv.slopes(crossbar.conductances, device_voltages)
    return 4 * EPS * highest_voltage(circuit) * slopes.sum()


def end_rounding(circuit, end):
    """The same for the ends [A]: a line connected at both ends splits its current by the voltage over its last segment."""
    wire, extra = RESISTANCES[::2] if end in ENDS[:2] else RESISTANCES[1::2]
    first, last = (circuit[name] for name in (ENDS[:2] if end in ENDS[:2] else ENDS[2:]))
    resistance = np.broadcast_to(circuit[wire] + np.asarray(circuit[extra]), first.shape)
    split = ~np.isnan(first) & ~np.isnan(last) & (resistance > 0)
    return np.where(split, 4 * EPS * highest_voltage(circuit) / np.where(split, resistance, 1.0), 0.0)


def resistance_to_ends(circuit):
    """Most that lies between a node of each line and the connected ends [ohm]: arrays (M,), (N,).

    One path out is an upper bound, for the others can only help (Rayleigh): along the line, or over one device after
    another. Nonlinear devices conduct better than at 0 V, or at least as well as where a polynomial is flattest.
    """
    g = np.asarray(circuit["conductances"])
    if circuit["iv"] is not None and circuit["iv"][0] == "polynomial":
        a, b = circuit["iv"][1]
        g = g * (1 - a**2 / (3 * b))
    m, n = g.shape
    along = [np.broadcast_to(circuit[wire], lines) * (segments + 1.0) + np.broadcast_to(circuit[extra], lines)
             for lines, segments, wire, extra in ((m, n, *RESISTANCES[::2]), (n, m, *RESISTANCES[1::2]))]
    out = [np.where(np.isnan(circuit[first]) & np.isnan(circuit[last]), np.inf, wires)
           for first, last, wires in (("left", "right", along[0]), ("top", "bottom", along[1]))]
    over = np.where(g > 0, 1 / np.where(g > 0, g, 1.0), np.inf)
    for _ in range(m + n):
        out[0] = np.minimum(out[0], along[0] + (over + out[1]).min(axis=1))
        out[1] = np.minimum(out[1], along[1] + (over + out[0][:, None]).min(axis=0))
    return out
