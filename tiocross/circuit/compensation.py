"""Conductances that give, through the wires, the matrix that is wanted: compensation of IR drop.

Gauss-Newton on the squared difference, damped where it goes wrong (Levenberg and Marquardt). Each step solves a linear
least-squares problem within the window. Its gradient is exact: the elimination that gives the transfer matrix, run
backwards. Its curvature only leads there: it may be one of an earlier point, and an approximation (see `linearised`).
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import LARGEST_CONDUCTANCE, as_conductances, as_finite, as_number, require_name
from tiocross.circuit.adjoint import find_matrix_with_pullback
from tiocross.circuit.crossbar import Crossbar
from tiocross.circuit.linearised import Derivatives, LinearisedMatrix, solve_in_box
from tiocross.circuit.matrices import transfer_matrix

SCALES = ("fixed", "free")

_REACHED = 1e-10  # relative error below which the targets count as reached
_OPTIMAL = 1e-6  # steepest descent relative to what is left, below which nothing is to be gained
_ROUNDING = 1e-12  # relative decrease of the squared error that the solver cannot resolve
_MOST_ITERATIONS = 200
_RTOL = (1e-11, 1e-9)  # of the transfer matrix, whose error is reported, and of gradients
_GOOD_START, _MOST_HALVINGS = 0.2, 10  # relative error from which on a free scale starts, halvings of it on the way
_FIRST_DAMPING, _LARGEST_DAMPING = 1e-2, 1e6
_OLD = ((2, 0.5), (4, 0.2))  # steps after which derivatives are old, where the last left this share of the steepest descent
_FLAT = (1e-3, 1e-8)  # curvature relative to that of single devices that is none: of near or earlier derivatives, exact ones
_LARGEST_EXACT = 2_500  # devices of an array whose derivatives are exact


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
        Steps done (unitless).
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


def compensate(targets: ArrayLike, wire_resistance: float, window: tuple[ArrayLike, ArrayLike], *,
               word_line_resistance: ArrayLike | None = None, bit_line_resistance: ArrayLike | None = None,
               source_resistance: ArrayLike = 0.0, sense_resistance: ArrayLike = 0.0, scale: str = "fixed") -> Compensation:
    """Conductances within the window whose solved transfer matrix is nearest to the targets.

    Parameters
    ----------
    targets : (n_word_lines, n_bit_lines) array_like
        Wanted transfer matrix, at least one entry above zero [S].
    wire_resistance : float
        Of one wire segment [ohm].
    window : (g_min, g_max), each float or array_like
        Lowest and highest conductance of all devices, or of each as (n_word_lines, n_bit_lines) arrays; the same for a
        device that is stuck [S].
    word_line_resistance, bit_line_resistance, source_resistance, sense_resistance : float or array_like, optional
        As for `Crossbar` [ohm].
    scale : str, optional
        "fixed": the transfer matrix itself is to be the targets; "free": some multiple of it, the gain after the array
        making up for what all entries lose alike.

    Returns
    -------
    Compensation
        Conductances to write, and how near they come.

    Raises
    ------
    ValueError
        If a target is negative, the window is empty, a resistance is negative, or a shape does not fit.

    Notes
    -----
    Minimises the sum of squares of ``gain * T(G) - targets``. Each iteration (Gauss-Newton, damped where it goes wrong
    [1]_) solves the linear least-squares problem within the window by conjugate gradients [2]_ on the devices that are not
    at an end of it. Its gradient is exact, see `transfer_matrix_with_pullback`. dT_ij/dG_kl = u_kl a_kl, with u the device
    voltages when 1 V drives word line i alone and a those when -1 V drives the bottom end of bit line j alone, is formed
    from n_word_lines + n_bit_lines solutions, only now and then, from some 2 500 devices on only nearly, and corrected by
    what each step really changes [3]_. Time grows with the third power of the lines; memory is about 8 (n_word_lines +
    n_bit_lines) bytes a device.

    The problem is not convex: what is found is a point that no small change improves. Where targets are reached with a
    free scale the answer is not unique; it is one near the targets, scaled to the window's upper end if they leave it, and
    halved until the wires leave them recognisable. A window that reaches down to open devices may have no optimum with a
    free scale but ever lower conductances; the search then ends after 200 iterations, which `optimality` shows.

    References
    ----------
    .. [1] D. W. Marquardt, "An algorithm for least-squares estimation of nonlinear parameters", J. Soc. Indust. Appl. Math.
       11, 431 (1963).
    .. [2] M. R. Hestenes and E. Stiefel, "Methods of conjugate gradients for solving linear systems", J. Res. Natl. Bur.
       Stand. 49, 409 (1952).
    .. [3] C. G. Broyden, "A class of methods for solving nonlinear simultaneous equations", Math. Comp. 19, 577 (1965).

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import compensate
    >>> from tiocross.units import ohm, uS
    >>> targets = np.array([[120, 300], [350, 150], [250, 200]]) * uS
    >>> found = compensate(targets, 25 * ohm, (100 * uS, 500 * uS))
    >>> (found.conductances / uS).round(0).tolist()  # above the targets, to make up for the wires
    [[125.0, 317.0], [365.0, 157.0], [258.0, 207.0]]
    >>> f"{found.error_before:.1%}", f"{found.error:.1%}"
    ('4.1%', '0.0%')
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
    start = task.at(task.clipped, with_gradient=False)
    end, optimality, n_iterations = _descend(task, task.at(_choose_start(task, start).conductances))
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
    """``gradient``: half of that of the squared error; a free gain is the best one: its change does not count [S]."""

    conductances: np.ndarray
    matrix: np.ndarray
    gain: float
    residual: np.ndarray
    gradient: np.ndarray | None = None

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

    def at(self, conductances, with_gradient=True):
        """What these conductances give."""
        crossbar = replace(self.crossbar, conductances=conductances)
        if with_gradient:
            matrix, pull = find_matrix_with_pullback(crossbar, *_RTOL)
        else:
            matrix = transfer_matrix(crossbar, rtol=_RTOL[0])
        square = (matrix**2).sum()
        gain = float((matrix * self.targets).sum() / square) if self.free and square > 0 else 1.0
        residual = gain * matrix - self.targets
        return _Point(conductances, matrix, gain, residual, pull(gain * residual) if with_gradient else None)

    def linearise(self, point, derivatives, flat):
        """The residual near a point; a free gain takes up what lies along the matrix."""
        length = np.linalg.norm(point.matrix)
        along = point.matrix / length if self.free and length > 0 else None
        return LinearisedMatrix(derivatives, point.gain, along, point.residual, point.gradient,
                                (self.lower - point.conductances, self.upper - point.conductances), flat)


