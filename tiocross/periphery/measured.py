"""What an activation circuit gives, as measured: a rising curve through points, and the CSV files that hold them."""

from dataclasses import dataclass
from os import PathLike

import numpy as np

from tiocross.checks import require_text
from tiocross.records import ArrayRecord, array, check_fields, number
from tiocross.sheets import name_and_unit, read_sheet, require_unit
from tiocross.units import mV

_UNITS = {"V": 1.0, "mV": mV, "-": 1.0}
_COLUMNS = ("input", "output")


@dataclass(frozen=True, eq=False, repr=False)
class MeasuredCurve(ArrayRecord):
    """The measured activation of hidden units, in place of the network's formula, for a `Periphery`.

    Between the points it rises smoothly, beyond them it stays what it is at the ends. A sum s of the network is the input
    ``input_per_unit`` s + ``input_at_zero`` of the circuit, and its output y stands for (y - ``output_at_zero``) /
    ``output_per_unit``.

    Parameters
    ----------
    inputs : (n_points,) array_like
        Increasing inputs of the circuit, two or more [V].
    outputs : (n_points,) array_like
        What it gave, never falling [V].
    input_per_unit, output_per_unit : float, optional
        What stands for a sum, or an output, of 1 of the network: 1 V without them, so that a curve without unit is in the
        network's own [V].
    input_at_zero, output_at_zero : float, optional
        What stands for a sum, or an output, of 0 [V].
    power : float or None, optional
        What one circuit takes while it works, if stated [W].
    source : str, optional
        Where the numbers come from.

    Raises
    ------
    ValueError
        If there are fewer than two points, inputs do not increase, outputs fall, or all outputs are the same.

    Notes
    -----
    Cubic pieces whose slopes at the points are weighted harmonic means of the slopes beside them keep a rising curve rising
    [1]_; where the measured curve is flat it stays flat.

    References
    ----------
    .. [1] F. N. Fritsch and J. Butland, "A method for constructing local monotone piecewise cubic interpolants", SIAM J.
       Sci. Stat. Comput. 5, 300 (1984), doi:10.1137/0905021.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import MeasuredCurve
    >>> sums = np.linspace(-6, 6, 25)
    >>> curve = MeasuredCurve(sums, 1 / (1 + np.exp(-sums)))
    >>> curve.value(np.array([-9.0, 0.1, 9.0])).round(3).tolist()
    [0.002, 0.525, 0.998]
    """

    inputs: np.ndarray = array("V", ndim=1)
    outputs: np.ndarray = array("V", ndim=1)
    input_per_unit: float = number("V", default=1.0, low=0.0, positive=True)
    output_per_unit: float = number("V", default=1.0, low=0.0, positive=True)
    input_at_zero: float = number("V", default=0.0)
    output_at_zero: float = number("V", default=0.0)
    power: float | None = number("W", default=None, low=0.0, optional=True)
    source: str = "not stated"

    def __post_init__(self):
        check_fields(self)
        require_text("source", self.source)
        x, y = self.inputs, self.outputs
        if x.shape != y.shape or len(x) < 2:
            raise ValueError(f"inputs and outputs must be as many, two or more; got {len(x)} and {len(y)}")
        if (bad := np.diff(x) <= 0).any():
            k = int(np.argmax(bad))
            raise ValueError(f"inputs must increase; got {x[k]:g} and then {x[k + 1]:g} V at point {k + 1}. Order the "
                             "points, and average those of one input")
        if (bad := np.diff(y) < 0).any():
            k = int(np.argmax(bad))
            raise ValueError(f"outputs must not fall; got {y[k]:g} and then {y[k + 1]:g} V at point {k + 1} "
                             f"({int(bad.sum())} such). Smooth the noise away or, if the circuit inverts, give its negative")
        if y[0] == y[-1]:
            raise ValueError(f"outputs must rise somewhere; all are {y[0]:g} V")
        object.__setattr__(self, "_slopes", _slopes_at_points(x, y))

    def value(self, sums: np.ndarray) -> np.ndarray:
        """What units give for these sums of the network (unitless)."""
        k, t, h = self._piece(sums)
        rise, left, right = self._terms(k, h)
        value = self.outputs[k] + t * (left + t * (3.0 * rise - 2.0 * left - right + t * (left + right - 2.0 * rise)))
        return (np.clip(value, self.outputs[k], self.outputs[k + 1]) - self.output_at_zero) / self.output_per_unit

    def slope(self, sums: np.ndarray) -> np.ndarray:
        """Its slope at these sums of the network; zero beyond the points (unitless)."""
        k, t, h = self._piece(sums)
        rise, left, right = self._terms(k, h)
        slope = left + t * (2.0 * (3.0 * rise - 2.0 * left - right) + 3.0 * t * (left + right - 2.0 * rise))
        slope = np.maximum(slope, 0.0) / h * (self.input_per_unit / self.output_per_unit)
        return np.where(self.is_beyond(sums), 0.0, slope)

    def is_beyond(self, sums: np.ndarray) -> np.ndarray:
        """Which of these sums lie beyond the measured inputs (unitless)."""
        x = self._input(sums)
        return (x < self.inputs[0]) | (x > self.inputs[-1])

    @property
    def largest(self) -> float:
        """Largest magnitude of an output (unitless)."""
        return float(np.abs((self.outputs[[0, -1]] - self.output_at_zero) / self.output_per_unit).max())

    @property
    def least(self) -> float:
        """Least output (unitless)."""
        return float((self.outputs[0] - self.output_at_zero) / self.output_per_unit)

    def _input(self, sums):
        return np.asarray(sums, dtype=np.float64) * self.input_per_unit + self.input_at_zero

    def _piece(self, sums):
        """Number of each sum's piece, its place in it from 0 to 1, and the piece's width."""
        x = self._input(sums)
        k = np.clip(np.searchsorted(self.inputs, x, side="right") - 1, 0, len(self.inputs) - 2)
        h = self.inputs[k + 1] - self.inputs[k]
        return k, np.clip((x - self.inputs[k]) / h, 0.0, 1.0), h

    def _terms(self, k, h):
        return self.outputs[k + 1] - self.outputs[k], h * self._slopes[k], h * self._slopes[k + 1]

    def __str__(self):
        return (f"measured, {len(self.inputs)} points, {self.inputs[0]:.4g} to {self.inputs[-1]:.4g} V in, "
                f"{self.outputs[0]:.4g} to {self.outputs[-1]:.4g} V out, {self.input_per_unit:g} V and "
                f"{self.output_per_unit:g} V stand for 1")


