"""Circuits that sweeps leave open, by star-mesh elimination: slower, but exact to rounding whatever the conductances.

Without subtractions every conductance between terminals, the connected ends of lines, keeps its digits. So the current of an
end is right relative to the sum of what the other ends drive through it, each alone; nearly always that is its own size.

Devices that do not obey Ohm's law: Newton's method. What the tangents get wrong is an injected current at both nodes of a
device. The share of it that reaches an end is, by reciprocity, the voltage there when that end alone is at 1 V.
"""

from functools import cached_property

import numpy as np

from tiocross.circuit.solvers.mesh_kernel import solve_mesh
from tiocross.circuit.solvers.paths import find_along
from tiocross.circuit.solvers.results import BITS, FAR_END, ROOT_END
from tiocross.circuit.solvers.tangents import follow_tangents

_EPSILON = 2.0**-52
_PER_LINE = 2.0  # roundings that a conductance between terminals has, for each line and node along a line, at most
_BALANCED = 1e3  # times rounding: smaller gross currents are those of sources that balance each other
_MOST_OPERATIONS = 6e9  # of an elimination, some seconds
_NOTHING = 1e-30  # [S]; a current below it times the largest voltage is none
_MOST_TANGENTS = 500
_PATIENCE = 30  # tangents without half the error after which only rounding is left


def is_affordable(shape, n_terminals):
    """Whether elimination of an array of this shape with so many connected ends takes seconds at most."""
    front = 2 * min(shape) + 2
    work = front**2 + (front + n_terminals) * n_terminals
    return 2.0 * shape[0] * shape[1] * work <= _MOST_OPERATIONS


