"""Whether a circuit can be solved, and whether it is."""

import numpy as np

from tiocross.checks import as_finite, as_number
from tiocross.circuit.solvers.results import FAR_END
from tiocross.errors import ConvergenceError

LARGEST_VOLTAGE = 1e120  # [V]; beyond, powers and sums of currents might not be numbers
_BEYOND = ("has devices whose currents are beyond 1e308 A, the largest number there is: the law of the devices is too steep "
           "for these voltages{}. Lower the voltages, or correct the parameters of the law")


def require_rtol(rtol):
    """Raise ValueError unless ``rtol`` lies in [1e-14, 1]; below, rounding would be taken for imbalance."""
    as_number("rtol", rtol, low=1e-14, high=1.0)


def as_values_of_lines(what, values, n_lines, line):
    """Float64 array of finite ``values``, one for each ``line``, such as "word line", in the last axis; else ValueError."""
    values = as_finite(what, values)
    if values.ndim == 0 or values.shape[-1] != n_lines:
        raise ValueError(f"{what} must have shape (..., {n_lines}), one for each {line}; got {values.shape}"
                         f"{turned_hint(values.shape, n_lines)}")
    return values


def turned_hint(shape, n_lines):
    """What to add to an error about values of lines: whether they are transposed, where the axis before has their number."""
    return "; transposed?" if len(shape) > 1 and shape[-2] == n_lines != shape[-1] else ""


def require_moderate(what, voltages):
    """Raise ValueError where a voltage is infinite, or so large that currents or powers would be."""
    bad = ~(np.abs(voltages) <= LARGEST_VOLTAGE)
    if bad.any():
        position = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(f"{what} must be finite" + (f"; got {voltages[position]} at index {position}"
                         if not np.isfinite(voltages[position]) else
                         f" and at most {LARGEST_VOLTAGE:g} V; got {voltages[position]:g} V at index {position}"))


def require_consistent(circuit, ends):
    """Raise ValueError where a line without any resistance is held at two voltages."""
    if np.isnan(ends[:, :, :, FAR_END]).all():
        return  # no line is held at both ends
    for side, (name, n_lines) in enumerate(zip(("word line", "bit line"), circuit.shape)):
        resistance = circuit.resistances[side, :2, :n_lines].sum(axis=0)
        root, far = np.moveaxis(ends[:, :, side, :, :n_lines], 2, 0)
        bad = (resistance == 0) & ~np.isnan(root) & ~np.isnan(far) & (root != far)
        if bad.any():
            at = tuple(np.argwhere(bad)[0])
            raise ValueError(f"{name} {at[-1]} has no resistance but its ends are held at {root[at]:g} V and {far[at]:g} V; "
                             "let one end float, or give the line or its source a resistance")


def require_solved(report, rtol, ends=None):
    """Raise ConvergenceError for the worst circuit whose currents are not within the bound; ``ends`` are held at volts."""
    if report.is_one_within(rtol):
        return
    unsolved = ~((report.total <= rtol * report.gross) & np.isfinite(report.gross))
    if unsolved.any():
        worst = np.unravel_index(np.argmax(np.where(unsolved, report.total, -1.0)), unsolved.shape)
        name = f"circuit {worst[1]} of array {worst[0]}" if unsolved.size > 1 else "the circuit"
        n_sweeps, largest, total, _ = figures = [float(values[worst]) for values in (
            report.n_sweeps, report.largest, report.total, report.gross)]
        is_finite = np.isfinite(figures).all()
        text = _unsolved_text(*figures, rtol) if is_finite else _BEYOND.format(_largest(ends))
        raise ConvergenceError(f"{name} {text}", n_sweeps=int(n_sweeps), unbalanced=largest,
                               uncertainty=total if is_finite else np.inf)


def _unsolved_text(n_sweeps, largest, total, gross, rtol):
    return (f"is not solved to rtol = {rtol:g} after {n_sweeps:.0f} sweeps: residuals and rounding add up to {total:.3g} A, "
            f"{largest:.3g} A at the worst node, beside a gross current of {gross:.3g} A. Raise max_sweeps if these were "
            "all it allowed; if not, double precision does not resolve this circuit further, so raise rtol")


def _largest(ends):
    """The largest of the voltages that ends of lines are held at, for people."""
    held = [] if ends is None else np.abs(ends[np.isfinite(ends)])
    return f", up to {np.max(held):g} V" if np.size(held) else ""
