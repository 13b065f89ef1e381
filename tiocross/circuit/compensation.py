"""Conductances that give, through the wires, the matrix that is wanted: compensation of IR drop."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tiocross.circuit.crossbar import Crossbar
from tiocross.circuit.solvers.dispatch import run_circuits
from tiocross.circuit.linearised import LinearisedMatrix, solve_in_box
from tiocross.circuit.matrices import transfer_matrix
from tiocross.checks import LARGEST_CONDUCTANCE, as_conductances, as_finite, as_number, require_name

SCALES = ("fixed", "free")

_REACHED = 1e-10  # relative error below which the targets count as reached
_OPTIMAL = 1e-6  # steepest descent relative to what is left, below which nothing is to be gained
_ROUNDING = 1e-12  # relative decrease of the squared error that the solver cannot resolve
_MOST_ITERATIONS = 100
_RTOL = (1e-11, 1e-9)  # of the transfer matrix, whose error is reported, and of its derivatives, which only lead there
_GOOD_START, _MOST_HALVINGS = 0.2, 10  # relative error from which on a free scale starts, halvings of it on the way
_FIRST_DAMPING, _LARGEST_DAMPING = 1e-2, 1e6


@dataclass(frozen=True, eq=False)
class Compensation:
    """Conductances to write, and how near they bring the transfer matrix to the targets.

    Parameters
    ----------
    conductances : (n_word_lines, n_bit_lines) ndarray
        To write, within the window [S].
    transfer_matrix : (n_word_lines, n_bit_lines) ndarray
        Of the crossbar with these conductances, solved [S].
    gain : float
        Factor after the array: ``gain * transfer_matrix`` is to be the targets; 1 with a fixed scale (unitless).
    error : float
        Root mean square of ``gain * transfer_matrix - targets``, relative to that of the targets (unitless).
    worst_error : float
        Largest magnitude of an entry of that difference, relative to the largest target (unitless).
    error_before, worst_error_before : float
        The same for the targets themselves as conductances, clipped to the window, with the best gain if the scale is
        free (unitless).
    optimality : float
        Steepest descent left within the window, devices scaled to equal effect, relative to the difference: 0 at an
        optimum, and below 1e-6 unless the search ended for rounding or the count of iterations (unitless).
    n_iterations : int
        Linearisations done (unitless).
    """

    conductances: np.ndarray
    transfer_matrix: np.ndarray
    gain: float
    error: float
    worst_error: float
    error_before: float
    worst_error_before: float
    optimality: float
    n_iterations: int


def compensate(targets, wire_resistance, window, *, word_line_resistance=None, bit_line_resistance=None,
               source_resistance=0.0, sense_resistance=0.0, scale="fixed"):
    """Conductances within the window whose solved transfer matrix is nearest to the targets.

    Parameters
    ----------
    targets : (n_word_lines, n_bit_lines) array_like
        Wanted transfer matrix, at least one entry above zero [S].
    wire_resistance : float
        Of one wire segment [ohm].
    window : (g_min, g_max)
        Lowest and highest conductance of all devices, or of each as (n_word_lines, n_bit_lines) arrays; the same for a
        device that is stuck [S].
    word_line_resistance, bit_line_resistance, source_resistance, sense_resistance : float or array_like, optional
        As for `Crossbar` [ohm].
    scale : str, optional
        "fixed": the transfer matrix itself is to be the targets; "free": some multiple of it, the gain after the array
        making up for what all entries lose alike (unitless).

    Returns
    -------
    Compensation

    Raises
    ------
    ValueError
        If a target is negative, the window is empty, a resistance is negative, or a shape does not fit.

    Notes
    -----
    Minimises the sum of squares of ``gain * T(G) - targets``. dT_ij/dG_kl = u_kl a_kl, with u the device voltages when 1 V
    drives word line i alone and a those when -1 V drives the bottom end of bit line j alone, so n_word_lines + n_bit_lines
    solutions give all derivatives. Each iteration (Gauss-Newton, damped where it goes wrong) solves the linear
    least-squares problem within the window by conjugate gradients on the devices that are not at an end of it. The
    derivatives are never formed as a matrix: memory is about 40 (n_word_lines + n_bit_lines) bytes a device, and time
    grows with n_word_lines^2 n_bit_lines^2.

    The problem is not convex: what is found is a point that no small change improves. Where targets are reached with a
    free scale the answer is not unique; it is one near the targets, scaled to the window's upper end if they leave it, and
    halved until the wires leave them recognisable. A window that reaches down to open devices may have no optimum with a
    free scale but ever lower conductances; the search then ends after 100 iterations, which `optimality` shows.
    """
    targets = as_conductances("targets", targets)
    if targets.ndim != 2 or not targets.any():
        raise ValueError(f"targets must be one (n_word_lines, n_bit_lines) array, not all zero; got {targets.shape}")
    lower, upper = _as_window(window, targets.shape)
    require_name("scale", scale, SCALES)
    wire_resistance = as_number("wire_resistance", wire_resistance, low=0.0, unit="ohm")
    if word_line_resistance is not None and bit_line_resistance is not None:
        wire_resistance = None  # stands for no line
    crossbar = Crossbar(lower, wire_resistance, word_line_resistance=word_line_resistance,
                        bit_line_resistance=bit_line_resistance, source_resistance=source_resistance,
                        sense_resistance=sense_resistance)
    task = _Task(crossbar, targets, lower, upper, scale == "free")
    start = task.at(task.clipped)
    end, optimality, n_iterations = _descend(task, _choose_start(task, start))
    errors = [float(error) for point in (end, start) for error in (point.length / np.linalg.norm(targets),
                                                                   np.abs(point.residual).max() / targets.max())]
    return Compensation(end.conductances, end.matrix, end.gain, *errors, float(optimality), n_iterations)


def _as_window(window, shape):
    try:
        ends = [as_finite(name, end) for name, end in zip(("g_min", "g_max"), window, strict=True)]
    except (TypeError, ValueError) as error:
        raise type(error)(f"window must be (g_min, g_max) in siemens: {error}") from None
    if not {ends[0].shape, ends[1].shape} <= {(), shape}:
        raise ValueError(f"ends of the window must be one number or have the shape {shape} of the targets; got "
                         f"{ends[0].shape} and {ends[1].shape}")
    lower, upper = (np.array(np.broadcast_to(end, shape)) for end in ends)
    bad = (lower < 0) | (lower > upper) | (upper > LARGEST_CONDUCTANCE)
    if bad.any():
        at = tuple(int(k) for k in np.argwhere(bad)[0])
        raise ValueError(f"window must be (g_min, g_max) with 0 <= g_min <= g_max <= 1 S; got ({lower[at]:g}, "
                         f"{upper[at]:g}) at word line {at[0]}, bit line {at[1]}")
    return lower, upper


@dataclass(frozen=True, eq=False)
class _Point:
    conductances: np.ndarray
    matrix: np.ndarray
    gain: float
    residual: np.ndarray

    @cached_property
    def length(self):
        return np.linalg.norm(self.residual)


@dataclass(frozen=True, eq=False)
class _Task:
    """What is wanted, and of which circuit."""

    crossbar: Crossbar
    targets: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    free: bool

    @property
    def clipped(self):
        """The targets within the window."""
        low, high = self.targets.min(), self.targets.max()
        fits = self.lower.min() <= low and high <= self.upper.max()
        return np.clip(self.targets if fits or not self.free else self.targets * (self.upper.max() / high),
                       self.lower, self.upper)

    def at(self, conductances):
        """What these conductances give."""
        matrix = transfer_matrix(replace(self.crossbar, conductances=conductances), rtol=_RTOL[0])
        square = (matrix**2).sum()
        gain = float((matrix * self.targets).sum() / square) if self.free and square > 0 else 1.0
        return _Point(conductances, matrix, gain, gain * matrix - self.targets)

    def linearise(self, point):
        """Derivatives of gain * matrix there; a free gain takes up what lies along the matrix."""
        m, n = self.targets.shape
        ends = np.full((1, m + n, 2, 2, max(m, n)), np.nan)
        ends[0, :, 0, 0, :m] = 0.0
        ends[0, :, 1, 0, :n] = 0.0
        ends[0, :m, 0, 0, :m] = np.eye(m)
        ends[0, m:, 1, 0, :n] = -np.eye(n)
        crossbar = replace(self.crossbar, conductances=point.conductances)
        nodes = run_circuits(crossbar, ends, _RTOL[1], 1_000, nodes=True)[2][0]
        voltages = (nodes[:, 1] - nodes[:, 0]).reshape(m + n, m * n)
        length = np.linalg.norm(point.matrix)
        along = point.matrix / length if self.free and length > 0 else None
        return LinearisedMatrix(point.gain * voltages[:m], voltages[m:], along, point.residual,
                                self.lower - point.conductances, self.upper - point.conductances)


def _choose_start(task, point):
    """With a free scale, conductances low enough for the wires, where the window has room for them; else the targets'."""
    points = [point]
    while task.free and point.length > _GOOD_START * np.linalg.norm(task.targets) and len(points) <= _MOST_HALVINGS:
        halved = np.clip(points[0].conductances * 0.5 ** len(points), task.lower, task.upper)
        point = task.at(halved)
        points.append(point)
        if (halved == task.lower).all():
            break
    return min(points, key=lambda point: point.length)


