"""Placing weights around known stuck devices: hidden units, lines and arrays are free to be exchanged.

Exchanging hidden units exchanges bit-line pairs of one layer together with word lines of the next and leaves the
function of the network as it is; so does the choice of the physical line or array that carries a line or block. The
placement wanted is the one with the least damage: the sum, over all pairs, of the error of the difference that is left
after the partner's offset, times the pair's sensitivity. Each kind of exchange by itself is an assignment problem; they
are alternated until none helps, which may leave a better placement by several exchanges at once unseen. Every exchange is
made only if it lowers the damage, so that the result is never worse than the placement that it starts from.
"""

from dataclasses import dataclass, replace

import numpy as np

from tiocross.devices.device import Device, require_device
from tiocross.checks import as_finite
from tiocross.mapping.faults import as_stuck_maps, offset_partners, pair_errors
from tiocross.mapping.pairs import pair_differences
from tiocross.mapping.layout import Layout, arrange

_MOVING = 1e-6  # of the largest damage: what an exchange costs, so that of equal placements the one nearest the start wins
_MOST_ROUNDS = 20  # far more than seen; each round lowers the damage


@dataclass(frozen=True, eq=False)
class FaultyPlacement:
    """Where the weights go, and what to program.

    Parameters
    ----------
    layout : Layout
        Which device carries what, in the network's own order of units: exchanged units, lines and arrays are in its
        tiles (unitless).
    conductances : tuple of (n_inputs + 1, 2 n_outputs) ndarray
        What each layer shall hold, stuck devices at their own conductance [S].
    targets : tuple of (n_rows, n_columns) ndarray
        What to program on each tile; NaN where a device is stuck or not in use [S].
    damage_before, damage_after : float
        Error of the differences that the partners' offset leaves, times sensitivities, summed over all pairs: without
        exchanges and with them, in siemens for sensitivities of 1 [S].
    """

    layout: Layout
    conductances: tuple
    targets: tuple
    damage_before: float
    damage_after: float


def place_around(targets, device, stuck, *, layout=None, sensitivities=None, lines=True):
    """Placement with little damage by known stuck devices, never more than where it starts from.

    Parameters
    ----------
    targets : Targets or list of (n_inputs + 1, 2 n_outputs) array_like
        Wanted conductances, one array a layer; `map_weights` gives them [S].
    device : Device
        Its window holds what is programmed (unitless).
    stuck : list of (n_rows, n_columns) array_like
        Stuck map of each physical array at hand, NaN where healthy; arrays beyond those that the layout needs are
        spares [S].
    layout : Layout, optional
        Where to start from; without it, `arrange` on arrays of the maps' shape (unitless).
    sensitivities : list of (n_inputs + 1, n_outputs) array_like, optional
        What an error of each weight's difference costs, relative to others; 1 without it (unitless).
    lines : bool, optional
        Whether word lines may move to other lines of their array and pairs to other pairs of neighbouring bit lines,
        either way round; False where the wiring between layers is fixed: then only hidden units and arrays are
        exchanged (unitless).

    Returns
    -------
    FaultyPlacement
        Layout, targets with the partners' offset, damage before and after.

    Raises
    ------
    ValueError
        If a stuck map has the wrong shape or is not of conductances, there are too few arrays, or the targets, the
        sensitivities and the layout do not fit each other.
    """
    require_device(device)
    problem, layout, stuck = _pose(targets, device, stuck, layout, sensitivities)
    tiles = layout.tiles
    before = problem.damage(tiles)
    if lines:  # first at home: where that is enough, no tile needs to be tried on every array
        tiles = tuple(_move_lines(problem, tile) for tile in tiles)
    tiles = _repeat(problem, tiles, lambda tiles: _exchange_units(problem, _exchange_arrays(problem, tiles, lines)))
    layout = Layout(tiles, layout.layer_shapes)
    here = [stuck[tile.array] for tile in tiles]
    conductances = offset_partners(targets, layout.collect(here), device)
    wanted = [np.where(np.isnan(faults), array, np.nan) for array, faults in zip(layout.place(conductances), here)]
    return FaultyPlacement(layout, tuple(conductances), tuple(wanted), before, problem.damage(tiles))


