"""The instrument protocol: what a chip on the table must answer, whether a probe station or a simulation is behind it.

Anything with a shape, a read and a pulse will do; there is nothing to inherit and nothing to register. An instrument may
also have ``read_array() -> (n_rows, n_columns)`` [S], quicker than device by device, masked where not measured;
``make_safe()``, all outputs to 0 V; ``close()``; and ``read_scheme``, a text: "floating" if the other lines float while a
device is read. Drivers use them where they are there.
"""

import math
import numbers
from typing import Protocol, runtime_checkable

import numpy as np

from tiocross.checks import LARGEST_CONDUCTANCE, as_reals, as_shape, kind_of, require_shape


@runtime_checkable
class CrossbarInstrument(Protocol):
    """What a driver needs of a crossbar: rows are word lines, columns are bit lines, all units are SI.

    Attributes
    ----------
    shape : tuple of int
        (n_rows, n_columns) (unitless).
    """

    shape: tuple[int, int]

    def read(self, row: int, column: int) -> float:
        """Conductance of one device as a float [S]; NaN if it could not be measured."""

    def pulse(self, row: int, column: int, amplitude: float, width: float) -> None:
        """Apply one voltage pulse to one device.

        Parameters
        ----------
        row, column : int
            Word line and bit line of the device (unitless).
        amplitude : float
            Positive for SET, which raises the conductance; negative for RESET [V].
        width : float
            Length of the pulse [s].
        """


def require_instrument(instrument):
    """(n_rows, n_columns) of an instrument; TypeError or ValueError naming what it lacks."""
    if isinstance(instrument, type):
        raise TypeError(f"instrument must be an object, not the class {instrument.__name__}; call it first")
    lacking = [f"{name}()" for name in ("read", "pulse") if not callable(getattr(instrument, name, None))]
    lacking += [] if hasattr(instrument, "shape") else ["shape"]
    if lacking:
        raise TypeError("instrument must have shape, read(row, column) and pulse(row, column, amplitude, width); "
                        f"{kind_of(instrument)} lacks {', '.join(lacking)}")
    return as_shape("the shape of the instrument", instrument.shape)


def require_place(row, column, shape):
    """Raise ValueError unless the array of ``shape`` has a device at this row and column."""
    if not (0 <= row < shape[0] and 0 <= column < shape[1]):
        raise ValueError(f"row {row}, column {column} is outside the array of {shape[0]} x {shape[1]}")


def read_whole(instrument):
    """Readings (n_rows, n_columns) [S] of every device as the instrument gives them, in one go where it can.

    A device that the instrument could not read may be NaN, infinite or negative.
    """
    n_rows, n_columns = require_instrument(instrument)
    if not callable(getattr(instrument, "read_array", None)):
        return np.array([[as_reading(instrument.read(i, j)) for j in range(n_columns)] for i in range(n_rows)])
    given = instrument.read_array()
    masked = np.ma.getmaskarray(given) if isinstance(given, np.ma.MaskedArray) else False
    readings = as_reals("the array that read_array() gives", np.ma.getdata(given) if np.any(masked) else given)
    require_shape("the array that read_array() gives", readings.shape, (n_rows, n_columns), ", that of the instrument")
    return np.where(masked, np.nan, readings)  # masked: not measured


def as_reading(value):
    """Float of what ``read()`` gave, NaN if it is masked; TypeError unless it is one real number."""
    if type(value) is float:
        return value
    if value is np.ma.masked:
        return math.nan
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(f"read() must give a conductance as a float, in siemens; got {str(value)[:80]!r} "
                        f"({type(value).__name__})")
    return float(value)


def is_reading(values):
    """Whether each of ``values`` [S] is a conductance: a failed reading is NaN, infinite, negative or above 1 S."""
    return (values >= 0) & (values <= LARGEST_CONDUCTANCE)
