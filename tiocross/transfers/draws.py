"""What chance does to the chips of a seed, by their numbers: writes, stuck devices, failed lines.

Chips with the same seed meet the same, whatever is known of them and whichever of them are asked for. Those of small
networks are drawn in blocks from one stream. Those of networks of more than `LARGE` devices have streams of their own, one
for each layer and one for each array, so that any number of them can be drawn at once.
"""

from dataclasses import fields
from functools import partial

import numpy as np

from tiocross.devices.large_draws import LARGE, LargeDraws
from tiocross.devices.rewriting import draw_fresh
from tiocross.devices.state_disturb import draw_states
from tiocross.devices.writes import apply_writes, draw_line_failures, draw_numbers, draw_writes, failed_devices
from tiocross.mapping.draws import draw_chips

CHIPS_PER_BLOCK = 500  # drawn from one stream, so that chip 17 does not depend on how many follow it
_SENSING, _NOISE = 1_000_001, 1_000_002  # of the electronics: no layer, and no array, has such a number
_BYTES_PER_WRITE = 64  # four draws, three coefficients and the outcome
_EFFECTS = {"all": lambda device: device, "faults": lambda device: device.only("stuck", "lines"),
            "healthy": lambda device: device.without("stuck", "lines")}


def draws_for(device, layout, n_later_writes, entropy):
    """`BlockDraws` or `SingleDraws`, by the number of devices; ``entropy`` is the seed."""
    kind = SingleDraws if sum(later.size for later in n_later_writes) > LARGE else BlockDraws
    return kind(device, layout, n_later_writes, entropy)


def write_targets(targets, writes, *, floor):
    """Conductances [S] of a layer after writing the targets [S], in the precision of the draws."""
    return apply_writes(targets.astype(writes.constant.dtype, copy=False), writes, floor=floor)


class BlockDraws:
    """Draws of the chips of small networks: ``CHIPS_PER_BLOCK`` from one stream a layer. ``numbers`` are always chips of one
    block, as `split` gives them."""

    def __init__(self, device, layout, n_later_writes, entropy):
        self.device, self.layout, self.n_later_writes, self.entropy = device, layout, n_later_writes, entropy

    def split(self, numbers, most):
        """Parts of at most ``most`` of these chips; those of one part can be drawn together."""
        cuts = [numbers.start]
        while cuts[-1] < numbers.stop:
            cuts.append(min(numbers.stop, cuts[-1] + most, self.start_of_block(cuts[-1]) + self.most_together))
        return [range(*ends) for ends in zip(cuts, cuts[1:])]

    def writes(self, numbers, which="all"):
        """`Writes` of each layer on these chips, failed lines included; ``which`` effects: "all", "faults", "healthy"."""
        block, here = _block_of(numbers)
        return [writes[here] for writes in self._draw(block, which).writes]

    def program(self, targets, numbers, *, floor):
        """(n_chips, n_word_lines, n_bit_lines) conductances [S] of each layer that writes of the targets, a list of
        (n_word_lines, n_bit_lines) [S], leave behind."""
        return [write_targets(target, writes, floor=floor) for target, writes in zip(targets, self.writes(numbers))]

    def faults(self, numbers):
        """Stuck devices and failed lines, spare devices included: ``(n_chips, n_word_lines, n_bit_lines)`` for each of the
        layout's arrays, NaN where healthy [S]."""
        block, here = _block_of(numbers)
        drawn = self._draw(block, "faults")
        in_use = self.layout.place([_held(writes) for writes in drawn.writes])
        arrays = []
        for index, (used, values) in enumerate(zip(self.layout.used, in_use)):
            stream = chip_stream(self.entropy, (len(self.n_later_writes) + index, block))
            whole = _with_spares(self.device, used, values, stream)
            if self.device.lines is not None:
                lines = draw_line_failures(self.device.lines, used.shape, CHIPS_PER_BLOCK, stream)
                for line, axis, known in zip(lines, (1, 0), drawn.failures[index]):
                    line[:, used.any(axis=axis)] = known
                whole = _with_lines(whole, lines)
            arrays.append(whole[here])
        return arrays

    def of_pass(self, numbers, turn):
        """What programming takes besides ``writes``, of all layers in one row: from pass ``turn`` 2 on its `Fresh` numbers,
        for 1 the `StateDraws`, for 0 the levels of the first pass, (n_chips, n_devices)."""
        block, here = _block_of(numbers)
        rows = []
        for layer, later in enumerate(self.n_later_writes):
            if turn == 0:
                stream = chip_stream(self.entropy, (layer, block))
                rows.append(draw_numbers(later.shape, CHIPS_PER_BLOCK, stream).levels.reshape(CHIPS_PER_BLOCK, -1)[here])
            else:
                draw = draw_states if turn == 1 else draw_fresh
                rows.append(draw(CHIPS_PER_BLOCK, later.size, chip_stream(self.entropy, (layer, block, turn))))
        return _joined(rows, here)

    def generators(self, numbers):
        """A generator for each chip, which no draw of writes has."""
        first = len(self.n_later_writes) + len(self.layout.arrays)
        return [np.random.default_rng(np.random.SeedSequence(self.entropy, spawn_key=(first, *divmod(n, CHIPS_PER_BLOCK))))
                for n in numbers]

    def normals(self, numbers, kind, shape):
        """Numbers of N(0, 1) for these chips, (n_chips, *shape): one set for each ``kind``, a tuple of whole numbers."""
        block, here = _block_of(numbers)
        return chip_stream(self.entropy, (kind[0], block, *kind[1:])).standard_normal((CHIPS_PER_BLOCK, *shape))[here]

    def _draw(self, block, which):
        streams = [chip_stream(self.entropy, (layer, block)) for layer in range(len(self.n_later_writes))]
        return draw_chips(_EFFECTS[which](self.device), self.layout, self.n_later_writes, CHIPS_PER_BLOCK, streams)

    @property
    def most_together(self):
        """Chips that can be drawn together."""
        return CHIPS_PER_BLOCK

    @property
    def block_bytes(self):
        """Memory of the draws of a whole block [bytes]."""
        return _BYTES_PER_WRITE * CHIPS_PER_BLOCK * sum(later.size for later in self.n_later_writes)

    def start_of_block(self, number):
        """Number of the first chip that is drawn with this one."""
        return number - number % CHIPS_PER_BLOCK