def _descend(task, point):
    """Best point, its optimality, number of iterations."""
    reached = _REACHED * np.linalg.norm(task.targets)
    damping, before, optimality = 0.0, 0.0, 0.0
    for n_iterations in range(_MOST_ITERATIONS):
        if point.length <= reached:
            return point, 0.0, n_iterations
        model = task.linearise(point)
        slope = np.linalg.norm(model.descent(np.zeros_like(point.residual), model.gradient))
        optimality = slope / point.length
        if optimality <= _OPTIMAL:
            return point, optimality, n_iterations
        enough = max(min(0.03, (slope / (before or slope)) ** 2) * slope, 0.1 * reached)  # as far as the last one served
        trial, damping = _advance(task, point, model, damping, enough)
        if trial is None:
            return point, optimality, n_iterations
        point, before = trial, slope
    return point, optimality, _MOST_ITERATIONS


def _advance(task, point, model, damping, enough):
    """The next point and its damping; None where nothing is to be gained."""
    while damping <= _LARGEST_DAMPING:
        step, left = solve_in_box(model, damping, enough)
        expected = point.length**2 - left
        if expected <= _ROUNDING * point.length**2:
            break
        trial = task.at(np.clip(point.conductances + step, task.lower, task.upper))
        ratio = (point.length**2 - trial.length**2) / expected
        if ratio > 0.75:
            return trial, damping / 4.0 if damping > 0.01 * _FIRST_DAMPING else 0.0
        if ratio > 0.1:
            return trial, max(2.0 * damping, _FIRST_DAMPING) if ratio < 0.4 else damping
        damping = max(4.0 * damping, _FIRST_DAMPING)
    return None, damping
