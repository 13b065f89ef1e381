"""Conductances that give, through the wires, the matrix that is wanted: compensation of IR drop.

Gauss-Newton on the squared difference, damped where it goes wrong (Levenberg and Marquardt). Each iteration solves a linear
least-squares problem within the window. Its matrix J is never formed: dT_ij / dG_kl = u_kl(i) a_kl(j) (see `adjoint`), so a
product with J is one of two small matrices.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import LARGEST_CONDUCTANCE, as_conductances, as_finite, as_number, require_name
from tiocross.circuit.adjoint import find_line_voltages
from tiocross.circuit.crossbar import Crossbar
from tiocross.circuit.matrices import transfer_matrix

SCALES = ("fixed", "free")

_REACHED = 1e-10  # relative error below which the targets count as reached
_OPTIMAL = 1e-6  # steepest descent relative to what is left, below which nothing is to be gained
_ROUNDING = 1e-12  # relative decrease of the squared error that the solver cannot resolve
_MOST_ITERATIONS = 100
_RTOL = (1e-11, 1e-9)  # of the transfer matrix, whose error is reported, and of its derivatives, which only lead there
_GOOD_START, _MOST_HALVINGS = 0.2, 10  # relative error from which on a free scale starts, halvings of it on the way
_FIRST_DAMPING, _LARGEST_DAMPING = 1e-2, 1e6
_MOST_FACES, _MOST_PRODUCTS = 20, 100  # of a linear problem: sets of devices inside the window, directions for each
_FINEST = 1e-7  # steepest descent, relative to the residual's length, that is not made smaller
_SHORTEST = 1e-6  # share of a direction below which it leads nowhere


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
    Minimises the sum of squares of ``gain * T(G) - targets``. dT_ij/dG_kl = u_kl a_kl, with u the device voltages when 1 V
    drives word line i alone and a those when -1 V drives the bottom end of bit line j alone, so n_word_lines + n_bit_lines
    solutions give all derivatives. Each iteration (Gauss-Newton, damped where it goes wrong [1]_) solves the linear
    least-squares problem within the window by conjugate gradients [2]_ on the devices that are not at an end of it. The
    derivatives are never formed as a matrix: memory is about 40 (n_word_lines + n_bit_lines) bytes a device, and time
    grows with n_word_lines^2 n_bit_lines^2.

    The problem is not convex: what is found is a point that no small change improves. Where targets are reached with a
    free scale the answer is not unique; it is one near the targets, scaled to the window's upper end if they leave it, and
    halved until the wires leave them recognisable. A window that reaches down to open devices may have no optimum with a
    free scale but ever lower conductances; the search then ends after 100 iterations, which `optimality` shows.

    References
    ----------
    .. [1] D. W. Marquardt, "An algorithm for least-squares estimation of nonlinear parameters", J. Soc. Indust. Appl. Math.
       11, 431 (1963).
    .. [2] M. R. Hestenes and E. Stiefel, "Methods of conjugate gradients for solving linear systems", J. Res. Natl. Bur.
       Stand. 49, 409 (1952).

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
        crossbar = replace(self.crossbar, conductances=point.conductances)
        inputs, outputs = (voltages.reshape(len(voltages), -1) for voltages in find_line_voltages(crossbar, _RTOL[1]))
        length = np.linalg.norm(point.matrix)
        along = point.matrix / length if self.free and length > 0 else None
        return _LinearisedMatrix((point.gain * inputs, outputs), along, point.residual,
                                 (self.lower - point.conductances, self.upper - point.conductances))


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
        step, left = _solve_in_box(model, damping, enough)
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


class _LinearisedMatrix:
    """What is left to the targets as a linear function, residual + J step, of a step of the conductances.

    ``voltages``: u (M, devices), times the gain, and a (N, devices) [V]. ``along`` (M, N): direction that a free gain takes
    up, of length 1, or None. ``ends``: lowest and highest step (M, N) [S]. ``gradient`` is J^T residual [S], ``curvature``
    the diagonal of J^T J, above zero.
    """

    def __init__(self, voltages, along, residual, ends):
        inputs, outputs = self.inputs, self.outputs = voltages
        self.along, self.residual = along, residual
        self.lower, self.upper = ends
        curvature = (inputs**2).sum(axis=0) * (outputs**2).sum(axis=0)
        if along is not None:
            own = ((along @ outputs) * inputs).sum(axis=0)
            curvature = np.maximum(curvature - own**2, 1e-3 * curvature)
        self.curvature = np.maximum(curvature, 1e-30 * curvature.max()).reshape(residual.shape)
        self.gradient = self.pull(residual)

    def push(self, step):
        """Change of the residual, J step [S]."""
        return self._without_gain((self.inputs * step.ravel()) @ self.outputs.T)

    def pull(self, residual):
        """J^T residual [S]."""
        return ((self._without_gain(residual) @ self.outputs) * self.inputs).sum(axis=0).reshape(residual.shape)

    def descent(self, step, gradient):
        """Steepest descent from a step that the window leaves, in units in which the curvature of each device is 1 [S]."""
        return np.sqrt(self.curvature) * (np.clip(step - gradient / self.curvature, self.lower, self.upper) - step)

    def _without_gain(self, residual):
        return residual if self.along is None else residual - self.along * (self.along * residual).sum()


def _solve_in_box(model, damping, enough):
    """Step within its ends that minimises the squared residual, damped, until the steepest descent [S] is small ``enough``;
    and that square [S^2]. Conjugate gradients with devices at an end of their window held there, a step along the path bent
    by the window, and again. Where that path leads nowhere, steepest descent along its own bent path does."""
    step, residual = np.zeros_like(model.residual), model.residual
    square = (residual**2).sum()
    for _ in range(_MOST_FACES):
        gradient = model.pull(residual) + damping * model.curvature * step
        if np.linalg.norm(model.descent(step, gradient)) <= max(enough, _FINEST * np.sqrt(square)):
            break
        held = (step <= model.lower) & (gradient > 0) | (step >= model.upper) & (gradient < 0)
        direction = _minimise_on_face(model, -gradient, ~held, damping, 0.5 * enough)
        found = (_follow(model, step, direction, gradient, square, damping)
                 or _follow(model, step, -gradient / model.curvature, gradient, square, damping))
        if found is None:
            break
        step, residual, square = found
    return step, square


def _follow(model, step, direction, gradient, square, damping):
    """Step, residual and damped square after enough of a descent along a path bent by the window; None if there is none."""
    length = 1.0
    while length > _SHORTEST:
        trial = np.clip(step + length * direction, model.lower, model.upper)
        residual = model.residual + model.push(trial)
        lower = (residual**2).sum() + damping * (model.curvature * trial**2).sum()
        if lower <= square + 2e-4 * (gradient * (trial - step)).sum() and lower < square:
            return trial, residual, lower
        length *= 0.5
    return None


def _minimise_on_face(model, force, free, damping, enough):
    """Direction, zero where not free, that minimises the damped squares; conjugate gradients, scaled by the curvature."""
    direction = np.zeros_like(force)
    force = np.where(free, force, 0.0)
    scaled = force / model.curvature
    search, power = scaled, (force * scaled).sum()
    for _ in range(_MOST_PRODUCTS):
        if power <= enough**2:
            break
        pushed, damped = model.push(search), damping * model.curvature * search
        stiffness = (pushed**2).sum() + (search * damped).sum()
        if stiffness == 0:
            break
        direction = direction + power / stiffness * search
        force = force - power / stiffness * np.where(free, model.pull(pushed) + damped, 0.0)
        scaled = force / model.curvature
        power, before = (force * scaled).sum(), power
        search = scaled + (power / before) * search
    return direction
