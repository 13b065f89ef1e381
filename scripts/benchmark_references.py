"""What crossbars are timed against: the full nodal matrix in plain NumPy and in scipy's sparse LU, and badcrossbar.

The nodal matrix has the word-line nodes of one array first, then its bit-line nodes. Assembling it is not timed; putting
the voltages of one input after the other on its right-hand side is, which is little.
"""

import importlib
import importlib.util
import logging
import warnings
from dataclasses import dataclass
from functools import cache

import numpy as np
from benchmark_clock import stopwatch

DENSE_LINES = 16  # largest array whose nodal matrix is solved in plain NumPy
_ONCE_ABOVE = 5.0  # seconds from which one run must do


def is_installed(name):
    """Whether a module can be imported, as bool (unitless)."""
    return importlib.util.find_spec(name) is not None


@dataclass
class Reference:
    """Something else that solves a case, or an easier case that tiocross solves.

    Parameters
    ----------
    name : str
        As printed (unitless).
    run : callable
        Solves it once and gives bit-line currents [A].
    make : callable, optional
        Called with nothing before each timed run, untimed; gives what is timed, ``run`` if not given.
    part : slice, optional
        Circuits of the batch it solves, if not all (unitless).
    scale : float, optional
        What its time is multiplied by, if it solves a part only (unitless).
    exact : bool, optional
        Whether its currents are taken for the truth (unitless).
    longer : bool, optional
        Whether the ratio of interest is how many times longer the case takes (unitless).
    parts : callable, optional
        Gives the seconds of its parts in the fastest run, by name.
    """

    name: str
    run: object
    make: object = None
    part: slice = None
    scale: float = 1.0
    exact: bool = False
    longer: bool = False
    parts: object = None
    goal: float = None
    currents: np.ndarray = None
    seconds: float = None
    failure: str = None

    def start(self):
        """Run for the first time, keeping the currents, or what went wrong in another package."""
        stop = stopwatch()
        try:
            self.currents = self.run()
        except Exception as error:
            if self.longer:
                raise
            self.failure = f"{type(error).__name__}: {error}"
        self.seconds = stop()

    @property
    def is_slow(self):
        """Whether the first run is all there shall be (unitless)."""
        return self.seconds > _ONCE_ABOVE


class Nodal:
    """Nodal equations of one array with wires above zero ohm, for the inputs of a batch.

    Parameters
    ----------
    crossbar : Crossbar
        Ohmic devices (unitless).
    biasing : Biasing
        Ends of the lines (unitless).
    array : int
        Which array (unitless).
    """

    def __init__(self, crossbar, biasing, array):
        g = crossbar.conductances.reshape(-1, *crossbar.conductances.shape[-2:])[array]
        word = np.arange(g.size).reshape(g.shape)
        bit = word + g.size
        per_word, per_bit = 1 / crossbar.word_line_resistance, 1 / crossbar.bit_line_resistance
        at_source = 1 / (crossbar.word_line_resistance + crossbar.source_resistance)
        at_sense = 1 / (crossbar.bit_line_resistance + crossbar.sense_resistance)
        self.ends = [(nodes, np.broadcast_to(voltages, (*biasing.batch, len(nodes))).reshape(-1, len(nodes)), siemens)
                     for nodes, voltages, siemens in ((word[:, 0], biasing.left, at_source),
                                                      (word[:, -1], biasing.right, at_source),
                                                      (bit[0], biasing.top, at_sense), (bit[-1], biasing.bottom, at_sense))]
        self.n_nodes = 2 * g.size
        self.rows, self.columns, self.siemens = self._entries(
            ((word[:, :-1], word[:, 1:], per_word[:, None]), (bit[:-1], bit[1:], per_bit), (word, bit, g)))

    def _entries(self, branches):
        diagonal, entries = np.zeros(self.n_nodes), []
        for one, other, siemens in branches:
            one, other, siemens = one.ravel(), other.ravel(), np.broadcast_to(siemens, one.shape).ravel()
            entries += [(one, other, -siemens), (other, one, -siemens)]
            np.add.at(diagonal, one, siemens)
            np.add.at(diagonal, other, siemens)
        for nodes, voltages, siemens in self.ends:
            np.add.at(diagonal, nodes, np.where(np.isnan(voltages[0]), 0.0, siemens))
        everything = np.arange(self.n_nodes)
        return [np.concatenate(parts) for parts in zip(*entries, (everything, everything, diagonal))]

    def injected(self, k):
        """Currents that the ends inject for input ``k`` (unitless), the right-hand side [A]."""
        amperes = np.zeros(self.n_nodes)
        for nodes, voltages, siemens in self.ends:
            np.add.at(amperes, nodes, np.nan_to_num(voltages[k]) * siemens)
        return amperes

    def bit_line_currents(self, volts, k):
        """Currents out of the bottom ends [A] from node voltages [V] and the input's number (unitless)."""
        nodes, voltages, siemens = self.ends[-1]
        return np.nan_to_num((volts[nodes] - voltages[k]) * siemens)