@dataclass(frozen=True, eq=False)
class _Problem:
    """Differences wanted and sensitivities of each layer, stuck map of each array and whether it has any, the window."""

    differences: list
    sensitivities: list
    stuck: list
    faulty: list
    device: Device

    def damage(self, tiles):
        """Damage of all tiles together [S]."""
        hit = [tile for tile in tiles if self.faulty[tile.array]]
        return float(sum(self.row_damage(tile, tile.rows, tile.word_lines).trace() for tile in hit))

    def row_damage(self, tile, rows, word_lines):
        """(n_rows, n_word_lines) damage of each row on each word line, for the tile's pairs where they are [S]."""
        wanted, weights = self._block(tile.layer, rows, tile.pairs)
        plus, minus = self._faults(tile.array, word_lines, tile.bit_lines)
        return (weights[:, None] * pair_errors(wanted[:, None], plus, minus, self.device)).sum(axis=2)

    def pair_damage(self, tile, outputs, bit_lines):
        """(n_outputs, n_pairs) damage of each output on each pair of bit lines, for the tile's rows where they are [S]."""
        wanted, weights = self._block(tile.layer, tile.rows, outputs)
        plus, minus = self._faults(tile.array, tile.word_lines, bit_lines)
        return (weights[..., None] * pair_errors(wanted[..., None], plus[:, None], minus[:, None], self.device)).sum(axis=0)

    def _block(self, layer, rows, outputs):
        return self.differences[layer][np.ix_(rows, outputs)], self.sensitivities[layer][np.ix_(rows, outputs)]

    def _faults(self, array, word_lines, bit_lines):
        faults = self.stuck[array][np.ix_(word_lines, bit_lines)]
        return faults[:, 0::2], faults[:, 1::2]


def _pose(targets, device, stuck, layout, sensitivities):
    targets = list(targets)
    if not isinstance(stuck, (list, tuple, np.ndarray)):
        raise TypeError(f"stuck must be a list with one map for each physical array; got {stuck!r}")
    if not len(stuck) or np.ndim(stuck[0]) != 2:
        raise ValueError("stuck must hold a map (n_rows, n_columns) for each physical array; got "
                         f"{'none' if not len(stuck) else f'a value of shape {np.shape(stuck[0])}'}")
    shapes = [np.shape(array) for array in targets]
    layout = arrange(shapes, np.shape(stuck[0])) if layout is None else layout
    if not isinstance(layout, Layout):
        raise TypeError(f"layout must be a Layout, such as arrange gives; got {layout!r}")
    if list(layout.layer_shapes) != shapes:
        raise ValueError(f"layout is for layers of shapes {list(layout.layer_shapes)}; the targets have shapes {shapes}")
    if len(set(layout.shapes)) != 1:
        raise ValueError(f"placing around faults needs arrays of one shape; got {layout.shapes}")
    if len(stuck) <= max(tile.array for tile in layout.tiles):
        raise ValueError(f"stuck must hold a map for each of the {len(layout.tiles)} arrays that the layout needs, numbers "
                         f"{[tile.array for tile in layout.tiles]}; got {len(stuck)}")
    stuck = as_stuck_maps(stuck, [layout.shapes[0]] * len(stuck), "array")
    differences = [pair_differences(np.asarray(array, dtype=np.float64)) for array in targets]
    sensitivities = _as_sensitivities(sensitivities, differences)
    offset_partners(targets, [np.full(shape, np.nan) for shape in shapes], device)  # checks the targets
    faulty = [not np.isnan(faults).all() for faults in stuck]
    return _Problem(differences, sensitivities, stuck, faulty, device), layout, stuck


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


def _repeat(problem, tiles, exchange):
    """Tiles after as many exchanges as lower the damage."""
    damage = problem.damage(tiles)
    for _ in range(_MOST_ROUNDS):
        if damage == 0:
            break
        moved = exchange(tiles)
        if not problem.damage(moved) < damage:
            break
        tiles, damage = moved, problem.damage(moved)
    return tiles