def _choose_start(task, point):
    """With a free scale, conductances low enough for the wires, where the window has room for them; else the targets'."""
    points = [point]
    while task.free and point.length > _GOOD_START * np.linalg.norm(task.targets) and len(points) <= _MOST_HALVINGS:
        halved = np.clip(points[0].conductances * 0.5 ** len(points), task.lower, task.upper)
        point = task.at(halved, with_gradient=False)
        points.append(point)
        if (halved == task.lower).all():
            break
    return min(points, key=lambda point: point.length)


def _descend(task, point):
    """Best point, its optimality, number of iterations."""
    reached = _REACHED * np.linalg.norm(task.targets)
    search, before, optimality = _Search(task), 0.0, 0.0
    for n_iterations in range(_MOST_ITERATIONS):
        if point.length <= reached:
            return point, 0.0, n_iterations
        model = search.linearise(point)
        slope = np.linalg.norm(model.descent(np.zeros_like(point.residual), model.gradient))
        optimality = slope / point.length
        if optimality <= _OPTIMAL:
            return point, optimality, n_iterations
        if before and search.is_old(slope / before):
            model = search.linearise(point, anew=True)
        served = (slope / before) ** 2 if before else 1.0  # a step is found as exactly as the last one led
        trial = search.advance(point, model, max(min(0.1, max(served, 1e-4)) * slope, 0.1 * reached))
        if trial is None:
            return point, optimality, n_iterations
        point, before = trial, slope
    return point, optimality, _MOST_ITERATIONS


class _Search:
    """What is known of the derivatives, and how far they lead."""

    def __init__(self, task):
        self._task, self._derivatives, self._place, self._age, self._damping = task, None, None, 0, 0.0
        self._exact = task.targets.size <= _LARGEST_EXACT

    def linearise(self, point, anew=False):
        """The residual near a point, with the derivatives there if ``anew`` or if there are none."""
        if anew or self._derivatives is None:
            crossbar = replace(self._task.crossbar, conductances=point.conductances)
            self._derivatives, self._place, self._age = Derivatives(crossbar, self._exact), point, 0
        return self._task.linearise(point, self._derivatives, _FLAT[self._exact and self._place is point])

    def is_old(self, left):
        """Whether derivatives are to be found anew where a step has ``left`` so much of the steepest descent; exact ones
        always, for targets out of reach hide what is left to those within."""
        return self._exact or any(self._age >= age and left > share for age, share in _OLD)

    def advance(self, point, model, enough):
        """The next point; None where nothing is to be gained."""
        while self._damping <= _LARGEST_DAMPING:
            step, expected = solve_in_box(model, self._damping, enough)
            negligible, ratio = expected <= _ROUNDING * point.length**2, 0.0
            if not negligible:
                trial = self._task.at(np.clip(point.conductances + step, self._task.lower, self._task.upper))
                ratio = ((1.0 + _ROUNDING) * point.length**2 - trial.length**2) / expected
                self._derivatives.learn(trial.conductances - point.conductances, trial.matrix - point.matrix)
            if ratio > 0.1:
                self._age += 1
                self._trust(ratio)
                return trial
            if self._place is not point:
                model = self.linearise(point, anew=True)
            elif negligible:
                return None
            else:
                self._damping = max(4.0 * self._damping, _FIRST_DAMPING)
        return None

    def _trust(self, ratio):
        """Damping for the next step, after one that gained this share of what was expected."""
        if ratio > 0.75:
            self._damping = self._damping / 4.0 if self._damping > 0.01 * _FIRST_DAMPING else 0.0
        elif ratio < 0.4:
            self._damping = max(2.0 * self._damping, _FIRST_DAMPING)