class Mesh:
    """Solves circuits of one shape with the same wires and the same ends connected; ``resistances`` and drives are those
    of a `Workspace`, ``segments`` those of a `PreparedCrossbar`; ``sensed`` (N,) bool tells which bit lines set the scale of
    the tolerance."""

    def __init__(self, resistances, shape, sensed, segments=None):
        m, n = self.shape = shape
        self.sensed, self.turned = sensed, m < n
        self.connected = np.isfinite(resistances[:, 1:])
        for side, lines in enumerate(shape):
            self.connected[side, :, lines:] = False
        self.terminals = np.where(self.connected, np.cumsum(self.connected).reshape(self.connected.shape) - 1, -1)
        self.n_terminals = int(self.connected.sum())
        self._roots = self.terminals[BITS, ROOT_END, :n]  # of the bit lines
        self.rounding = _PER_LINE * _EPSILON * (m + n + 2)
        self._wires = resistances, shape, segments

    @cached_property
    def _layout(self):
        return _lay_out(find_along(*self._wires), self.terminals, self.turned)

    @property
    def is_affordable(self):
        """Whether elimination takes seconds at most."""
        return is_affordable(self.shape, self.n_terminals)

    def solve(self, devices, drive, goal, into):
        """Solve one circuit of ``devices``: conductances (M, N) [S] and their law, or None.
        ``into`` is `Solved` without leading axes, to be filled."""
        array, law = devices
        if self.n_terminals == 0:  # nothing flows
            into.currents[:], into.figures[:], into.voltages[:] = 0.0, 0.0, 0.0
            return
        given = drive[self.connected]
        reference = self._reference(given)
        volts = given - reference
        if law is None:
            found = self._eliminate(array, None, volts[:, None], given)
            error, currents = self.rounding * found.superposed, array * found.device_voltages
            n_steps = 1
        else:
            found, error, currents, n_steps = self._follow_tangents(array, law, (volts, given), goal)
        self._store(found, error, np.abs(currents).sum(axis=0), reference, goal, into)
        into.figures[0] += n_steps

    def _reference(self, volts):
        """Voltage that all others are referred to: that of a sensed bit line, if one is connected."""
        roots = self._roots
        at = roots[self.sensed & (roots >= 0)]
        return float(np.median(volts[at])) if len(at) % 2 else float(volts[at[0]]) if len(at) else float(
            volts[0]) if len(volts) else 0.0

    def _store(self, found, error, gross, reference, goal, into):
        """Currents of the bottom ends, figures and voltages."""
        roots, held = self._roots, self._roots >= 0
        into.currents[:] = 0.0
        into.currents[held] = found.currents[roots[held]]
        error, superposed = np.where(held, error[roots], 0.0), np.where(held, found.superposed[roots], 0.0)
        sensed, scale = self.sensed, float(np.maximum(gross, np.abs(into.currents))[self.sensed].max())
        total = float(error[sensed].max())
        others = float(np.where(sensed, 0.0, error).max())
        if others > goal.rtol * gross.max() and others > self.rounding * superposed.max():
            total = others
        is_balanced = scale <= _BALANCED * self.rounding * superposed[sensed].max()
        if total <= _NOTHING * found.magnitude or is_balanced and total <= 2.0 * self.rounding * superposed.max():
            scale = max(scale, 1.000001 * total / goal.rtol)  # as near to nothing as double precision tells
        report = into.report
        report.largest[...], report.total[...], report.gross[...] = min(found.wrong, total), total, scale
        report.voltage_error[...] = self.rounding * found.magnitude + found.unsettled + _EPSILON * abs(reference)
        if into.voltages.size:
            into.voltages[:] = found.nodes + reference

    def _eliminate(self, array, injected, columns, given):
        """`_Eliminated` for terminal voltages (K, C) [V]; ``given`` are those of the first column before they were referred
        to one of them."""
        m, n = self.shape
        k, c = columns.shape
        injected = np.empty((0, n)) if injected is None else injected
        if self.turned:
            m, n, array, injected = n, m, array.T, -injected.T if injected.size else np.empty((0, m))
        front = 2 * n + 2
        admittances, arrived, nodes = np.empty((k, k)), np.empty((k, 2)), np.empty((c + 1, 2, m, n))
        solve_mesh(np.ascontiguousarray(array), np.ascontiguousarray(injected), *self._layout,
                   np.ascontiguousarray(columns), np.empty((front, front)), np.empty((front, k)), np.empty((front, 2)),
                   np.empty((2 * m * n, front)), np.empty((2 * m * n, c + 1)), np.empty(2 * m * n, np.int64),
                   np.empty((front, c + 1)), admittances, arrived, nodes)
        if self.turned:
            nodes = nodes[:, ::-1].swapaxes(-1, -2)
        return _Eliminated(admittances, arrived, nodes, given)

    def _follow_tangents(self, array, law, volts, goal):
        """Newton's method: `_Eliminated`, errors of the terminals' currents (K,), currents of the devices, steps."""
        wanted = self._roots[self._roots >= 0]
        columns = np.zeros((self.n_terminals, 1 + len(wanted)))
        columns[:, 0], columns[wanted, 1 + np.arange(len(wanted))] = volts[0], 1.0
        slope, injected, last = array, np.zeros_like(array), np.inf
        best, waiting, kept = np.inf, 0, None
        for n_steps in range(1, _MOST_TANGENTS + 1):
            with np.errstate(over="ignore", invalid="ignore"):  # a law may overflow; then it is not solved
                found = self._eliminate(slope, injected, columns, volts[1])
            found.unsettled, last = float(np.abs(found.nodes - last).max()), found.nodes
            error, currents = self._judge(array, law, found, (slope, injected), wanted)
            worst = self._measure(error, currents, found, goal)
            waiting = 0 if worst < 0.5 * best else waiting + 1
            if worst < best or kept is None:
                best, kept = worst, (found, error, currents)
            patience = 3 if found.is_near and found.unsettled <= 1e-12 * found.magnitude else _PATIENCE
            if worst <= 1.0 and n_steps > 1 or waiting >= patience or np.isnan(worst):
                break
            following = np.empty_like(array), np.empty_like(array)
            follow_tangents(array, law, found.device_voltages, (slope, injected), following)
            slope, injected = following
        return (*kept, n_steps)

    def _judge(self, array, law, found, tangents, wanted):
        """Errors of the terminals' currents (K,) [A], and currents of the devices [A]."""
        voltages, (slope, injected) = found.device_voltages, tangents
        with np.errstate(over="ignore", invalid="ignore"):
            currents, slopes = law.follow(array, voltages)
            wrong = np.abs(currents - (slope * voltages - injected))
            found.wrong = float(wrong.max())
            # A voltage that is off shifts law and tangent alike.
            rounded = 4.0 * _EPSILON * (np.abs(currents) + np.abs(slope * voltages) + np.abs(injected))
            rounded += self.rounding * np.abs(slopes - slope) * found.magnitudes
            near = 1e-3 * np.abs(currents) + self.rounding * slopes * found.magnitudes
            found.is_near = bool((wrong <= near).all())
            wrong += rounded
            shares = np.abs(found.others[:, 1] - found.others[:, 0]) + self.rounding * found.others.sum(axis=1)
            error = self.rounding * found.superposed
            error[wanted] += 2.0 * (shares * wrong).sum(axis=(-2, -1))
        return error, currents

    def _measure(self, error, currents, found, goal):
        """How far currents and voltages are from being good enough; 1 is where they are."""
        roots, held = self._roots, self._roots >= 0
        gross, ends = np.abs(currents).sum(axis=0), np.where(held, np.abs(found.currents[roots]), 0.0)
        left = 0.0 if found.is_near else 2.0
        for lines in (self.sensed, np.ones_like(held)):
            own = float(error[roots[held & lines]].max(initial=0.0))  # floats: a law that overflows gives no warning
            scale = 0.1 * goal.rtol * float(max(gross[lines].max(), ends[lines].max()))
            left = max(left, own / max(scale, 1e-300) if own > 0.0 else 0.0)
        settled = 1e-9 * found.magnitude
        return max(left, found.unsettled / settled if settled > 0.0 else 0.0)