def read_activation_csv(path: str | PathLike, *, input_per_unit: float = 1.0, output_per_unit: float = 1.0,
                        input_at_zero: float = 0.0, output_at_zero: float = 0.0, source: str | None = None) -> MeasuredCurve:
    """The measured curve of an activation circuit from a CSV file.

    Parameters
    ----------
    path : str or Path
        File with a line of titles, ``input [V],output [V]``, each in [V], [mV] or, in the network's own units, [-], and one
        line for each point, inputs increasing.
    input_per_unit, output_per_unit, input_at_zero, output_at_zero : float, optional
        As of `MeasuredCurve` [V].
    source : str, optional
        Where the curve comes from; the file's name without it.

    Returns
    -------
    MeasuredCurve
        The curve.

    Raises
    ------
    ValueError
        If a column or its unit is missing, a value is no number, inputs do not increase or outputs fall.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from tiocross import read_activation_csv
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "curve.csv")
    ...     _ = path.write_text("input [mV],output [V]\\n-200,0\\n0,0.5\\n200,1\\n")
    ...     curve = read_activation_csv(path, input_per_unit=0.1)
    >>> curve.value([0.0, 1.0]).tolist()
    [0.5, 0.75]
    """
    sheet = read_sheet(path)
    example = "input [V],output [V]"
    titles = [name_and_unit(cell) for cell in sheet.rows[0][1]] if sheet.rows else []
    if [name for name, _ in titles] != list(_COLUMNS):
        raise ValueError(f"{path}: the first line must name the columns input and output, as in {example!r}; got "
                         f"{', '.join(sheet.rows[0][1])[:60] if sheet.rows else 'an empty file'}")
    for name, unit in titles:
        require_unit(f"{sheet.place(0)}, column {name}", unit, _UNITS, example)
    inputs, outputs = (column * _UNITS[unit] for column, (_, unit) in zip(sheet.table(1, 2).T, titles))
    try:
        return MeasuredCurve(inputs, outputs, input_per_unit, output_per_unit, input_at_zero, output_at_zero,
                             source=f"measured, {path}" if source is None else source)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _slopes_at_points(x, y):
    """Slopes at the points with which the cubic pieces between them never fall; zero beside flat pieces."""
    h, rise = np.diff(x), np.diff(y)
    mean = rise / h
    if len(mean) == 1:
        return np.repeat(mean, 2)
    before, after = 2.0 * h[1:] + h[:-1], h[1:] + 2.0 * h[:-1]
    rises = (mean[:-1] > 0) & (mean[1:] > 0)
    lower, upper = (np.where(rises, part, 1.0) for part in (mean[:-1], mean[1:]))
    inner = np.where(rises, (before + after) / (before / lower + after / upper), 0.0)
    ends = [np.clip(((2.0 * near + far) * slope - near * other) / (near + far), 0.0, 3.0 * slope)
            for near, far, slope, other in ((h[0], h[1], mean[0], mean[1]), (h[-1], h[-2], mean[-1], mean[-2]))]
    return np.concatenate([[ends[0]], inner, [ends[1]]])
