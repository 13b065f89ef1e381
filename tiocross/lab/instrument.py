"""The instrument protocol: what a chip on the table must answer, whether a probe station or a simulation is behind it.

Anything with a shape, a read and a pulse will do; there is nothing to inherit and nothing to register. An instrument may
also have ``read_array() -> (n_rows, n_columns)`` [S], quicker than device by device; ``make_safe()``, all outputs to 0 V;
and ``close()``. Drivers use them where they are there.
"""

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from tiocross.checks import LARGEST_CONDUCTANCE, as_count, transposed_hint

_RECORDED = ("read_array", "make_safe", "close")


@runtime_checkable
class CrossbarInstrument(Protocol):
    """What a driver needs of a crossbar: rows are word lines, columns are bit lines, all units are SI.

    Attributes
    ----------
    shape : tuple of int
        (n_rows, n_columns) (unitless).
    """

    shape: tuple[int, int]

    def read(self, row, column):
        """Conductance of one device as a float [S]; NaN if it could not be measured."""

    def pulse(self, row, column, amplitude, width):
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


class Call(NamedTuple):
    """One call of an instrument: its method, its arguments, and what came back or was raised."""

    method: str
    arguments: tuple
    result: object


class RecordingInstrument:
    """An instrument that passes every call on to another and keeps it, for tests and lab books.

    It has the optional methods that the other has. Whatever else is asked of it is answered by the other.

    Parameters
    ----------
    instrument : CrossbarInstrument
        The instrument that answers (unitless).

    Attributes
    ----------
    calls : list of Call
        Every call so far; one that failed has its exception as the result (unitless).
    """

    def __init__(self, instrument):
        require_instrument(instrument)
        self._instrument = instrument
        self.calls = []

    @property
    def shape(self):
        """(n_rows, n_columns) of the instrument (unitless)."""
        return self._instrument.shape

    def read(self, row, column):
        """Reading of one device [S]."""
        return self._pass_on("read", row, column)

    def pulse(self, row, column, amplitude, width):
        """Apply one voltage pulse to one device.

        Parameters
        ----------
        row, column : int
            Word line and bit line of the device (unitless).
        amplitude : float
            Positive for SET [V].
        width : float
            Length of the pulse [s].
        """
        return self._pass_on("pulse", row, column, amplitude, width)

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        value = getattr(self._instrument, name)
        return (lambda: self._pass_on(name)) if name in _RECORDED else value

    def _pass_on(self, method, *arguments):
        try:
            result = getattr(self._instrument, method)(*arguments)
        except BaseException as error:
            self.calls.append(Call(method, arguments, error))
            raise
        self.calls.append(Call(method, arguments, result))
        return result


def require_instrument(instrument):
    """(n_rows, n_columns) of an instrument; TypeError or ValueError naming what it lacks (unitless)."""
    if isinstance(instrument, type):
        raise TypeError(f"instrument must be an object, not the class {instrument.__name__}; call it first")
    lacking = [f"{name}()" for name in ("read", "pulse") if not callable(getattr(instrument, name, None))]
    lacking += [] if hasattr(instrument, "shape") else ["shape"]
    if lacking:
        raise TypeError("instrument must have shape, read(row, column) and pulse(row, column, amplitude, width); a "
                        f"{type(instrument).__name__} lacks {', '.join(lacking)}")
    shape = instrument.shape
    if not isinstance(shape, (tuple, list)) or len(shape) != 2:
        raise TypeError(f"the shape of the instrument must be a tuple (n_rows, n_columns); got {shape!r}")
    return as_count("n_rows of the instrument", shape[0]), as_count("n_columns of the instrument", shape[1])


def read_whole(instrument):
    """Read every device, in one go where the instrument can.

    Parameters
    ----------
    instrument : CrossbarInstrument
        The instrument (unitless).

    Returns
    -------
    (n_rows, n_columns) ndarray
        Readings as the instrument gave them; one that it could not take may be NaN, infinite or negative [S].

    Raises
    ------
    ValueError
        If ``read_array`` gives another shape.
    """
    n_rows, n_columns = require_instrument(instrument)
    if not callable(getattr(instrument, "read_array", None)):
        return np.array([[float(instrument.read(i, j)) for j in range(n_columns)] for i in range(n_rows)])
    readings = np.array(instrument.read_array(), dtype=np.float64)
    if readings.shape != (n_rows, n_columns):
        raise ValueError(f"read_array() must give shape {n_rows, n_columns}; got {readings.shape}"
                         + transposed_hint(readings.shape, (n_rows, n_columns)))
    return readings


def is_reading(values):
    """Whether each of ``values`` [S] is a conductance: a failed reading is NaN, infinite, negative or above 1 S."""
    return (values >= 0) & (values <= LARGEST_CONDUCTANCE)
