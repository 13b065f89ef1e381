"""Placing weights around known stuck devices: hidden units, lines and arrays are free to be exchanged.

Exchanging hidden units exchanges bit-line pairs of one layer together with word lines of the next and leaves the
function of the network as it is; so does the choice of the physical line or array that carries a line or block. The
placement wanted is the one with the least damage: the sum, over all pairs, of the error of the difference that is left
after the partner's offset, times the pair's sensitivity. Each kind of exchange by itself is an assignment problem; they
are alternated until none helps, which may leave a better placement by several exchanges at once unseen. Every exchange is
made only if it lowers the damage, so that the result is never worse than the placement that it starts from.

Where blocks share an array, lines change places only within their block, and the block stays on its array.
"""

from dataclasses import dataclass, replace

import numpy as np

from tiocross.checks import as_finite, kind_of
from tiocross.devices.device import Device, require_device
from tiocross.mapping.faults import as_stuck_maps, offset_partners, pair_errors
from tiocross.mapping.layout import Layout
from tiocross.mapping.targets import Targets

_MOVING = 1e-6  # of the largest damage: what an exchange costs, so that of equal placements the one nearest the start wins
_MOST_ROUNDS = 20  # far more than seen; each round lowers the damage


@dataclass(frozen=True, eq=False)
class FaultyPlacement:
    """Where the weights go, and what to program.

    Parameters
    ----------
    layout : Layout
        Which device carries what, in the network's own order of units: exchanged units, lines and arrays are in its
        blocks.
    conductances : tuple of (n_word_lines, n_bit_lines) ndarray
        What each layer shall hold, stuck devices at their own conductance [S].
    targets : tuple of (n_word_lines, n_bit_lines) ndarray
        What to program on each of the layout's arrays; NaN where a device is stuck or not in use [S].
    damage_before, damage_after : float
        Error of the differences that the partners' offset leaves, times sensitivities, summed over all pairs: without
        exchanges and with them, in siemens for sensitivities of 1 [S].
    """

    layout: Layout
    conductances: tuple[np.ndarray, ...]
    targets: tuple[np.ndarray, ...]
    damage_before: float
    damage_after: float


def place_around(targets: Targets, device: Device, stuck: list, *, sensitivities: list | None = None,
                 may_move_lines: bool = True) -> FaultyPlacement:
    """Placement with little damage by known stuck devices, never more than where it starts from.

    Parameters
    ----------
    targets : Targets
        Wanted conductances, and the layout to start from, on differential pairs; `map_weights` gives them.
    device : Device
        Its window holds what is programmed.
    stuck : list of (n_word_lines, n_bit_lines) array_like
        Stuck map of each physical array at hand, by its number, NaN where healthy; arrays beyond those that the layout
        needs are spares [S].
    sensitivities : list of (n_word_lines, n_outputs) array_like, optional
        What an error of each weight's difference costs, relative to others; 1 without it (unitless).
    may_move_lines : bool, optional
        Whether word lines may move to other lines of their array and pairs to other pairs of neighbouring bit lines,
        either way round; False where the wiring between layers is fixed: then only hidden units and arrays are
        exchanged.

    Returns
    -------
    FaultyPlacement
        Layout, targets with the partners' offset, damage before and after.

    Raises
    ------
    ValueError
        If a stuck map has the wrong shape or is not of conductances, there are too few arrays, the targets and the
        sensitivities do not fit each other, or weights do not stand on differential pairs.

    Notes
    -----
    Assignment problems are solved by the Hungarian method.

    References
    ----------
    H. W. Kuhn, Naval Research Logistics Quarterly 2 (1955) 83, doi:10.1002/nav.3800020109.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import MLP, TIO2, arrange, map_weights, place_around
    >>> network = MLP(2, 3, rng=np.random.default_rng(1))
    >>> targets = map_weights(network, TIO2, layout=arrange(network.sizes, (8, 8)))
    >>> stuck = np.full((8, 8), np.nan)
    >>> stuck[5, 0] = 9e-4  # siemens, in use
    >>> found = place_around(targets, TIO2, [stuck])
    >>> found.damage_before > 0, found.damage_after
    (True, 0.0)
    """
    require_device(device)
    problem, stuck = _make_problem(targets, device, stuck, sensitivities)
    blocks = targets.layout.blocks
    before = problem.damage(blocks)
    if may_move_lines:  # first where they are: where that is enough, no block needs to be tried on every array
        blocks = tuple(_move_lines(problem, block) for block in blocks)
    blocks = _repeat_while_better(problem, blocks,
                     lambda blocks: _exchange_units(problem, _exchange_arrays(problem, blocks, may_move_lines)))
    layout = replace(targets.layout, blocks=blocks)
    here = [stuck[array] for array in layout.arrays]
    conductances = offset_partners(targets, layout.collect(here), device)
    wanted = [np.where(np.isnan(faults), array, np.nan) for array, faults in zip(layout.place(conductances), here)]
    return FaultyPlacement(layout, tuple(conductances), tuple(wanted), before, problem.damage(blocks))


