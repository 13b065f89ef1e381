"""A passive crossbar: its devices, its wires, what drives and senses it.

``conductances[i, j]`` joins word line i and bit line j. Neighbouring nodes of word line i are joined by one segment of
``word_line_resistance[i]``, those of bit line j by one of ``bit_line_resistance[j]``. An end of a line that is connected
lies behind one segment more and, in series with it, the source resistance of its word line or the sense resistance of
its bit line.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from types import NoneType

import numpy as np

from tiocross.circuit.laws import Cubic, Sinh
from tiocross.circuit.solvers.hierarchy import plan_arrays
from tiocross.checks import as_conductances, as_finite, as_number

_LARGEST_RESISTANCE = 1e15  # [ohm]; more is an open line


@dataclass(frozen=True, eq=False)
class Crossbar:
    """One crossbar, or many of the same shape and wires.

    Parameters
    ----------
    conductances : (..., n_word_lines, n_bit_lines) array_like
        Devices, each in [0, 1] S, 0 for an open one; leading axes are separate arrays [S].
    wire_resistance : float, optional
        Of one wire segment, of word lines and bit lines alike; zero, or not given, for ideal wires [ohm].
    word_line_resistance : float or (n_word_lines,) array_like, optional
        Of one segment of the word lines, or of each word line, if other than ``wire_resistance`` [ohm].
    bit_line_resistance : float or (n_bit_lines,) array_like, optional
        Of one segment of the bit lines, or of each bit line, if other than ``wire_resistance`` [ohm].
    source_resistance : float or (n_word_lines,) array_like, optional
        Between a source and the end of its word line [ohm].
    sense_resistance : float or (n_bit_lines,) array_like, optional
        Between the end of a bit line and what it is connected to [ohm].
    iv : Sinh, Cubic or None, optional
        Current-voltage law of the devices; None for Ohm's law (unitless).

    Attributes
    ----------
    wire_resistance : float or None
        Of every segment, None where they differ [ohm].
    word_line_resistance, source_resistance : (n_word_lines,) ndarray
        One value a word line [ohm].
    bit_line_resistance, sense_resistance : (n_bit_lines,) ndarray
        One value a bit line [ohm].
    arrays : (n_arrays, n_word_lines, n_bit_lines) ndarray
        The conductances with one leading axis, not to be changed [S].

    Raises
    ------
    ValueError
        If a conductance is negative, not finite or above 1 S, a resistance is negative, a shape does not fit, or
        ``wire_resistance`` contradicts those of the lines.
    """

    conductances: np.ndarray
    wire_resistance: float = None
    word_line_resistance: np.ndarray = None
    bit_line_resistance: np.ndarray = None
    source_resistance: np.ndarray = 0.0
    sense_resistance: np.ndarray = 0.0
    iv: object = None

    def __post_init__(self):
        arrays = np.array(as_conductances("conductances", self.conductances), order="C")
        conductances = arrays.view()
        conductances.flags.writeable = False  # what was checked stays as it was
        object.__setattr__(self, "arrays", arrays.reshape(-1, *arrays.shape[-2:]))  # as the kernels want it, writeable
        wire = self.wire_resistance
        wire = None if wire is None else as_number("wire_resistance", wire, low=0.0, unit="ohm")
        checked = {"conductances": conductances}
        sides = {"word_line_resistance": -2, "source_resistance": -2, "bit_line_resistance": -1, "sense_resistance": -1}
        for name, axis in sides.items():
            given = getattr(self, name)
            checked[name] = _as_resistances(name, wire or 0.0 if given is None else given, conductances.shape[axis])
        lines_given = self.word_line_resistance is not None and self.bit_line_resistance is not None
        checked["wire_resistance"] = _common_wire(wire, lines_given, checked["word_line_resistance"],
                                                  checked["bit_line_resistance"])
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        _check_law(self.iv, conductances.shape)

    def __reduce__(self):
        """Pickled and copied as what it was made of: the arrays stay read-only and one."""
        return type(self), (self.conductances, self.wire_resistance, self.word_line_resistance, self.bit_line_resistance,
                            self.source_resistance, self.sense_resistance, self.iv)

    @classmethod
    def from_readout(cls, currents, voltage, *, noise_floor=0.0, wire_resistance=0.0, source_resistance=0.0,
                     sense_resistance=0.0, unselected="grounded", iv=None):
        """Crossbar whose devices explain measured readings, each device read alone.

        Parameters
        ----------
        currents : (n_word_lines, n_bit_lines) array_like
            Out of the selected bit line, with the voltage on the selected word line [A].
        voltage : float
            Of the read; negative if the currents are [V].
        noise_floor : float, optional
            Readings, and conductances found, below it are noise: such a device becomes open, 0 S; other readings are met
            within it [S].
        wire_resistance, source_resistance, sense_resistance : float or array_like, optional
            As for the crossbar [ohm].
        unselected : str, optional
            What the other lines do: "grounded", all at 0 V, or "floating", up to 4096 devices (unitless).
        iv : Sinh, Cubic or None, optional
            Law of the devices; conductances are its slopes at 0 V (unitless).

        Returns
        -------
        Crossbar
            ``(crossbar.conductances == 0).sum()`` counts its open devices.

        Raises
        ------
        ValueError
            If a current is not finite, flows against the voltage, means more than 1 S, or the readings cannot come from
            devices behind such wires.
        """
        from tiocross.circuit.readout import as_apparent, find_conductances  # they make crossbars themselves

        apparent = as_apparent(currents, voltage, noise_floor)
        wires = cls(apparent, wire_resistance, source_resistance=source_resistance, sense_resistance=sense_resistance, iv=iv)
        return replace(wires, conductances=find_conductances(wires, apparent, voltage, noise_floor, unselected))

    @property
    def n_word_lines(self):
        """Number of word lines (unitless)."""
        return self.conductances.shape[-2]

    @property
    def n_bit_lines(self):
        """Number of bit lines (unitless)."""
        return self.conductances.shape[-1]

    @cached_property
    def is_ideal(self):
        """Whether no wire, source or sense resistance drops any voltage (unitless)."""
        return not any(resistances.any() for resistances in (self.word_line_resistance, self.bit_line_resistance,
                                                             self.source_resistance, self.sense_resistance))

    @cached_property
    def read_resistances(self):
        """Of a segment, and behind the root (left, bottom) and far ends, of word lines and of bit lines, when all bit lines
        are read: (2, 3, n), infinite where an end floats [ohm]."""
        shape = self.conductances.shape[-2:]
        resistances = np.zeros((2, 3, max(*shape, 8) + 2))
        for side, lines in enumerate(((self.word_line_resistance, self.source_resistance),
                                      (self.bit_line_resistance, self.sense_resistance))):
            resistances[side, :2, : shape[side]] = lines
            resistances[side, 2, : shape[side]] = np.inf
        return resistances

    @cached_property
    def read_lines(self):
        """The first two of ``read_resistances`` of word lines, then of bit lines, (4, n) [ohm]."""
        return np.ascontiguousarray(self.read_resistances[:, :2]).reshape(4, -1)

    @cached_property
    def read_plans(self):
        """Geometry for each array when all bit lines are read: pairs of a `Plan` and the arrays that it is for."""
        return plan_arrays(self.arrays, self.read_resistances)

    @property
    def parameters(self):
        """Parameter of each device's law, (n_arrays, n_word_lines, n_bit_lines) [V or 1/V^2]."""
        return np.broadcast_to(self.iv.parameter, self.conductances.shape).reshape(self.arrays.shape)

    def part(self, which):
        """Some of the arrays, a slice of ``arrays``, as a crossbar of its own that shares their memory (unitless)."""
        if len(self.arrays[which]) == len(self.arrays):
            return self
        part = object.__new__(type(self))
        part.__dict__.update(self.__dict__)
        part.__dict__.pop("read_plans", None)  # found for all
        law = self.iv
        if law is not None:
            law = type(law)(self.parameters[which])
        for name, value in (("arrays", self.arrays[which]), ("conductances", self.arrays[which]), ("iv", law)):
            object.__setattr__(part, name, value)
        return part

    def currents(self, device_voltages):
        """Current of each device [A] at the voltages across it [V]."""
        if self.iv is None:
            return self.conductances * device_voltages
        return self.iv.currents(self.conductances, device_voltages)


