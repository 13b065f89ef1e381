"""A passive crossbar: its devices, its wires, what drives and senses it.

``conductances[i, j]`` joins word line i and bit line j. Neighbouring nodes of word line i are joined by one segment of
``word_line_resistance[i]``, those of bit line j by one of ``bit_line_resistance[j]``, or each by its own. An end of a line
that is connected lies behind one segment more and, in series with it, the source resistance of its word line or the sense
resistance of its bit line.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tiocross.checks import as_conductances, as_finite, as_number, as_reals, kind_of
from tiocross.circuit.law import Law
from tiocross.circuit.laws import require_law
from tiocross.circuit.series import Selector, Transistor, pair_up, require_series

LARGEST_RESISTANCE = 1e15  # [ohm]; more is an open line


@dataclass(frozen=True, eq=False, repr=False)
class Crossbar:
    """One crossbar, or many of the same shape and wires.

    Parameters
    ----------
    conductances : (..., n_word_lines, n_bit_lines) array_like
        Devices, each in [0, 1] S, 0 for an open one; leading axes are separate arrays [S].
    wire_resistance : float, optional
        Of one wire segment, of word lines and bit lines alike; zero, or not given, for ideal wires [ohm].
    word_line_resistance : float, (n_word_lines,) or (n_word_lines, n_bit_lines + 1) array_like, optional
        Of every segment of the word lines, of every segment of each word line, or of each segment, if other than
        ``wire_resistance``. Segment ``[i, j]`` of word line i leads to node j from the left, the first from the left end,
        and the last, ``[i, n_bit_lines]``, to the right end; ``inf`` is a broken segment [ohm].
    bit_line_resistance : float, (n_bit_lines,) or (n_word_lines + 1, n_bit_lines) array_like, optional
        The same for bit lines. Segment ``[i, j]`` of bit line j leads to node i from above, the first from the top end, and
        the last, ``[n_word_lines, j]``, to the bottom end; ``inf`` is a broken segment [ohm].
    source_resistance : float or (n_word_lines,) array_like, optional
        Between a source and the end of its word line [ohm].
    sense_resistance : float or (n_bit_lines,) array_like, optional
        Between the end of a bit line and what it is connected to [ohm].
    iv : Sinh, Cubic, Polynomial, AbsolutePolynomial, Asymmetric, Tabulated or None, optional
        Current-voltage law of the devices; None for Ohm's law.
    series : Selector, Transistor or None, optional
        What lies in series with every device.

    Attributes
    ----------
    wire_resistance : float or None
        Of every segment, None where they differ [ohm].
    word_line_resistance : (n_word_lines,) or (n_word_lines, n_bit_lines + 1) ndarray
        One value for each word line, or for each segment where those of a line differ [ohm].
    bit_line_resistance : (n_bit_lines,) or (n_word_lines + 1, n_bit_lines) ndarray
        One value for each bit line, or for each segment where those of a line differ [ohm].
    source_resistance, sense_resistance : (n_word_lines,) and (n_bit_lines,) ndarray
        One value for each line [ohm].

    Raises
    ------
    ValueError
        If a conductance is negative, not finite or above 1 S, a resistance is negative, a shape does not fit, or
        ``wire_resistance`` contradicts those of the lines.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import Crossbar, solve
    >>> from tiocross.units import mV, ohm, uA, uS
    >>> crossbar = Crossbar(np.array([[120, 300], [450, 100], [250, 200]]) * uS, wire_resistance=25 * ohm)
    >>> crossbar.n_word_lines, crossbar.n_bit_lines, crossbar.is_ideal
    (3, 2, False)
    >>> (solve(crossbar, np.array([200, -100, 150]) * mV).bit_line_currents / uA).round(2).tolist()
    [16.34, 76.59]
    >>> segments = np.full((3, 3), 25 * ohm)  # of the word lines
    >>> segments[0, 1] = np.inf  # word line 0 is broken between bit lines 0 and 1
    >>> broken = Crossbar(crossbar.conductances, wire_resistance=25 * ohm, word_line_resistance=segments)
    >>> (solve(broken, np.array([200, -100, 150]) * mV).bit_line_currents / uA).round(2).tolist()
    [16.51, 19.56]
    """

    conductances: np.ndarray
    wire_resistance: float | None = None
    word_line_resistance: np.ndarray | float | None = None
    bit_line_resistance: np.ndarray | float | None = None
    source_resistance: np.ndarray | float = 0.0
    sense_resistance: np.ndarray | float = 0.0
    iv: Law | None = None
    series: Selector | Transistor | None = None

    def __post_init__(self):
        conductances = np.array(as_conductances("conductances", self.conductances), order="C").view()
        conductances.flags.writeable = False  # what was checked stays as it was
        wire = self.wire_resistance
        wire = None if wire is None else as_number("wire_resistance", wire, low=0.0, unit="ohm")
        checked = {"conductances": conductances}
        sides = {"word_line_resistance": -2, "source_resistance": -2, "bit_line_resistance": -1, "sense_resistance": -1}
        for name, axis in sides.items():
            given = getattr(self, name)
            checked[name] = _as_resistances(name, wire or 0.0 if given is None else given, conductances.shape[-2:], axis)
        lines_given = self.word_line_resistance is not None and self.bit_line_resistance is not None
        checked["wire_resistance"] = _common_wire(wire, lines_given, checked["word_line_resistance"],
                                                  checked["bit_line_resistance"])
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        require_law(self.iv, conductances)
        require_series(self.series, conductances)

    def __reduce__(self):
        """Pickled and copied as what it was made of: the arrays stay read-only."""
        return type(self), (self.conductances, self.wire_resistance, self.word_line_resistance, self.bit_line_resistance,
                            self.source_resistance, self.sense_resistance, self.iv, self.series)

    def __repr__(self):
        devices = self.conductances
        arrays = f"{'x'.join(map(str, devices.shape[:-2]))} arrays of " if devices.ndim > 2 else ""
        n_open = int(devices.size - np.count_nonzero(devices))
        wires = np.concatenate([self.word_line_resistance.ravel(), self.bit_line_resistance.ravel()])
        n_broken = int(np.isinf(wires).sum())
        ends = {"wires": wires[np.isfinite(wires)], "sources": self.source_resistance, "sensing": self.sense_resistance}
        parts = [f"{devices.min() * 1e6:.4g} to {devices.max() * 1e6:.4g} uS"]
        parts += [f"{n_open} open"] if n_open else []
        parts += [f"{name} {_range(values)} ohm" for name, values in ends.items() if values.any()] or ["ideal wires"]
        parts += [f"{n_broken} broken segment{'s' if n_broken > 1 else ''}"] if n_broken else []
        parts += [type(self.iv).__name__] if self.iv is not None else []
        parts += [f"{type(self.series).__name__}s in series"] if self.series is not None else []
        return f"<Crossbar: {arrays}{self.n_word_lines} x {self.n_bit_lines} devices, {', '.join(parts)}>"

    @property
    def n_word_lines(self) -> int:
        """Number of word lines (unitless)."""
        return self.conductances.shape[-2]

    @property
    def n_bit_lines(self) -> int:
        """Number of bit lines (unitless)."""
        return self.conductances.shape[-1]

    @cached_property
    def is_ideal(self) -> bool:
        """Whether no wire, source or sense resistance drops any voltage."""
        return not any(resistances.any() for resistances in (self.word_line_resistance, self.bit_line_resistance,
                                                             self.source_resistance, self.sense_resistance))

    @cached_property
    def equivalent(self) -> "Crossbar":
        """The crossbar whose devices are the pairs of a device and what lies in series with it; itself if nothing does. For
        ohmic devices behind ohmic ones a crossbar of ohmic devices, 0 S where a gate is off."""
        if self.series is None:
            return self
        conductances, law = pair_up(self.conductances, self.iv, self.series)
        return replace(self, conductances=conductances, iv=law, series=None)

    def currents(self, device_voltages: np.ndarray) -> np.ndarray:
        """Current of each device [A] at the voltages across it [V]."""
        if self.iv is None:
            return self.conductances * device_voltages
        return self.iv.currents(self.conductances, device_voltages)


def _range(values):
    low, high = values.min(), values.max()
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def require_crossbar(crossbar):
    """Raise TypeError unless ``crossbar`` is a Crossbar."""
    if not isinstance(crossbar, Crossbar):
        raise TypeError(f"crossbar must be a Crossbar, such as Crossbar(conductances, wire_resistance=2.0); got "
                        f"{kind_of(crossbar)}")


def turn(crossbar):
    """The crossbar of ohmic devices with word lines and bit lines exchanged, seen from the other corner."""
    words, bits = (turn_arrays(wires) if wires.ndim == 2 else wires[::-1]
                   for wires in (crossbar.bit_line_resistance, crossbar.word_line_resistance))
    return Crossbar(turn_arrays(crossbar.conductances), word_line_resistance=words, bit_line_resistance=bits,
                    source_resistance=crossbar.sense_resistance[::-1], sense_resistance=crossbar.source_resistance[::-1])


def turn_arrays(arrays):
    """Conductances, matrices or device voltages of a crossbar as those of the turned one: driven where it was sensed."""
    return arrays[..., ::-1, ::-1].swapaxes(-1, -2)


def has_segments(crossbar):
    """Whether segments of a line differ, or are broken."""
    return crossbar.word_line_resistance.ndim == 2 or crossbar.bit_line_resistance.ndim == 2


def spread_segments(crossbar):
    """Resistances of all segments of word lines (M, N + 1) and of bit lines (M + 1, N), inf where one is broken; views
    [ohm]."""
    m, n = crossbar.n_word_lines, crossbar.n_bit_lines
    words, bits = crossbar.word_line_resistance, crossbar.bit_line_resistance
    return np.broadcast_to(words if words.ndim == 2 else words[:, None], (m, n + 1)), np.broadcast_to(bits, (m + 1, n))


def _as_resistances(name, values, shape, axis):
    """One resistance for each line along an axis of the conductances or, of wires, for each segment; read-only."""
    values, n_lines = as_reals(name, values), shape[axis]
    segments = (shape[0] + axis + 2, shape[1] - axis - 1) if name.endswith("line_resistance") else None
    if values.shape == segments:
        return _as_segments(name, values, axis)
    values = as_finite(name, values)
    if values.shape not in ((), (n_lines,)):
        each = f" or {segments}, one for each segment" if segments else ""
        raise ValueError(f"{name} must be one number or have shape ({n_lines},), one for each line{each}; got {values.shape}"
                         f"{'; transposed?' if segments and values.shape == segments[::-1] else ''}")
    values = np.full(n_lines, values) if values.ndim == 0 else values.copy()
    bad = (values < 0) | (values > LARGEST_RESISTANCE)
    if bad.any():
        line = int(np.argmax(bad))
        raise ValueError(f"{name} must lie in [0, {LARGEST_RESISTANCE:g}] ohm; got {values[line]:g} at line {line}")
    values.flags.writeable = False
    return values


def _as_segments(name, values, axis):
    """Read-only copy, of one value for each line where its segments are equal; ValueError at the first segment that is
    neither a resistance nor broken."""
    bad = ~(values >= 0) | (values > LARGEST_RESISTANCE) & np.isfinite(values)
    if bad.any():
        line, segment = (int(k) for k in np.argwhere(bad)[0][:: 1 if axis == -2 else -1])
        raise ValueError(f"{name} must lie in [0, {LARGEST_RESISTANCE:g}] ohm, or be inf where a segment is broken; got "
                         f"{values[bad][0]:g} in segment {segment} of line {line}")
    first = values[:, :1] if axis == -2 else values[:1]
    values = first.flatten() if (values == first).all() and np.isfinite(first).all() else values.copy()
    values.flags.writeable = False
    return values


def _common_wire(given, lines_given, *lines):
    """The resistance of every segment, if they have one; ValueError if another was given besides those of all lines."""
    segments = np.concatenate([each.ravel() for each in lines])
    if given is not None and lines_given and not (segments == given).all():
        raise ValueError(f"wire_resistance = {given:g} ohm contradicts word_line_resistance and bit_line_resistance, which "
                         "were both given, or taken over by dataclasses.replace; set those to be changed, or to None")
    return float(segments[0]) if (segments == segments[0]).all() and segments[0] < np.inf else None
