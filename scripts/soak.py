"""Random circuits against an elimination in long double: what is silently wrong, or refused though defined?

    python scripts/soak.py --minutes 10 --seed 1

Circuits are small and nasty: any boundary condition and read or write scheme, ohmic and other devices, conductances from
1e-15 to 1 S, open devices and lines, islands, voltages up to 1000 V, wires of 0 to 1000 ohm, in every fourth circuit each
segment with a resistance of its own, some of them broken. The reference eliminates the nodes one by one in long double,
without subtractions, with Newton's method around it. Exit code 1 if anything is wrong.
"""

import argparse
import sys
import time
from collections import Counter
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tiocross import (
    ConvergenceError,
    Crossbar,
    Cubic,
    Polynomial,
    Sinh,
    custom,
    read_columns,
    read_device,
    solve,
    write_device,
)

LONG = np.longdouble
RTOL = 1e-9  # of solve
BALANCED = 1e-5  # a gross current below so much of what single sources drive: they cancel, beyond double precision


class Reference(NamedTuple):
    """One circuit in long double; voltages are NaN where nothing determines them."""

    currents: np.ndarray  # out of the bottom ends (N,) [A]
    superposed: np.ndarray  # the same, added up without signs over the other ends (N,) [A]
    words: np.ndarray  # (M, N) [V]
    bits: np.ndarray  # (M, N) [V]
    device_currents: np.ndarray  # (M, N) [A]


# --- random circuits ------------------------------------------------------------------------------------------------------


def circuit_of(seed, k):
    """Circuit k of a seed: a `Crossbar` and what drives it."""
    rng = np.random.default_rng([seed, k])
    crossbar, biasing = draw_circuit(rng)
    return (draw_segments(rng, crossbar) if k % 4 == 3 else crossbar), biasing


def draw_segments(rng, crossbar):
    """The same with segments of their own on one side or both, around the resistance of their line, some broken."""
    m, n = crossbar.conductances.shape
    lines = {"word_line_resistance": (crossbar.word_line_resistance[:, None], (m, n + 1)),
             "bit_line_resistance": (crossbar.bit_line_resistance, (m + 1, n))}
    for name in rng.permutation(list(lines))[: rng.integers(1, 3)]:
        values, shape = lines[name]
        values = values * 10 ** rng.uniform(-3, 3, shape)
        zeros = rng.random(shape) < rng.choice([0.0, 0.5])
        one = rng.integers(shape[1] if name == "word_line_resistance" else shape[0])
        zeros[(..., one) if name == "word_line_resistance" else one] = False  # no line is without resistance that was not
        values[zeros] = 0.0
        values[rng.random(shape) < rng.choice([0.0, 0.1, 0.4])] = np.inf
        crossbar = replace(crossbar, wire_resistance=None, **{name: values})
    return crossbar


def draw_circuit(rng):
    """A `Crossbar` and what drives it."""
    shape = tuple(int(n) for n in rng.integers(1, 13 if rng.random() < 0.03 else 6, size=2))
    scale = 10 ** rng.uniform(-3, 3) if rng.random() < 0.5 else 0.3
    law = draw_law(rng, shape, scale)
    wires = {f"{side}_resistance": draw_resistances(rng, n) for side, n in
             (("word_line", shape[0]), ("bit_line", shape[1]), ("source", shape[0]), ("sense", shape[1]))}
    crossbar = Crossbar(draw_conductances(rng, shape), **wires, iv=law)
    return crossbar, draw_biasing(rng, crossbar, scale)


def draw_conductances(rng, shape):
    kind = rng.integers(4)
    low, high = [(1e-4, 5e-4), (1e-6, 1e-3), (1e-15, 1.0), (1e-9, 1e-2)][kind]
    conductances = 10 ** rng.uniform(np.log10(low), np.log10(high), shape)
    if rng.random() < 0.2:
        conductances[:] = rng.choice([1.0, 1e-4, 1e-8])
    if rng.random() < 0.4:
        conductances[rng.random(shape) < rng.choice([0.1, 0.5, 0.8])] = 0.0
    for axis in range(2):
        if rng.random() < 0.3:  # dead lines
            lines = rng.random(shape[axis]) < 0.4
            value = rng.choice([0.0, 0.0, 1e-12, 1e-15])
            conductances[lines if axis == 0 else (slice(None), lines)] = value
    return conductances