@dataclass(frozen=True, eq=False)
class _Problem:
    """Differences wanted and sensitivities of each layer, whether its last word line is a bias, stuck map of each array and
    whether it has any, the arrays that blocks share, the window."""

    differences: list
    sensitivities: list
    has_bias_line: list
    stuck: list
    faulty: list
    shared: frozenset
    device: Device

    def damage(self, blocks):
        """Damage of all blocks together [S]."""
        hit = [block for block in blocks if self.faulty[block.array]]
        return float(sum(self.row_damage(block, block.layer_rows, block.word_lines).trace() for block in hit))

    def row_damage(self, block, rows, word_lines):
        """(n_rows, n_word_lines) damage of each row on each word line, for the block's pairs where they are [S]."""
        wanted, weights = self._block(block.layer, rows, block.pairs)
        plus, minus = self._faults(block.array, word_lines, block.bit_lines)
        return (weights[:, None] * pair_errors(wanted[:, None], plus, minus, self.device)).sum(axis=2)

    def pair_damage(self, block, outputs, bit_lines):
        """(n_outputs, n_pairs) damage of each output on each pair of bit lines, for the block's rows where they are [S]."""
        wanted, weights = self._block(block.layer, block.layer_rows, outputs)
        plus, minus = self._faults(block.array, block.word_lines, bit_lines)
        return (weights[..., None] * pair_errors(wanted[..., None], plus[:, None], minus[:, None], self.device)).sum(axis=0)

    def _block(self, layer, rows, outputs):
        return self.differences[layer][np.ix_(rows, outputs)], self.sensitivities[layer][np.ix_(rows, outputs)]

    def _faults(self, array, word_lines, bit_lines):
        faults = self.stuck[array][np.ix_(word_lines, bit_lines)]
        return faults[:, 0::2], faults[:, 1::2]


def _make_problem(targets, device, stuck, sensitivities):
    if not isinstance(targets, Targets):
        raise TypeError(f"targets must be Targets, such as map_weights(network, device); got {kind_of(targets)}")
    layout = targets.layout
    if not (layout.mapping.has_partners and all(block.holds_whole_pairs for block in layout.blocks)):
        raise ValueError("placing around faults exchanges differential pairs: the layout must hold whole pairs, plus and "
                         f"minus side by side; got {layout.mapping!r}")
    if not isinstance(stuck, (list, tuple, np.ndarray)):
        raise TypeError(f"stuck must be a list with one map for each physical array; got {stuck!r}")
    if len(stuck) <= max(layout.arrays):
        raise ValueError(f"stuck must hold a map for each of the {len(layout.arrays)} arrays that the layout needs, numbers "
                         f"{list(layout.arrays)}; got {len(stuck)}")
    shapes = dict(zip(layout.arrays, layout.shapes))
    stuck = as_stuck_maps(stuck, [shapes.get(array, np.shape(stuck[array])) for array in range(len(stuck))], "array")
    differences = [layout.mapping.differences(array) for array in targets]
    sensitivities = _as_sensitivities(sensitivities, differences)
    offset_partners(targets, [np.full(shape, np.nan) for shape in layout.layer_shapes], device)  # checks the targets
    faulty = [not np.isnan(faults).all() for faults in stuck]
    shared = frozenset(array for array, blocks in zip(layout.arrays, layout.blocks_of) if len(blocks) > 1)
    biases = [layout.has_bias_line(layer) for layer in range(len(differences))]
    return _Problem(differences, sensitivities, biases, stuck, faulty, shared, device), stuck


