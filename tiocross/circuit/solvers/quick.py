"""One circuit of one array, as quickly as possible: checks and choices once for each crossbar and each way to connect it,
one call of the kernel. What needs a closer look is left to `dispatch`.
"""

from functools import lru_cache

import numpy as np

from tiocross.circuit.solvers.circuits_kernel import FROM_GUESS, FROM_ZERO, solve_lines
from tiocross.circuit.solvers.dispatch import GOOD_VOLTAGES, bound_voltages
from tiocross.circuit.solvers.hierarchy import choose_blocks, look_at, lump_lines
from tiocross.circuit.solvers.newton import solve_nonlinear
from tiocross.circuit.solvers.results import BITS, N_FIGURES, ROOT, ROOT_END, WORDS, Nodes, Solved, rounding_step
from tiocross.circuit.solvers.tangents import Tangents
from tiocross.circuit.solvers.workspace import SCRATCH, Workspace

_MOST_SWEEPS = 200  # of a small array in one call
_NOTHING, _NO_NODES = np.empty(0), np.empty((1, 1, 2, 0, 0))


def read_at_once(circuit, voltages, goal):
    """`Solved` read of all bit lines of one array that has a ``reader``, for (M,) voltages [V]; open where it needs more."""
    plan, devices = circuit.reader
    currents, figures, pool = np.empty((1, 1, circuit.shape[1])), np.zeros((1, 1, N_FIGURES)), SCRATCH.take(plan.size)
    solve_lines(devices, _NOTHING, voltages.reshape(1, 1, 1, -1), currents, figures, _NO_NODES, pool, plan.tables,
                plan.numbers, plan.edges, False, goal.rtol, min(goal.max_sweeps, _MOST_SWEEPS), FROM_GUESS, False)
    SCRATCH.give_back(pool)
    return Solved(currents, figures, _NO_NODES)


def read_curved_at_once(circuit, voltages, goal):
    """`Solved` read, and `Nodes`, of one array that has a ``curved_reader``, for (M,) voltages [V]; open where it needs
    more. The error of the nodes is for `bound_nodes`, which takes time and is seldom asked for."""
    reader, form = circuit.curved_reader
    return _follow_law(circuit, reader, form, voltages[None], goal, FROM_GUESS)


def _follow_law(circuit, reader, form, drive, goal, start):
    workspace = Workspace(reader.resistances, reader.levels, reader.sensed)
    pool, size = SCRATCH.take(reader.plan.size + 5 * len(form.g)), reader.plan.size
    workspace.plan, workspace.pool, tangents = reader.plan, pool[:size], Tangents(form, pool[size:])
    found = Solved(np.empty(circuit.shape[1]), np.zeros(N_FIGURES), _NO_NODES[0, 0])
    nodes = Nodes(*map(np.array, solve_nonlinear(workspace, tangents, drive, goal, found, start)[:2]))
    SCRATCH.give_back(pool)
    found.report.add_rounding(_rounding(circuit, drive, tangents.sum_of_slopes))
    return found, nodes


def solve_biased(circuit, biasing, goal):
    """`Solved` and `Nodes` of a circuit that `can_be_biased`, and the resistances and drives that it had; open where it
    needs more, None where no bit line is held that is sensed."""
    left, bottom = biasing.left, biasing.bottom
    floating, selected = (np.isnan(left), np.isnan(bottom)), biasing.selected
    held = np.flatnonzero(~floating[BITS])
    line = (int(held[len(held) // 2]) if len(held) else -1) if selected is None else int(selected[1])
    if line < 0 or floating[BITS][line]:
        return None
    resistances, reference = circuit.resistances.copy(), float(bottom[line])
    given = np.zeros((1, 1, 2, 2, resistances.shape[2]))
    drives = given.copy()  # referred to a sensed bit line: what is at 0 V loses least to rounding
    for side, volts in ((WORDS, left), (BITS, bottom)):
        resistances[side, ROOT, : len(volts)][floating[side]] = np.inf
        given[0, 0, side, ROOT_END, : len(volts)] = np.where(floating[side], 0.0, volts)
        drives[0, 0, side, ROOT_END, : len(volts)] = np.where(floating[side], 0.0, volts - reference)
    key = resistances.tobytes(), resistances.shape[2], circuit.shape
    blocks = choose_blocks(circuit.mean, look_at(*key), circuit.shape)
    workspace = _connect(*key, blocks, floating[BITS].tobytes(), -1 if selected is None else line)
    if circuit.law is not None:
        found, nodes = _follow_law(circuit, workspace, circuit.form, drives[0, 0].reshape(4, -1), goal, FROM_ZERO)
    else:
        found, nodes = _solve_ohmic(circuit, workspace.plan, drives.reshape(1, 1, 4, -1), goal)
    if reference:
        nodes = Nodes(nodes.bit_lines + reference, nodes.word_lines + reference)
    return found, nodes, resistances, given


def can_be_biased(circuit, biasing):
    """Whether `solve_biased` is for this: one array of moderate size, all of whose devices conduct and whose far ends all
    float, and one way to connect it."""
    return (circuit.is_full and not biasing.batch and bool(np.isnan(biasing.right).all() and np.isnan(biasing.top).all())
            and (biasing.selected is None or all(np.ndim(each) == 0 for each in biasing.selected)))


@lru_cache(maxsize=64)
def _connect(resistances, width, shape, blocks, floating_bits, line):
    """A `Workspace` for its levels and plan; its scratch is not to be used. ``line``: the one sensed, -1 for all held."""
    levels = lump_lines(*shape, look_at(resistances, width, shape).kinds, blocks)
    sensed = ~np.frombuffer(floating_bits, bool) if line < 0 else np.arange(shape[1]) == line
    return Workspace(np.frombuffer(resistances).reshape(2, 3, width), levels, sensed)


def _solve_ohmic(circuit, plan, drives, goal):
    currents, figures = np.empty((1, 1, circuit.shape[1])), np.zeros((1, 1, N_FIGURES))
    voltages, pool = np.empty((1, 1, 2, *circuit.shape)), SCRATCH.take(plan.size)
    solve_lines(circuit.flat, _NOTHING, drives, currents, figures, voltages, pool, plan.tables, plan.numbers, plan.edges,
                False, goal.rtol, min(goal.max_sweeps, _MOST_SWEEPS), FROM_ZERO, True)
    SCRATCH.give_back(pool)
    found = Solved(currents[0, 0], figures[0, 0], _NO_NODES[0, 0])
    found.report.add_rounding(_rounding(circuit, drives, circuit.mean * circuit.n_devices))
    return found, Nodes(voltages[0, 0, 0], voltages[0, 0, 1])


def _rounding(circuit, drives, slopes):
    """Bound for any current, where no far end is connected [A]; ``slopes``: sum over all devices [S]."""
    return rounding_step(sum(circuit.shape)) * max(float(drives.max()), -float(drives.min())) * slopes


def bound_nodes(circuit, resistances, drives, found, nodes, rtol):
    """The `Nodes` of a circuit solved at once with the bound on their error, None if elimination should find them anew.
    ``drives`` (1, 1, 2, 2, W) or (1, 1, 1, 1, M)."""
    one = Solved(*(values[None, None] for values in found))
    error = one.report.voltage_error.reshape(())
    bound_voltages(circuit, resistances, drives, one, one.report.total - one.report.residuals)
    connected = drives if drives.shape[2] == 1 else drives[:, :, np.isfinite(resistances[:, 1:])]
    span = max(connected.max(), 0.0) - min(connected.min(), 0.0)
    return nodes._replace(error=error) if error <= GOOD_VOLTAGES * rtol * span else None