def draw_resistances(rng, n_lines):
    """Of segments or ends: none, one value, or one for each line, some of them zero."""
    if rng.random() < 0.35:
        return 0.0
    values = 10 ** rng.uniform(-3 if rng.random() < 0.8 else -9, 3, n_lines)
    if rng.random() < 0.5:
        return float(values[0])
    values[rng.random(n_lines) < 0.3] = 0.0
    return values


def draw_law(rng, shape, scale):
    kind = rng.integers(6)
    each = shape if rng.random() < 0.5 else ()
    if kind == 0:
        return Sinh(scale * 10 ** rng.uniform(-1.3, 0.5, each))
    if kind == 1:
        return Cubic(10 ** rng.uniform(-2, 1, each) / scale**2 * rng.choice([0.0, 1.0], p=[0.1, 0.9]))
    if kind == 2:
        b = 10 ** rng.uniform(-1, 0.7, each) / scale**2
        return Polynomial(rng.uniform(-0.95, 0.95, each) * np.sqrt(3 * b), b)
    return None


def draw_biasing(rng, crossbar, scale):
    m, n = crossbar.n_word_lines, crossbar.n_bit_lines
    kind = rng.integers(8)
    if kind == 0:
        return read_columns(crossbar, rng.uniform(-scale, scale, m))
    place = int(rng.integers(m)), int(rng.integers(n)), float(rng.uniform(-scale, scale))
    if kind <= 3:
        return read_device(crossbar, *place, unselected=str(rng.choice(["floating", "floating", "grounded", "V/2", "V/3"])))
    if kind == 4:
        return write_device(crossbar, *place, scheme=str(rng.choice(["V/2", "V/3"])))
    return draw_ends(rng, crossbar, scale)


def draw_ends(rng, crossbar, scale):
    """Any voltages at any ends, but never two at a line without resistance."""
    style, floating = rng.integers(4), rng.choice([0.2, 0.5, 0.8])
    ends = {}
    for name in ("left", "right", "top", "bottom"):
        n = crossbar.n_word_lines if name in ("left", "right") else crossbar.n_bit_lines
        volts = [rng.uniform(-scale, scale, n), scale * rng.integers(-1, 2, n), scale * (1 + rng.uniform(-1e-9, 1e-9, n)),
                 np.full(n, scale)][style]
        ends[name] = np.where(rng.random(n) < floating, np.nan, volts)
    for first, second, line in (("left", "right", crossbar.word_line_resistance + crossbar.source_resistance),
                                ("bottom", "top", crossbar.bit_line_resistance + crossbar.sense_resistance)):
        ends[second][(line == 0) & ~np.isnan(ends[first])] = np.nan
    return custom(crossbar, **ends)


# --- the reference --------------------------------------------------------------------------------------------------------


class _Net:
    """Nodes and branches of a circuit: free nodes first, then the connected ends."""

    def __init__(self, crossbar, biasing):
        m, n = crossbar.conductances.shape
        self.branches, self.volts = [], []
        self.words, self.bits = np.zeros((m, n), int), np.zeros((m, n), int)
        self.n_free, self.bottoms = 0, np.full(n, -1)
        words, bits = crossbar.word_line_resistance, crossbar.bit_line_resistance
        words = np.broadcast_to(words if words.ndim == 2 else words[:, None], (m, n + 1))
        bits = np.broadcast_to(bits, (m + 1, n))[::-1]  # from the bottom
        for i in range(m):
            self._add_line(self.words[i], words[i], crossbar.source_resistance[i], biasing.left[i], biasing.right[i])
        for j in range(n):
            ends = self._add_line(self.bits[::-1, j], bits[:, j], crossbar.sense_resistance[j], biasing.bottom[j],
                                  biasing.top[j])
            self.bottoms[j] = ends[0]
        self._number_ends()

    def _add_line(self, nodes, segments, beyond, root, far):
        """Nodes and segments from the root on; returns the numbers of its ends, -1 where they float. Ends are negative at
        first."""
        nodes[:] = self.n_free + np.concatenate([[0], np.cumsum(segments[1:-1] > 0)])
        self.n_free = int(nodes.max()) + 1
        ends, links = [], []
        for volts, at in ((root, 0), (far, -1)):
            ends.append(-1)
            if not np.isnan(volts):
                self.volts.append(volts)
                ends[-1] = len(self.volts) - 1
                if segments[at] + beyond > 0:
                    links.append((at, -1 - ends[-1], 1 / (LONG(segments[at]) + LONG(beyond))))
                else:
                    nodes[nodes == nodes[at]] = -1 - ends[-1]
        self.branches += [(nodes[at], end, siemens) for at, end, siemens in links]
        self.branches += [(p, q, 1 / LONG(r)) for p, q, r in zip(nodes[:-1], nodes[1:], segments[1:-1]) if r > 0]
        return ends

    def _number_ends(self):
        def number(nodes):
            return np.where(nodes < 0, self.n_free - 1 - nodes, nodes)

        self.words, self.bits = number(self.words), number(self.bits)
        p, q = (number(np.array([branch[k] for branch in self.branches], dtype=int)) for k in range(2))
        self.wires = np.zeros((self.n_free + len(self.volts),) * 2, dtype=LONG)
        values = np.array([branch[2] for branch in self.branches], dtype=LONG)
        np.add.at(self.wires, (p, q), values)
        np.add.at(self.wires, (q, p), values)
        self.volts = np.array(self.volts, dtype=LONG)