def _exchange_arrays(problem, tiles, lines):
    """Tiles on the arrays, and lines of them, that suit them best; those without damage go where they make room, or stay."""
    damages = [problem.damage([tile]) for tile in tiles]
    homes = {tile.array for tile, damage in zip(tiles, damages) if damage > 0}
    costs = np.full((len(tiles), len(problem.stuck)), 2 * sum(damages))  # more than if all stay: not to be chosen
    candidates = {}
    for index, (tile, damage) in enumerate(zip(tiles, damages)):
        for array in range(len(problem.stuck)) if damage > 0 else homes | {tile.array}:
            moved = replace(tile, array=array)
            candidates[index, array] = moved = _move_lines(problem, moved) if lines else moved
            costs[index, array] = problem.damage([moved])
    chosen = _assign(costs, np.array([tile.array for tile in tiles]))
    return tuple(candidates[index, array] for index, array in enumerate(chosen))


def _move_lines(problem, tile):
    """The tile on the lines of its array that suit it best: rows and pairs in turn, until neither helps."""
    return _repeat(problem, (tile,), lambda tiles: (_move_pairs(problem, _move_rows(problem, tiles[0])),))[0]


def _move_rows(problem, tile):
    costs = problem.row_damage(tile, tile.rows, np.arange(tile.shape[0]))
    return replace(tile, word_lines=_assign(costs, tile.word_lines))


def _move_pairs(problem, tile):
    plus = np.arange(0, tile.shape[1] - 1, 2)
    straight = np.stack([plus, plus + 1], axis=1)
    costs = [problem.pair_damage(tile, tile.pairs, lines.ravel()) for lines in (straight, straight[:, ::-1])]
    chosen = _assign(np.minimum(*costs), tile.bit_lines[0::2] // 2)
    turned = (costs[1] < costs[0])[np.arange(len(chosen)), chosen]
    bit_lines = np.where(turned[:, None], straight[chosen, ::-1], straight[chosen]).ravel()
    moved = replace(tile, bit_lines=bit_lines)
    return moved if problem.damage([moved]) < problem.damage([tile]) else tile


def _exchange_units(problem, tiles):
    """Tiles with the hidden units, one layer after the other, where they suit best."""
    for layer, wanted in enumerate(problem.differences[:-1]):
        units = np.arange(wanted.shape[1])
        costs = np.zeros((len(units), len(units)))  # of each unit at each place, a place being named by the unit now there
        for tile in tiles:
            if tile.layer == layer:
                costs[:, tile.pairs] += problem.pair_damage(tile, units, tile.bit_lines)
            elif tile.layer == layer + 1:
                hidden = tile.rows < len(units)
                costs[:, tile.rows[hidden]] += problem.row_damage(tile, units, tile.word_lines[hidden])
        unit_at = np.append(np.argsort(_assign(costs, units)), len(units))  # the bias, last, stays
        tiles = tuple(_with_units(tile, tile.layer - layer, unit_at) for tile in tiles)
    return tiles


def _with_units(tile, layers_on, unit_at):
    """A tile with other units: on its pairs in the units' own layer, on its word lines in the next."""
    if layers_on == 0:
        pairs = unit_at[tile.pairs]
        return replace(tile, columns=np.stack([2 * pairs, 2 * pairs + 1], axis=1).ravel())
    return replace(tile, rows=unit_at[tile.rows]) if layers_on == 1 else tile


def _assign(costs, current):
    """Place of each item at the least cost; where they are now, ``current``, unless that is more."""
    moves = np.arange(costs.shape[1]) != current[:, None]
    chosen = solve_assignment(costs + _MOVING * costs.max(initial=0.0) * moves)
    items = np.arange(len(costs))
    return chosen if costs[items, chosen].sum() < costs[items, current].sum() else current


def solve_assignment(costs):
    """A place of its own for each item, at the least total cost.

    Parameters
    ----------
    costs : (n_items, n_places) array_like
        Cost of each item at each place, at least as many places as items (unitless).

    Returns
    -------
    (n_items,) int ndarray
        Place of each item (unitless).

    Raises
    ------
    ValueError
        If there are fewer places than items, or a cost is not finite.

    Notes
    -----
    The Hungarian method: items are added one by one along the cheapest path of exchanges (Dijkstra, with prices that
    keep reduced costs from becoming negative). It takes n_items^2 steps of n_places operations at most.
    """
    costs = as_finite("costs", costs, ndim=2)
    n_items, n_places = costs.shape
    if n_items > n_places:
        raise ValueError(f"costs must have at least as many places as items; got shape {costs.shape}")
    item_at = np.full(n_places, -1)
    wages, prices = np.zeros(n_items), np.zeros(n_places)  # costs - wages - prices >= 0, and = 0 where assigned
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
