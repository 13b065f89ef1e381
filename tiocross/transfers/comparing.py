"""How well what a chip answers meets what was predicted: deviations, the line of best fit, agreement in class."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import as_finite, transposed_hint
from tiocross.intervals import t_quantile, wilson_interval
from tiocross.learning.network import classify
from tiocross.records import short_text


@dataclass(frozen=True, eq=False)
class Comparison:
    """Measured outputs against predicted ones; print it.

    Parameters
    ----------
    predicted, measured : (n_points, n_outputs) ndarray
        The outputs, in ``unit`` (unitless or as stated).
    unit : str
        What both are in, such as "A"; empty for logits.
    rms, worst : (n_outputs,) ndarray
        Root mean square and largest magnitude of measured - predicted, in ``unit`` (unitless or as stated).
    offset, gain : (n_outputs, 3) ndarray
        Of measured = offset + gain * predicted, least squares: value and ends of its 95 % interval; the offset in ``unit``
        (unitless).
    correlation : (n_outputs,) ndarray
        Between predicted and measured (unitless).
    same_class : tuple of float
        Share of points that both put into the same class, and its 95 % Wilson interval (unitless).
    """

    predicted: np.ndarray
    measured: np.ndarray
    unit: str
    rms: np.ndarray
    worst: np.ndarray
    offset: np.ndarray
    gain: np.ndarray
    correlation: np.ndarray
    same_class: tuple

    def __repr__(self):
        return short_text(self)

    def __str__(self):
        n_points, n_outputs = self.predicted.shape
        share, low, high = self.same_class
        unit = f" ({self.unit})" if self.unit else ""
        lines = [f"{n_points} points, measured against predicted{unit}; 95 % intervals in brackets",
                 f"same class {100 * share:.1f} % [{100 * low:.1f}, {100 * high:.1f}]",
                 f"{'output':>6}  {'rms':>9}  {'worst':>9}  {'offset':<33}{'gain':<27}correlation"]
        for k in range(n_outputs):
            offset = "{:.3g} [{:.3g}, {:.3g}]".format(*self.offset[k])
            gain = "{:.4f} [{:.4f}, {:.4f}]".format(*self.gain[k])
            lines.append(f"{k:>6}  {self.rms[k]:>9.3g}  {self.worst[k]:>9.3g}  {offset:<33}{gain:<27}"
                         f"{self.correlation[k]:.5f}")
        return "\n".join(lines)


def compare_outputs(predicted: ArrayLike, measured: ArrayLike, *, unit: str = "") -> Comparison:
    """How well a prediction meets what was measured.

    Parameters
    ----------
    predicted, measured : (n_points, n_outputs) array_like
        Logits, or other outputs whose sign or largest entry tells the class; three points or more (unitless or as stated).
    unit : str, optional
        What both are in, such as "A"; empty for logits.

    Returns
    -------
    Comparison
        Deviations, line of best fit and agreement.

    Raises
    ------
    ValueError
        If the shapes differ, there are fewer than three points, a value is not finite, or an output never changes.

    Notes
    -----
    The intervals of the line are those of least squares with deviations of one normal law at all points.

    Examples
    --------
    >>> from tiocross import compare_outputs
    >>> compare_outputs([[-1.0], [0.5], [2.0]], [[-1.1], [0.6], [2.0]]).gain.round(3).tolist()
    [[1.033, 0.3, 1.767]]
    """
    predicted, measured = (as_finite(name, values, ndim=2) for name, values in
                           (("predicted", predicted), ("measured", measured)))
    if predicted.shape != measured.shape or len(predicted) < 3 or predicted.shape[1] == 0:
        raise ValueError("predicted and measured must have the same shape (n_points, n_outputs), with three points or more; "
                         f"got {predicted.shape} and {measured.shape}" + transposed_hint(predicted.shape, measured.shape))
    for name, values in (("predicted", predicted), ("measured", measured)):
        constant = np.ptp(values, axis=0) == 0
        if constant.any():
            raise ValueError(f"{name} must vary over the points; output {int(np.argmax(constant))} is always "
                             f"{values[0, np.argmax(constant)]:g}")
    apart = measured - predicted
    offset, gain, correlation = _fit_lines(predicted, measured)
    n_same = int((classify(predicted) == classify(measured)).sum())
    same_class = (n_same / len(predicted), *wilson_interval(n_same, len(predicted)))
    return Comparison(predicted, measured, unit, np.sqrt((apart**2).mean(axis=0)), np.abs(apart).max(axis=0), offset, gain,
                      correlation, same_class)


def _fit_lines(x, y):
    """Offset and gain of y = offset + gain x, each with the ends of its interval, and the correlation, for each column."""
    n = len(x)
    middle, deviations = x.mean(axis=0), x - x.mean(axis=0)
    spread = (deviations**2).sum(axis=0)
    gain = (deviations * (y - y.mean(axis=0))).sum(axis=0) / spread
    offset = y.mean(axis=0) - gain * middle
    left = ((y - offset - gain * x) ** 2).sum(axis=0)
    error = t_quantile(0.975, n - 2) * np.sqrt(left / (n - 2))
    intervals = [np.stack([value, value - half, value + half], axis=1) for value, half in
                 ((offset, error * np.sqrt(1 / n + middle**2 / spread)), (gain, error / np.sqrt(spread)))]
    return *intervals, gain * np.sqrt(spread / ((y - y.mean(axis=0)) ** 2).sum(axis=0))