class _Eliminated:
    """Currents into the terminals, and what they are made of; node voltages, of the other columns too."""

    def __init__(self, admittances, arrived, nodes, volts):
        steps = volts - volts[:, None]  # [t, s]: from terminal t up to terminal s
        self.currents = (admittances * steps).sum(axis=1) + arrived[:, 0]
        self.superposed = (admittances * np.abs(steps)).sum(axis=1) + arrived[:, 1]
        self.nodes, self.others = nodes[0], nodes[1:-1]
        self.device_voltages = nodes[0, 1] - nodes[0, 0]
        self.magnitude = float(nodes[-1].max())  # a node's voltage is right relative to it [V]
        self.magnitudes = nodes[-1].sum(axis=0)  # and a device's to this
        self.is_near = True  # whether tangents are good pictures of the curves
        self.unsettled = self.wrong = 0.0  # change of a voltage at the last step [V]; largest error of a tangent [A]


def _lay_out(along, terminals, turned):
    """What the kernel wants to know of the wires: resistances along word lines and bit lines, places of their nodes, and the
    nodes' numbers; ``turned``: with word lines and bit lines exchanged."""
    (along_words, along_bits), (words, bits) = along, terminals
    firsts, lasts = (words[ROOT_END], bits[FAR_END]), (words[FAR_END], bits[ROOT_END])
    if turned:
        along_words, along_bits, firsts, lasts = along_bits, along_words, firsts[::-1], lasts[::-1]
    m, n = len(along_words), len(along_bits)
    parity_words, at_words, last_words = _find_runs(along_words, firsts[0][:m], lasts[0][:m])
    parity_bits, at_bits, last_bits = _find_runs(along_bits, firsts[1][:n], lasts[1][:n])
    at_words = np.where(at_words < 0, at_words, 2 * n + parity_words)
    at_bits = np.where(at_bits < 0, at_bits, parity_bits * n + np.arange(n)[:, None]).T
    numbers = np.stack([2 * n * np.arange(m)[:, None] + last_words, 2 * n * last_bits.T + n + np.arange(n)])
    return tuple(np.ascontiguousarray(values) for values in (along_words, along_bits.T, at_words, at_bits, numbers))


def _find_runs(along, firsts, lasts):
    """Of each node of each line, ends included: whether it is in an odd run of nodes that no resistance divides, and
    -1 - t where that run is terminal t, else 0. And of each node without the ends the last one of its run."""
    divided = along > 0.0
    runs = np.concatenate([np.zeros((len(along), 1), np.int64), np.cumsum(divided, axis=1)], axis=1)
    at = np.where((runs == runs[:, :1]) & (firsts >= 0)[:, None], -1 - firsts[:, None], 0)
    at = np.where((runs == runs[:, -1:]) & (lasts >= 0)[:, None] & (at == 0), -1 - lasts[:, None], at)
    nodes = np.arange(along.shape[1] - 1)
    last = np.where(divided[:, 1:], nodes, nodes[-1])
    return runs % 2, at, np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