class SingleDraws(BlockDraws):
    """Draws of the chips of large networks: each has a stream for each layer and for each array."""

    def __init__(self, device, layout, n_later_writes, entropy):
        super().__init__(device, layout, n_later_writes, entropy)
        self._laws = {}

    def __getstate__(self):
        """What is quickly made again does not travel."""
        return {**vars(self), "_laws": {}}

    def writes(self, numbers, which="all"):
        """As `BlockDraws.writes`, in single precision."""
        found = [self._law(which, layer).draw(self._streams(layer, numbers)) for layer in range(len(self.n_later_writes))]
        if which != "healthy" and self.device.lines is not None:
            for index, (blocks, used) in enumerate(zip(self.layout.blocks_of, self.layout.used)):
                for chip, stream in enumerate(self._streams_of_array(index, numbers)):
                    failed = failed_devices(*draw_line_failures(self.device.lines, used.shape, 1, stream))[0]
                    for block in blocks:
                        found[block.layer].fix_devices(failed[block.in_array], (chip, *block.in_layer))
        return found

    def program(self, targets, numbers, *, floor):
        """As `BlockDraws.program`, in single precision and one pass."""
        if self.device.lines is not None:
            return super().program(targets, numbers, floor=floor)
        return [self._law("all", layer).program(target, self._streams(layer, numbers), floor=floor)
                for layer, target in enumerate(targets)]

    def of_pass(self, numbers, turn):
        """As `BlockDraws.of_pass`."""
        rows = []
        for layer, later in enumerate(self.n_later_writes):
            if turn == 0:
                levels = self._law("all", layer).levels(self._streams(layer, numbers))
                rows.append(levels.reshape(len(numbers), -1))
            else:
                draw = draw_states if turn == 1 else draw_fresh
                drawn = [draw(1, later.size, stream) for stream in self._streams(layer, numbers, turn)]
                rows.append(_joined_chips(drawn))
        return _joined(rows, slice(None))

    def faults(self, numbers):
        """As `BlockDraws.faults`."""
        in_use = self.layout.place([_held(writes) for writes in self.writes(numbers, "faults")])
        return [np.concatenate([self._whole_array(used, chip, stream)
                                for chip, stream in zip(values[:, None], self._streams_of_array(index, numbers))])
                for index, (used, values) in enumerate(zip(self.layout.used, in_use))]

    def normals(self, numbers, kind, shape):
        """As `BlockDraws.normals`, in single precision."""
        keys = (np.random.SeedSequence(self.entropy, spawn_key=(kind[0], number, *kind[1:])) for number in numbers)
        return np.stack([np.random.Generator(np.random.SFC64(key)).standard_normal(shape, dtype=np.float32) for key in keys])

    def _whole_array(self, used, values, stream):
        lines = None  # drawn first, so that they are found without the spare devices, too
        if self.device.lines is not None:
            lines = draw_line_failures(self.device.lines, used.shape, 1, stream)
        whole = _with_spares(self.device, used, values, stream)
        return whole if lines is None else _with_lines(whole, lines)

    def _law(self, which, layer):
        if (which, layer) not in self._laws:
            self._laws[which, layer] = LargeDraws(_EFFECTS[which](self.device), self.n_later_writes[layer])
        return self._laws[which, layer]

    def _streams(self, kind, numbers, *turn):
        keys = partial(np.random.SeedSequence, self.entropy)
        return [np.random.Generator(np.random.SFC64(keys(spawn_key=(kind, number, *turn)))) for number in numbers]

    def _streams_of_array(self, index, numbers):
        return self._streams(len(self.n_later_writes) + index, numbers)

    @property
    def most_together(self):
        """Any number of chips can be drawn together."""
        return 2**53

    @property
    def block_bytes(self):
        """There is no block."""
        return 0

    def start_of_block(self, number):
        """The chip itself: each is drawn alone."""
        return number