def _as_sensitivities(sensitivities, differences):
    if sensitivities is None:
        return [np.ones(array.shape) for array in differences]
    arrays = [as_finite(f"sensitivities of layer {layer}", array) for layer, array in enumerate(sensitivities)]
    if [array.shape for array in arrays] != [array.shape for array in differences]:
        raise ValueError(f"sensitivities must have shapes {[array.shape for array in differences]}, one for each weight and "
                         f"bias; got {[array.shape for array in arrays]}")
    if any((array < 0).any() for array in arrays):
        raise ValueError("sensitivities must not be negative")
    return arrays


def _repeat_while_better(problem, blocks, exchange):
    """Blocks after as many exchanges as lower the damage."""
    damage = problem.damage(blocks)
    for _ in range(_MOST_ROUNDS):
        if damage == 0:
            break
        moved = exchange(blocks)
        if not problem.damage(moved) < damage:
            break
        blocks, damage = moved, problem.damage(moved)
    return blocks


def _exchange_arrays(problem, blocks, may_move_lines):
    """Blocks on the arrays and lines that suit them best; those without damage go where they make room, or stay."""
    movable = [index for index, block in enumerate(blocks) if block.array not in problem.shared]
    damages = [problem.damage([blocks[index]]) for index in movable]
    homes = {blocks[index].array for index, damage in zip(movable, damages) if damage > 0}
    costs = np.full((len(movable), len(problem.stuck)), 2 * sum(damages))  # more than if all stay: not to be chosen
    candidates = {}
    for k, (index, damage) in enumerate(zip(movable, damages)):
        block = blocks[index]
        for array in range(len(problem.stuck)) if damage > 0 else homes | {block.array}:
            if array in problem.shared or problem.stuck[array].shape != block.shape:
                continue
            moved = replace(block, array=array)
            candidates[k, array] = moved = _move_lines(problem, moved) if may_move_lines else moved
            costs[k, array] = problem.damage([moved])
    chosen = _assign(costs, np.array([blocks[index].array for index in movable], dtype=np.int64))
    placed = list(blocks)
    for k, array in enumerate(chosen):
        placed[movable[k]] = candidates[k, array]
    return tuple(placed)


def _move_lines(problem, block):
    """The block on the lines of its array that suit it best: rows and pairs in turn, until neither helps."""
    return _repeat_while_better(problem, (block,), lambda blocks: (_move_pairs(problem, _move_rows(problem, blocks[0])),))[0]


def _move_rows(problem, block):
    lines = np.sort(block.word_lines) if block.array in problem.shared else np.arange(block.shape[0])
    costs = problem.row_damage(block, block.layer_rows, lines)
    return replace(block, word_lines=lines[_assign(costs, np.searchsorted(lines, block.word_lines))])