def reference_of(crossbar, biasing):
    """The circuit in long double: `Reference`."""
    net, g, law = _Net(crossbar, biasing), crossbar.conductances.astype(LONG), crossbar.iv
    parameters = () if law is None else [np.broadcast_to(p, g.shape).astype(LONG) for p in law.parameters]
    slope, injected = g, np.zeros_like(g)
    origin = net.volts[0] if len(net.volts) else LONG(0)
    last = None
    for _ in range(400):
        nodes, currents, superposed = _eliminate(net, slope, injected, origin)
        steps = nodes[net.words] - nodes[net.bits]
        if law is None:
            break
        if last is not None:
            steps = _limit(law, parameters, g, steps, slope, injected)
            if not np.abs(np.where(np.isnan(steps), 0, steps - last)).max() > 8 * np.finfo(LONG).eps * _size(net, origin):
                break
        last = np.nan_to_num(steps)
        amps, slope = law_of(law, parameters, g, last)
        injected = slope * last - amps
    else:
        raise ArithmeticError("the reference has not settled")
    device_currents = g * np.nan_to_num(steps) if law is None else law_of(law, parameters, g, np.nan_to_num(steps))[0]
    held = net.bottoms >= 0
    out = [np.where(held, values[net.bottoms], 0) if len(values) else np.zeros(len(held), LONG)
           for values in (currents, superposed)]
    return Reference(*out, nodes[net.words] + origin, nodes[net.bits] + origin, device_currents)


def _size(net, origin):
    return np.abs(net.volts - origin).max(initial=0)


def law_of(law, p, g, u):
    """Currents and slopes of devices in long double."""
    if isinstance(law, Sinh):
        return g * p[0] * np.sinh(u / p[0]), g * np.cosh(u / p[0])
    a, b = (0, p[0]) if isinstance(law, Cubic) else p
    return g * u * (1 + u * (a + b * u)), g * (1 + u * (2 * a + 3 * b * u))


def _limit(law, p, g, u, slope, injected):
    """Where a curve has risen far above its tangent: the voltage at which it carries what the tangent does, by bisection."""
    wanted = slope * u - injected
    with np.errstate(over="ignore", invalid="ignore"):
        far = np.abs(law_of(law, p, g, u)[0]) > 2 * np.abs(wanted)
    if not far.any():
        return u
    low, high = np.minimum(u, 0), np.maximum(u, 0)
    with np.errstate(over="ignore"):
        for _ in range(80):
            middle = (low + high) / 2
            above = law_of(law, p, g, middle)[0] > wanted
            low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.where(far & (wanted * u > 0), (low + high) / 2, u)