def require_crossbar(crossbar):
    """Raise TypeError unless ``crossbar`` is a Crossbar."""
    if not isinstance(crossbar, Crossbar):
        raise TypeError(f"crossbar must be a Crossbar, such as Crossbar(conductances, wire_resistance=2.0); got a "
                        f"{type(crossbar).__name__}")


def _as_resistances(name, values, n_lines):
    values = as_finite(name, values)
    if values.shape not in ((), (n_lines,)):
        raise ValueError(f"{name} must be one number or have shape ({n_lines},), one for each line; got {values.shape}")
    values = np.full(n_lines, values) if values.ndim == 0 else values.copy()
    bad = (values < 0) | (values > _LARGEST_RESISTANCE)
    if bad.any():
        line = int(np.argmax(bad))
        raise ValueError(f"{name} must lie in [0, {_LARGEST_RESISTANCE:g}] ohm; got {values[line]:g} at line {line}")
    values.flags.writeable = False
    return values


def _common_wire(given, lines_given, *lines):
    """The resistance of every segment, if they have one; ValueError if another was given besides those of all lines."""
    segments = np.concatenate(lines)
    if given is not None and lines_given and not (segments == given).all():
        raise ValueError(f"wire_resistance = {given:g} ohm contradicts word_line_resistance and bit_line_resistance, which "
                         "were both given, or taken over by dataclasses.replace; set those to be changed, or to None")
    return float(segments[0]) if (segments == segments[0]).all() else None


def _check_law(law, shape):
    if not isinstance(law, (Sinh, Cubic, NoneType)):
        raise TypeError(f"iv must be Sinh(v0), Cubic(c) or None for Ohm's law; got {law!r}")
    if law is not None:
        try:
            fits = np.broadcast_shapes(law.parameter.shape, shape) == shape
        except ValueError:
            fits = False
        if not fits:
            raise ValueError(f"the parameter of {type(law).__name__} must be one number or fit the conductances {shape}; "
                             f"got {law.parameter.shape}")