def _move_pairs(problem, block):
    pairs = np.arange(block.shape[1] // 2)
    here = block.bit_lines[0::2] // 2
    if block.array in problem.shared:
        pairs = np.sort(here)
    straight = np.stack([2 * pairs, 2 * pairs + 1], axis=1)
    costs = [problem.pair_damage(block, block.pairs, lines.ravel()) for lines in (straight, straight[:, ::-1])]
    chosen = _assign(np.minimum(*costs), np.searchsorted(pairs, here))
    turned = (costs[1] < costs[0])[np.arange(len(chosen)), chosen]
    bit_lines = np.where(turned[:, None], straight[chosen, ::-1], straight[chosen]).ravel()
    moved = replace(block, bit_lines=bit_lines)
    return moved if problem.damage([moved]) < problem.damage([block]) else block


def _exchange_units(problem, blocks):
    """Blocks with the hidden units, one layer after the other, where they suit best. Units of which the next layer sees
    several features, as those of a convolution, stay."""
    for layer, wanted in enumerate(problem.differences[:-1]):
        units = np.arange(wanted.shape[1])
        if len(problem.differences[layer + 1]) - problem.has_bias_line[layer + 1] != len(units):
            continue
        costs = np.zeros((len(units), len(units)))  # of each unit at each place, a place being named by the unit now there
        for block in blocks:
            if block.layer == layer:
                costs[:, block.pairs] += problem.pair_damage(block, units, block.bit_lines)
            elif block.layer == layer + 1:
                hidden = block.layer_rows < len(units)
                costs[:, block.layer_rows[hidden]] += problem.row_damage(block, units, block.word_lines[hidden])
        unit_at = np.append(np.argsort(_assign(costs, units)), len(units))  # the bias, last, stays
        blocks = tuple(_with_units(block, block.layer - layer, unit_at) for block in blocks)
    return blocks


def _with_units(block, layers_on, unit_at):
    """A block with other units: on its pairs in the units' own layer, on its word lines in the next."""
    if layers_on == 0:
        pairs = unit_at[block.pairs]
        return replace(block, layer_columns=np.stack([2 * pairs, 2 * pairs + 1], axis=1).ravel())
    return replace(block, layer_rows=unit_at[block.layer_rows]) if layers_on == 1 else block


def _assign(costs, current):
    """Place of each item at the least cost; where they are now, ``current``, unless that is more."""
    moves = np.arange(costs.shape[1]) != current[:, None]
    chosen = solve_assignment(costs + _MOVING * costs.max(initial=0.0) * moves)
    items = np.arange(len(costs))
    return chosen if costs[items, chosen].sum() < costs[items, current].sum() else current


def solve_assignment(costs):
    """A place of its own for each item, (n_items,), at the least total of (n_items, n_places) costs; n_places >= n_items."""
    costs = as_finite("costs", costs, ndim=2)
    n_items, n_places = costs.shape  # the Hungarian method: items are added one by one along the cheapest path of exchanges
    if n_items > n_places:
        raise ValueError(f"costs must have at least as many places as items; got shape {costs.shape}")
    item_at = np.full(n_places, -1)
    # Dijkstra's paths need reduced costs that are not negative: costs - wages - prices >= 0, and = 0 where assigned.
    wages, prices = np.zeros(n_items), np.zeros(n_places)
    for item in range(n_items):
        distances, before = np.full(n_places, np.inf), np.full(n_places, -1)
        done = np.zeros(n_places, dtype=bool)
        place, reached, here = -1, 0.0, item
        while here >= 0:
            new = reached + costs[here] - wages[here] - prices
            nearer = ~done & (new < distances)
            distances[nearer], before[nearer] = new[nearer], place
            place = int(np.where(done, np.inf, distances).argmin())
            done[place], reached, here = True, distances[place], item_at[place]
        wages[item] += reached
        passed = done & (item_at >= 0)
        wages[item_at[passed]] += reached - distances[passed]
        prices[done] -= reached - distances[done]
        while place >= 0:  # hand each place on the path to the item that comes from the place before
            item_at[place] = item if before[place] < 0 else item_at[before[place]]
            place = before[place]
    placed = np.flatnonzero(item_at >= 0)
    return placed[np.argsort(item_at[placed])]