def _eliminate(net, slope, injected, origin):
    """Voltages of all nodes less ``origin``, NaN on islands; currents into the ends, and these without signs."""
    mesh, n = net.wires.copy(), net.n_free
    words, bits = net.words.ravel(), net.bits.ravel()
    for p, q in ((words, bits), (bits, words)):
        np.add.at(mesh, (p, q), slope.ravel())
    into = np.zeros((len(mesh), 2), dtype=LONG)
    for nodes, sign in ((words, 1), (bits, -1)):
        np.add.at(into[:, 0], nodes, sign * injected.ravel())
        np.add.at(into[:, 1], nodes, np.abs(injected.ravel()))
    totals = np.zeros(n, dtype=LONG)
    for k in range(n):
        branches = mesh[k, k + 1:]
        totals[k] = branches.sum()
        if totals[k] > 0:
            share = branches / totals[k]
            mesh[k + 1:, k + 1:] += share[:, None] * branches
            into[k + 1:] += share[:, None] * into[k]
    nodes = np.concatenate([np.zeros(n, dtype=LONG), net.volts - origin])
    for k in range(n - 1, -1, -1):
        if totals[k] > 0:
            near = mesh[k, k + 1:] > 0
            nodes[k] = (into[k, 0] + (mesh[k, k + 1:][near] * nodes[k + 1:][near]).sum()) / totals[k]
        else:
            nodes[k] = np.nan
    ends = mesh[n:, n:]
    steps = net.volts - net.volts[:, None]
    return nodes, (ends * steps).sum(axis=1) + into[n:, 0], (ends * np.abs(steps)).sum(axis=1) + into[n:, 1]


# --- the verdict ----------------------------------------------------------------------------------------------------------


def judge(crossbar, biasing):
    """What became of a circuit: "right", "refused and undefined", "refused though defined", or "wrong and silent: ..."."""
    with np.errstate(all="ignore"):
        exact = reference_of(crossbar, biasing)
    held = ~np.isnan(biasing.bottom)
    sensed = held if biasing.selected is None else np.arange(len(held)) == biasing.selected[1]
    sensed = sensed if sensed.any() else ~sensed
    through = np.maximum(np.abs(exact.device_currents).sum(axis=0), np.abs(exact.currents))
    balanced = through[sensed].max() <= BALANCED * exact.superposed[sensed].max()
    try:
        found = solve(crossbar, biasing)
    except ConvergenceError:
        return "refused and undefined" if balanced else "refused though defined"
    error = np.abs(found.bit_line_currents - exact.currents)
    allowed = np.where(sensed, found.uncertainty, max(found.uncertainty, RTOL * through.max())) * (1 + 1e-6)
    ends = biasing.left, biasing.right, biasing.top, biasing.bottom
    largest = max(np.nanmax(np.abs(volts), initial=0.0) for volts in ends)
    allowed = allowed + 1e-17 * exact.superposed + 1e-30 * largest * crossbar.conductances.max()  # the reference's own error
    if not (error <= allowed).all():
        return "wrong and silent: a current"
    if not balanced and not found.uncertainty <= RTOL * through[sensed].max() * (1 + 1e-6):
        return "wrong and silent: the bound"
    for ours, theirs in ((found.word_line_voltages, exact.words), (found.bit_line_voltages, exact.bits)):
        if not np.array_equal(np.isnan(ours), np.isnan(theirs)):
            return "wrong and silent: what is undetermined"
        if not np.nanmax(np.abs(ours - theirs), initial=0.0) <= found.voltage_uncertainty + 1e-18 * largest:
            return "wrong and silent: a voltage"
    if not np.isfinite(found.power + found.device_currents.sum()):
        return "wrong and silent: not a number"
    return "right"


def soak(seed, *, seconds=np.inf, n_circuits=np.inf):
    """Counts of verdicts, and the numbers of the circuits that were not right, until time or circuits are spent."""
    verdicts, bad, start, k = Counter(), [], time.monotonic(), 0
    while k < n_circuits and time.monotonic() - start < seconds:
        verdict = judge(*circuit_of(seed, k))
        verdicts[verdict] += 1
        if verdict not in ("right", "refused and undefined"):
            bad.append((k, verdict))
        k += 1
    return verdicts, bad


def main(arguments=None):
    """Run for some minutes, print a table; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--circuits", type=float, default=np.inf, help="stop after so many circuits")
    options = parser.parse_args(arguments)
    if not options.minutes > 0 or not options.circuits > 0 or options.seed < 0:
        parser.error("minutes and circuits must be above zero, the seed at least zero")
    verdicts, bad = soak(options.seed, seconds=60 * options.minutes, n_circuits=options.circuits)
    print(f"seed {options.seed}: {verdicts.total()} circuits")
    for name, count in sorted(verdicts.items()):
        print(f"  {count:8d}  {name}")
    for k, verdict in bad[:20]:
        print(f"  circuit {k} of seed {options.seed}: {verdict}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
