"""Programming that needs more than independent draws: disturb by state, and passes that write again what left its tolerance.

The devices of all layers stand in one row, so that a write disturbs what shares its array, whatever layer that is of.
"""

import numpy as np

from tiocross.devices.rewriting import Fresh, Passes, Row, program_row
from tiocross.devices.state_disturb import StateDisturb, StateDraws
from tiocross.devices.writes import Writes
from tiocross.mapping.wiring import places_of, wiring_of

STATE = 300  # bytes of a device while it is written by its state or in passes: draws, doses, states before and after
_PARTS = ("constant", "linear", "quadratic", "stuck")


class Passing:
    """Passes over the arrays of chips whose writes `BlockDraws` or `SingleDraws` gives."""

    def __init__(self, device, layout, n_later_writes, draws, passes=Passes(1)):
        self._device, self._layout, self._later, self._draws, self._passes = device, layout, n_later_writes, draws, passes
        self._wiring = wiring_of(layout, n_later_writes) if self.is_on else None

    @property
    def is_on(self):
        """Whether there is anything to do that one independent draw for each device does not do."""
        return self._passes.number > 1 or isinstance(self._device.disturb, StateDisturb)

    def program(self, targets, writes, numbers, *, layouts=None, known=None, floor=True, only=None):
        """(n_chips, n_word_lines, n_bit_lines) conductances [S] of each layer: ``targets`` are (n_word_lines, n_bit_lines),
        with or without chips, ``writes`` those of each layer on these chips, in the places of ``layouts``. Devices that are
        ``known`` as stuck, NaN where they are not, are given no pulses. ``only`` the layer of this number, if it is alone on
        its arrays, stands in the lists."""
        shapes = self._layout.layer_shapes if only is None else [self._layout.layer_shapes[only]]
        dtype = writes[0].linear.dtype
        row = _in_row(targets, len(numbers)).astype(np.float64, copy=False)
        flat = Writes(*(_in_row([getattr(layer, part) for layer in writes], len(numbers)) for part in _PARTS))
        written = np.ones((1, row.shape[1]), dtype=bool) if known is None else np.isnan(_in_row(known, len(numbers)))
        chance, states = _Chance(self._draws, numbers, self._columns(only)), np.empty(flat.stuck.shape)
        for chips, wiring, places in self._groups(layouts, len(numbers), only):
            here = Row(self._device, wiring, row[chips] if len(row) > 1 else row,
                       written[chips] if len(written) > 1 else written)
            states[chips] = program_row(here, flat[chips], chance.of(chips, places), self._passes, floor=floor)
        parts = np.split(states, np.cumsum([rows * columns for rows, columns in shapes])[:-1], axis=1)
        return [part.reshape(len(numbers), *shape).astype(dtype, copy=False) for part, shape in zip(parts, shapes)]

    def _columns(self, only):
        """Places in the row of the devices of one layer, or of all."""
        if only is None:
            return slice(None)
        ends = np.cumsum([0, *(rows * columns for rows, columns in self._layout.layer_shapes)])
        return slice(ends[only], ends[only + 1])

    def _groups(self, layouts, n_chips, only):
        """Chips with one layout, their wiring, and the places of the common row that their devices take draws of."""
        columns = self._columns(only)
        own = [] if layouts is None else [chip for chip, layout in enumerate(layouts) if layout is not self._layout]
        common = np.setdiff1d(np.arange(n_chips), own)
        if len(common):
            yield common, _cut(self._wiring, columns), slice(None)
        later = np.concatenate([layer.ravel() for layer in self._later])
        ends = np.cumsum([rows * cols for rows, cols in self._layout.layer_shapes])[:-1]
        for chip in own:
            places = places_of(self._layout, layouts[chip])
            wiring = wiring_of(layouts[chip], np.split(later[places], ends))
            first = columns.start or 0
            yield np.array([chip]), _cut(wiring, columns), places[columns] - first


class _Chance:
    """`Chance` of chips by their numbers; what is drawn for all of them is kept while they are programmed."""

    def __init__(self, draws, numbers, columns):
        self._draws, self._numbers, self._columns, self._kept = draws, numbers, columns, {}

    def of(self, chips, places):
        """The same of some of the chips, at places of the common row."""
        return _Some(self, chips, places)

    def take(self, turn):
        """Draws of a pass, 1 for those of the state and 0 for levels, all in the columns that are wanted."""
        if turn not in self._kept:
            self._kept[turn] = self._draws.of_pass(self._numbers, turn)
        return self._kept[turn]

    @property
    def columns(self):
        """Which devices of the whole row take part."""
        return self._columns


class _Some:
    def __init__(self, chance, chips, places):
        self._chance, self._chips, self._places = chance, chips, places

    def states(self):
        drawn = self._chance.take(1)
        return StateDraws(self._pick(drawn.traits), self._pick(drawn.walks), self._pick(drawn.levels))

    def levels(self):
        return self._pick(self._chance.take(0))

    def fresh(self, turn):
        return Fresh(*map(self._pick, self._chance.take(turn)))

    def _pick(self, values):
        return np.ascontiguousarray(values[self._chips][..., self._chance.columns][..., self._places])


def _cut(wiring, columns):
    """The wiring of devices that follow each other in the row, alone on their arrays."""
    if columns == slice(None):
        return wiring
    here = (wiring.sequence >= columns.start) & (wiring.sequence < columns.stop)
    return type(wiring)(wiring.sequence[here] - columns.start, *(part[columns] for part in wiring[1:]))


def _in_row(layers, n_chips):
    """Layers (n_word_lines, n_bit_lines), with or without chips, as (1 or n_chips, n_devices)."""
    chips = n_chips if any(layer.ndim == 3 for layer in layers) else 1
    rows = (np.broadcast_to(layer, (chips, *layer.shape[-2:])) for layer in layers)
    return np.concatenate([row.reshape(chips, -1) for row in rows], axis=1)