def chip_stream(entropy, key):
    """Generator of what a write leaves behind on the chips of one block, the same for all kinds of chips with the seed
    ``entropy``; ``key`` holds the number of the layer, or what else is drawn, and of the block."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy, spawn_key=key)))


def sensing_of_lines(entropy, number, n_lines):
    """Normal numbers for the gains and offsets, (2, n), of the sensing of the ``n_lines[array]`` bit lines of one chip."""
    stream = _stream_of_chip(entropy, _SENSING, number)
    return [stream.standard_normal((2, n)) for n in n_lines]


def stream_of_noise(entropy, number):
    """Generator of the noise of the readings of one chip."""
    return _stream_of_chip(entropy, _NOISE, number)


def _stream_of_chip(entropy, kind, number):
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(entropy, spawn_key=(kind, number))))


def _parts(drawn):
    """Arrays of some draws, by the places of their fields."""
    return drawn if isinstance(drawn, tuple) else tuple(getattr(drawn, place.name) for place in fields(drawn))


def _joined(rows, here):
    """Draws of the layers, of these chips, as those of one row."""
    if isinstance(rows[0], np.ndarray):
        return np.concatenate(rows, axis=-1)
    parts = zip(*map(_parts, rows))
    return type(rows[0])(*(np.concatenate([part[here] for part in layers], axis=-1) for layers in parts))


def _joined_chips(drawn):
    """Draws of single chips as those of all."""
    return type(drawn[0])(*map(np.concatenate, zip(*map(_parts, drawn))))


def _block_of(numbers):
    """The block of these chips, and where they are in it."""
    block, first = divmod(numbers.start, CHIPS_PER_BLOCK)
    if first + len(numbers) > CHIPS_PER_BLOCK:
        raise ValueError(f"{numbers} are chips of several blocks of {CHIPS_PER_BLOCK}; split them first")
    return block, slice(first, first + len(numbers))


def _held(writes):
    """Conductances of stuck devices, NaN where healthy [S]."""
    return np.where(writes.stuck, writes.constant, np.nan)


def _with_spares(device, used, values, stream):
    """Faults of whole arrays from those of the devices in use: what is stuck among the others is drawn."""
    spare = draw_writes(device.only("stuck"), np.zeros(used.shape, dtype=np.int64), len(values), stream)
    return np.where(used, values, _held(spare))


def _with_lines(whole, lines):
    failed = failed_devices(*lines)
    return np.where(np.isnan(failed), whole, failed)
