"""How the ends of the lines are connected: named boundary conditions for reading and writing.

Every line has two ends, left and right of a word line, top and bottom of a bit line. Each end is held at a voltage or
floats. A selected word line is driven at its left end. A selected bit line is sensed at its bottom end, held at 0 V.

A new scheme for one selected device is one line in `UNSELECTED`, and its name in those for reads, for writes or for both.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from tiocross.checks import as_finite, as_number, as_reals, require_name, short_repr
from tiocross.circuit.crossbar import Crossbar, require_crossbar
from tiocross.circuit.solvers.checks import as_values_of_lines, require_moderate, turned_hint
from tiocross.circuit.solvers.results import BITS, FAR_END, ROOT_END, WORDS
from tiocross.records import short_text

READ_SCHEMES = ("floating", "grounded", "V/2", "V/3")
WRITE_SCHEMES = ("V/2", "V/3")
UNSELECTED = {  # voltages of the other word lines and of the other bit lines, from that of the selected word line
    "floating": lambda voltage: (np.nan, np.nan),
    "grounded": lambda voltage: (0.0, 0.0),
    "V/2": lambda voltage: (voltage / 2, voltage / 2),
    "V/3": lambda voltage: (voltage / 3, 2 * voltage / 3),
}


@dataclass(frozen=True, eq=False)
class Biasing:
    """Voltages at the ends of the lines, NaN where an end floats; leading axes are a batch.

    Parameters
    ----------
    left, right : (..., n_word_lines) ndarray
        At the ends of the word lines [V].
    top, bottom : (..., n_bit_lines) ndarray
        At the ends of the bit lines [V].
    selected : (int, int) or pair of int arrays, optional
        Word line and bit line of the device that is read or written; arrays broadcast to the batch (unitless).

    Raises
    ------
    ValueError
        If a voltage is infinite or the leading axes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import Biasing
    >>> floating = np.full(2, np.nan)
    >>> Biasing([0.2, 0.0], floating, floating, [0.0, 0.0]).batch  # left and bottom ends held
    ()
    """

    left: np.ndarray
    right: np.ndarray
    top: np.ndarray
    bottom: np.ndarray
    selected: tuple[int | np.ndarray, int | np.ndarray] | None = None

    def __repr__(self):
        return short_text(self)

    def __post_init__(self):
        ends = {name: _as_end(name, getattr(self, name)) for name in ("left", "right", "top", "bottom")}
        try:
            np.broadcast_shapes(*(end.shape[:-1] for end in ends.values()))
        except ValueError:
            raise ValueError("the leading axes of the ends do not broadcast against each other: "
                             + ", ".join(f"{name} {end.shape}" for name, end in ends.items())) from None
        for name, end in ends.items():
            object.__setattr__(self, name, end)
        if self.selected is not None:
            object.__setattr__(self, "selected", _as_selected(self.selected, self.batch))

    def __reduce__(self):
        return type(self), (self.left, self.right, self.top, self.bottom, self.selected)  # read-only again

    @cached_property
    def batch(self) -> tuple[int, ...]:
        """Shape of the batch (unitless)."""
        return np.broadcast_shapes(*(end.shape[:-1] for end in (self.left, self.right, self.top, self.bottom)))


def read_columns(crossbar: Crossbar, voltages: ArrayLike) -> Biasing:
    """Read of all bit lines at once: word lines driven at the left, bit lines held at 0 V at the bottom.

    Parameters
    ----------
    crossbar : Crossbar
        The circuit.
    voltages : (..., n_word_lines) array_like
        Of the word lines [V].

    Returns
    -------
    Biasing
        For `solve`.

    Examples
    --------
    >>> from tiocross import Crossbar, read_columns
    >>> crossbar = Crossbar([[1e-4, 2e-4], [3e-4, 4e-4], [5e-4, 1e-4]], wire_resistance=2.0)
    >>> biasing = read_columns(crossbar, [0.1, 0.2, 0.0])
    >>> biasing.left.tolist(), biasing.bottom.tolist()
    ([0.1, 0.2, 0.0], [0.0, 0.0])
    """
    require_crossbar(crossbar)
    return custom(crossbar, left=as_values_of_lines("voltages", voltages, crossbar.n_word_lines, "word line"), bottom=0.0)


def read_device(crossbar: Crossbar, word_line: ArrayLike, bit_line: ArrayLike, voltage: ArrayLike, *,
                unselected: str = "floating") -> Biasing:
    """Read of one device: its word line at ``voltage``, its bit line sensed at 0 V. Arrays are many reads, a batch.

    Parameters
    ----------
    crossbar : Crossbar
        The circuit.
    word_line, bit_line : int or int array_like
        The selected device, or those of many reads; they and the voltages broadcast against each other (unitless).
    voltage : float or array_like
        Of the selected word line [V].
    unselected : str, optional
        What the other lines do: "floating"; "grounded", all at 0 V; "V/2", all at half the voltage; "V/3", word lines at
        a third of it and bit lines at two thirds.

    Returns
    -------
    Biasing
        For `solve`.

    Examples
    --------
    >>> from tiocross import Crossbar, read_device, solve
    >>> crossbar = Crossbar([[1e-4, 2e-4], [3e-4, 4e-4], [5e-4, 1e-4]], wire_resistance=2.0)
    >>> solution = solve(crossbar, read_device(crossbar, 2, 1, 0.2))
    >>> float(round(solution.bit_line_currents[1] / 0.2 * 1e6, 1))  # through a device of 100 uS and other paths [uS]
    260.9
    >>> row = solve(crossbar, read_device(crossbar, 2, [0, 1], 0.2, unselected="grounded"))  # two reads
    >>> (row.selected_current / 0.2 * 1e6).round(1).tolist()  # through the devices themselves [uS]
    [498.9, 99.8]
    """
    require_name("unselected", unselected, READ_SCHEMES)
    return _select(crossbar, word_line, bit_line, voltage, unselected)


def write_device(crossbar: Crossbar, word_line: ArrayLike, bit_line: ArrayLike, voltage: ArrayLike, *,
                 scheme: str = "V/2") -> Biasing:
    """Write of one device: its word line at ``voltage``, its bit line at 0 V, the others half or third selected. Arrays are
    many writes, a batch.

    Parameters
    ----------
    crossbar : Crossbar
        The circuit.
    word_line, bit_line : int or int array_like
        The selected device, or those of many writes; they and the voltages broadcast against each other (unitless).
    voltage : float or array_like
        Of the selected word line; positive to SET [V].
    scheme : str, optional
        "V/2", all other lines at half the voltage; "V/3", other word lines at a third, bit lines at two thirds.

    Returns
    -------
    Biasing
        For `solve`.

    Examples
    --------
    >>> from tiocross import Crossbar, solve, write_device
    >>> crossbar = Crossbar([[1e-4, 2e-4], [3e-4, 4e-4], [5e-4, 1e-4]], wire_resistance=2.0)
    >>> solution = solve(crossbar, write_device(crossbar, 0, 0, 1.2))
    >>> abs(solution.device_voltages).round(2).tolist()  # the selected device, and those half selected [V]
    [[1.2, 0.6], [0.6, 0.0], [0.6, 0.0]]
    """
    require_name("scheme", scheme, WRITE_SCHEMES)
    return _select(crossbar, word_line, bit_line, voltage, scheme)


def custom(crossbar: Crossbar, *, left: ArrayLike | None = None, right: ArrayLike | None = None,
           top: ArrayLike | None = None, bottom: ArrayLike | None = None) -> Biasing:
    """Biasing with any voltages at any ends.

    Parameters
    ----------
    crossbar : Crossbar
        The circuit.
    left, right : float or (..., n_word_lines) array_like, optional
        At the ends of the word lines; None, or NaN for single lines, where they float [V].
    top, bottom : float or (..., n_bit_lines) array_like, optional
        At the ends of the bit lines; None, or NaN for single lines, where they float [V].

    Returns
    -------
    Biasing
        For `solve`.

    Raises
    ------
    ValueError
        If a shape does not fit or a voltage is infinite.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import Crossbar, custom, solve
    >>> crossbar = Crossbar([[1e-4, 2e-4], [3e-4, 4e-4], [5e-4, 1e-4]], wire_resistance=2.0)
    >>> both = custom(crossbar, left=[0.2, 0.1, np.nan], right=0.2, bottom=0.0)  # word line 2 is driven at the right only
    >>> (solve(crossbar, both).bit_line_currents * 1e6).round(1).tolist()  # [uA]
    [159.4, 126.3]
    """
    require_crossbar(crossbar)
    ends = {"left": left, "right": right, "top": top, "bottom": bottom}
    for name, values in ends.items():
        n_lines = crossbar.n_word_lines if name in ("left", "right") else crossbar.n_bit_lines
        values = as_reals(name, np.nan if values is None else values)
        ends[name] = np.full(n_lines, values) if values.ndim == 0 else values
    biasing = Biasing(**ends)
    require_fitting(crossbar, biasing)
    return biasing


def as_biasing(crossbar, inputs):
    """The Biasing that ``inputs`` are, or that reads all columns with these voltages [V]; checked against the crossbar."""
    if not isinstance(inputs, Biasing):
        return read_columns(crossbar, inputs)
    require_fitting(crossbar, inputs)
    return inputs


def require_fitting(crossbar, biasing):
    """Raise ValueError unless the biasing has as many lines as the crossbar, and its selected device."""
    for name in ("left", "right", "top", "bottom"):
        n_lines = crossbar.n_word_lines if name in ("left", "right") else crossbar.n_bit_lines
        end = getattr(biasing, name)
        if end.shape[-1] != n_lines:
            raise ValueError(f"{name} must be one voltage or have shape (..., {n_lines}), one for each line of the "
                             f"crossbar; got {end.shape}{turned_hint(end.shape, n_lines)}")
    if biasing.selected is not None:
        word_line, bit_line = biasing.selected
        _as_lines("selected word line", word_line, crossbar.n_word_lines)
        _as_lines("selected bit line", bit_line, crossbar.n_bit_lines)


def is_plain_read(biasing):
    """Whether left ends are driven, bottom ends at 0 V, and everything else floats."""
    return (np.isnan(biasing.right).all() and np.isnan(biasing.top).all() and not np.isnan(biasing.left).any()
            and not biasing.bottom.any())


def join_ends(biasing, batch):
    """Voltages of all ends in one (*batch, 2, 2, n) array [V]: word lines, then bit lines; of each the left or bottom ends,
    then the right or top ends; NaN where an end floats, and beyond the lines of the side that has fewer."""
    n_lines = max(biasing.left.shape[-1], biasing.bottom.shape[-1])
    ends = np.full((*batch, 2, 2, n_lines), np.nan)
    for side, roots, fars in ((WORDS, biasing.left, biasing.right), (BITS, biasing.bottom, biasing.top)):
        ends[..., side, ROOT_END, : roots.shape[-1]] = roots
        ends[..., side, FAR_END, : fars.shape[-1]] = fars
    return ends


def _as_end(name, values):
    """Float64 copy with at least one axis; NaN is allowed."""
    if values is None:
        raise TypeError(f"{name} must be voltages, NaN where an end floats; got None")
    end = np.atleast_1d(as_reals(name, values)).copy()
    require_moderate(name, np.nan_to_num(end, posinf=np.inf, neginf=-np.inf))
    end.flags.writeable = False
    return end


def _as_selected(selected, batch):
    """Two numbers of lines, or two read-only arrays of them with the shape of the batch."""
    if not isinstance(selected, (tuple, list)) or len(selected) != 2:
        raise ValueError(f"selected must be a pair, word line and bit line; got {short_repr(selected)}")
    if all(np.ndim(lines) == 0 for lines in selected):
        return tuple(selected)
    try:
        spread = tuple(np.broadcast_to(lines, batch) for lines in selected)
    except ValueError:
        shapes = " and ".join(str(np.shape(lines)) for lines in selected)
        raise ValueError(f"selected lines of shapes {shapes} do not broadcast to the batch {batch}") from None
    return spread


def _select(crossbar, word_line, bit_line, voltage, scheme):
    require_crossbar(crossbar)
    voltage = as_number("voltage", voltage, unit="V") if np.ndim(voltage) == 0 else as_finite("voltage", voltage)
    word_line = _as_lines("word_line", word_line, crossbar.n_word_lines)
    bit_line = _as_lines("bit_line", bit_line, crossbar.n_bit_lines)
    try:
        batch = np.broadcast_shapes(np.shape(word_line), np.shape(bit_line), np.shape(voltage))
    except ValueError:
        raise ValueError(f"word_line {np.shape(word_line)}, bit_line {np.shape(bit_line)} and voltage {np.shape(voltage)} "
                         "do not broadcast against each other") from None
    lines = np.broadcast_to(word_line, batch)[..., None], np.broadcast_to(bit_line, batch)[..., None]
    volts = np.broadcast_to(voltage, batch)[..., None]
    of_words, of_bits = UNSELECTED[scheme](volts)
    left = np.where(np.arange(crossbar.n_word_lines) == lines[0], volts, of_words)
    bottom = np.where(np.arange(crossbar.n_bit_lines) == lines[1], 0.0, of_bits)
    floating = np.full(crossbar.n_word_lines, np.nan), np.full(crossbar.n_bit_lines, np.nan)
    return Biasing(left, *floating, bottom, (word_line, bit_line))


def _as_lines(name, lines, n_lines):
    """One number of a line as an int, or an array of them."""
    if np.ndim(lines) == 0:
        return _as_line(name, lines, n_lines)
    array = np.asarray(lines)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be whole numbers; got an array of {array.dtype}")
    bad = (array < 0) | (array >= n_lines)
    if bad.any():
        at = tuple(int(k) for k in np.argwhere(bad)[0])
        raise ValueError(f"{name} must lie in 0 .. {n_lines - 1}; got {array[at]} at index {at}")
    return array.astype(np.int64)


def _as_line(name, line, n_lines):
    if isinstance(line, np.ndarray):
        line = line[()]
    if isinstance(line, (bool, np.bool_)) or not isinstance(line, (int, np.integer)):
        raise TypeError(f"{name} must be a whole number; got {short_repr(line)}")
    if not 0 <= line < n_lines:
        raise ValueError(f"{name} must lie in 0 .. {n_lines - 1}; got {short_repr(line)}")
    return int(line)