def _nodal_systems(crossbar, biasing, n_circuits):
    """Equations and the numbers of their inputs, for the first circuits of a batch of one array or of one input each."""
    if crossbar.conductances[..., 0, 0].size > 1:
        return [(Nodal(crossbar, biasing, c), [c]) for c in range(n_circuits)]
    return [(Nodal(crossbar, biasing, 0), range(n_circuits))]


def shape_like(currents, biasing):
    return np.array(currents) if biasing.batch else currents[0]


def dense_reference(crossbar, biasing, n_circuits):
    """A `Reference` in plain NumPy: np.linalg.solve with the dense nodal matrices.

    Parameters
    ----------
    crossbar : Crossbar
        One array, or one for each input (unitless).
    biasing : Biasing
        The inputs (unitless).
    n_circuits : int
        Solve the first so many (unitless).
    """
    systems = _nodal_systems(crossbar, biasing, n_circuits)
    matrices = np.zeros((len(systems), systems[0][0].n_nodes, systems[0][0].n_nodes))
    for matrix, (nodal, _) in zip(matrices, systems):
        np.add.at(matrix, (nodal.rows, nodal.columns), nodal.siemens)

    def run():
        rhs = np.array([np.transpose([nodal.injected(k) for k in inputs]) for nodal, inputs in systems])
        volts = np.linalg.solve(matrices, rhs)
        return shape_like([nodal.bit_line_currents(column, k) for (nodal, inputs), columns in zip(systems, volts)
                            for k, column in zip(inputs, columns.T)], biasing)

    return Reference("NumPy dense", run, **scaling(biasing, n_circuits))


def splu_reference(crossbar, biasing, n_circuits, *, ordering="COLAMD"):
    """A `Reference` by scipy's sparse LU: one factorisation for each array, one solution for each input.

    Parameters
    ----------
    crossbar : Crossbar
        One array, or one for each input (unitless).
    biasing : Biasing
        The inputs (unitless).
    n_circuits : int
        Solve the first so many (unitless).
    ordering : str, optional
        Column ordering of `splu`, its default or "MMD_AT_PLUS_A", made for symmetric matrices (unitless).
    """
    from scipy.sparse import csc_matrix
    from scipy.sparse.linalg import splu

    systems = [(nodal, inputs, csc_matrix((nodal.siemens, (nodal.rows, nodal.columns)), shape=(nodal.n_nodes,) * 2))
               for nodal, inputs in _nodal_systems(crossbar, biasing, n_circuits)]

    def run():
        currents = []
        for nodal, inputs, matrix in systems:
            factors = splu(matrix, permc_spec=ordering)
            currents += [nodal.bit_line_currents(factors.solve(nodal.injected(k)), k) for k in inputs]
        return shape_like(currents, biasing)

    return Reference("splu" if ordering == "COLAMD" else "splu, MMD order", run, exact=True,
                     **scaling(biasing, n_circuits))


def badcrossbar_reference(crossbar, biasing, n_circuits):
    """A `Reference` by badcrossbar, its own assembling included, for plain reads with one wire resistance.

    Parameters
    ----------
    crossbar : Crossbar
        One array, or one for each input (unitless).
    biasing : Biasing
        The inputs (unitless).
    n_circuits : int
        Solve the first so many (unitless).
    """
    voltages = biasing.left.reshape(-1, crossbar.n_word_lines)[:n_circuits]
    resistances = 1 / crossbar.conductances.reshape(-1, *crossbar.conductances.shape[-2:])
    batches = [(0, voltages.T)] if len(resistances) == 1 else [(c, v[:, None]) for c, v in enumerate(voltages)]
    wire = float(crossbar.word_line_resistance[0])

    def run():
        compute = _import_badcrossbar()
        found = [compute(columns, resistances[c], r_i=wire, node_voltages=False, all_currents=False).currents.output
                 for c, columns in batches]
        return shape_like(np.concatenate(found), biasing)

    return Reference("badcrossbar", run, **scaling(biasing, n_circuits))


@cache
def _import_badcrossbar():
    """Its function, imported without the messages that it asks Python to show, such as that it cannot draw."""
    with warnings.catch_warnings(record=True):
        compute = importlib.import_module("badcrossbar").compute
    logging.getLogger("badcrossbar").setLevel(logging.WARNING)
    logging.getLogger().handlers.clear()
    return compute


def scaling(biasing, n_circuits):
    whole = int(np.prod(biasing.batch))
    return {"part": slice(n_circuits) if n_circuits < whole else None, "scale": whole / n_circuits}
