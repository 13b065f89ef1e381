"""Programming plans: what to write on which device of which array, in which order, and the way back to weights."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tiocross.devices import files
from tiocross.devices.device import Device, require_device
from tiocross.devices.writes import count_later_writes, require_within_window
from tiocross.checks import as_conductances, as_finite, require_name
from tiocross.lab.device_table import device_text, list_devices
from tiocross.lab.plan_files import PLAN, read_content, require_tables, table_text, write_folder
from tiocross.lab.write_verify import PulseScheme
from tiocross.lab.write_verify import require_scheme
from tiocross.mapping.placement import place_around
from tiocross.mapping.faults import as_stuck_maps
from tiocross.mapping.pairs import map_weights, pair_differences
from tiocross.mapping.sensitivity import weight_effects
from tiocross.mapping.layout import Layout, arrange

FORMAT = "tiocross plan 1"
ORDERS = ("raster", "sensitive last")


@dataclass(frozen=True, eq=False)
class Plan:
    """How to put a network on physical arrays; lists have one entry a tile, that is, for each array in use.

    Parameters
    ----------
    network_sha256 : str
        Fingerprint of the network, see `fingerprint` (unitless).
    device : Device
        Kind of device; its window holds the targets (unitless).
    scheme : PulseScheme
        Amplitudes, tolerance and budgets of write-verify [V], [s].
    layout : Layout
        Which device carries what (unitless).
    scales : tuple of (n_inputs + 1, 1) ndarray
        Difference of conductance per unit weight, for each word line of each layer [S].
    targets : tuple of (n_rows, n_columns) ndarray
        What to program; NaN where a device is known to be stuck or not in use [S].
    orders : tuple of (n_rows, n_columns) int ndarray
        Turn of each device, a permutation of 0 to n_devices - 1 in which the devices without target come first: so the
        number of later turns is the number of later writes (unitless).
    stuck : tuple of (n_rows, n_columns) ndarray
        Conductances of devices known to be stuck, NaN elsewhere [S].
    """

    network_sha256: str
    device: Device
    scheme: PulseScheme
    layout: Layout
    scales: tuple
    targets: tuple
    orders: tuple
    stuck: tuple

    def __post_init__(self):
        require_device(self.device)
        require_scheme(self.scheme)
        for name in ("scales", "targets", "orders", "stuck"):
            object.__setattr__(self, name, tuple(map(_frozen, getattr(self, name))))
        as_stuck_maps(self.stuck, self.layout.shapes, "tile")
        if [np.shape(scale) for scale in self.scales] != [(n_rows, 1) for n_rows, _ in self.layout.layer_shapes]:
            raise ValueError("a plan needs a column of scales for each layer, one for each word line; got shapes "
                             f"{[np.shape(scale) for scale in self.scales]}")
        for layer, scale in enumerate(self.scales):
            if not (as_finite(f"scales of layer {layer}", scale) > 0).all():
                raise ValueError(f"scales of layer {layer} must be positive; got {np.min(scale):g} S")
        if not len(self.targets) == len(self.orders) == len(self.layout.tiles):
            raise ValueError(f"a plan needs targets and an order for each of its {len(self.layout.tiles)} tiles; got "
                             f"{len(self.targets)} and {len(self.orders)}")
        for index, (tile, targets, turns, stuck) in enumerate(zip(self.layout.tiles, self.targets, self.orders, self.stuck)):
            wanted = tile.used & np.isnan(stuck)
            if np.shape(targets) != tile.shape or not np.array_equal(~np.isnan(targets), wanted):
                raise ValueError(f"targets of tile {index} must have shape {tile.shape}, with a number for each healthy "
                                 f"device in use and NaN elsewhere; got shape {np.shape(targets)}")
            as_conductances(f"targets of tile {index}", np.where(wanted, targets, 0.0))
            require_within_window(f"targets of tile {index}", targets, self.device)
            count_later_writes(tile.shape, turns)

    @property
    def tolerance(self):
        """Largest distance of a reading from its target, as a fraction of the target (unitless)."""
        return self.scheme.tolerance

    @property
    def expected(self):
        """What the arrays hold if every target is met: targets and known stuck conductances, NaN elsewhere [S]."""
        return [np.where(tile.used & ~np.isnan(stuck), stuck, targets)
                for tile, targets, stuck in zip(self.layout.tiles, self.targets, self.stuck)]

    @cached_property
    def sha256(self):
        """Fingerprint of all that the plan says (unitless)."""
        text = json.dumps(self.to_json(), sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def weights(self, readbacks):
        """Weights that arrays compute with, for ``network.with_arrays``.

        Parameters
        ----------
        readbacks : list of (..., n_rows, n_columns) array_like
            For each tile the conductances of its whole array, or its transfer matrix; devices that are not in use may
            be NaN [S].

        Returns
        -------
        list of (..., n_inputs + 1, n_outputs) ndarray
            One array a layer, bias last, hidden units in the order of the network that was planned, wherever the plan
            put them (unitless).

        Raises
        ------
        ValueError
            If there is not one array of the right shape for each tile, or a value in use is no conductance.
        """
        layers = self.layout.collect(readbacks)
        for index, (tile, values) in enumerate(zip(self.layout.tiles, readbacks)):
            as_conductances(f"the read-back of tile {index}", np.where(tile.used, values, 0.0))
        return [pair_differences(values) / scale for values, scale in zip(layers, self.scales)]

    def device_table(self):
        """Which physical device carries which weight: a list of `PlannedDevice`, with targets [S], as in devices.csv."""
        return list_devices(self)

    def require_network(self, network):
        """Raise ValueError unless ``network``, an MLP (unitless), is the one that was planned."""
        if fingerprint(network) != self.network_sha256:
            raise ValueError(f"the plan is for another network: its fingerprint is {self.network_sha256[:12]}..., this "
                             f"network's is {fingerprint(network)[:12]}... Plan this network, or load the planned one")

    def save(self, folder):
        """Write plan.json, and as CSV `device_table` and each tile's targets [S] and order, to a new folder: all or none."""
        write_folder(folder, self.to_json(), self._tables())

    def to_json(self):
        """Content of plan.json: plain numbers, texts, lists and dicts; keys of numbers state their unit (unitless)."""
        tiles = [{"targets [S]": _without_nan(targets), "order [-]": turns.tolist(), "stuck [S]": _without_nan(stuck)}
                 for targets, turns, stuck in zip(self.targets, self.orders, self.stuck)]
        return {"format": FORMAT, "network_sha256": self.network_sha256, "device": files.to_json(self.device),
                "scheme": self.scheme.to_json(), "layout": self.layout.to_json(),
                "scales [S]": [scale.tolist() for scale in self.scales], "tiles": tiles}

    @classmethod
    def from_json(cls, content):
        """Plan from the ``content`` of a plan.json (unitless)."""
        found = content.get("format") if isinstance(content, dict) else None
        if found != FORMAT:
            raise ValueError(f"this is not a plan of this version: it must hold \"format\": \"{FORMAT}\"; got {found!r}")
        try:
            tiles = content["tiles"]
            return cls(content["network_sha256"], files.from_json(content["device"]),
                       PulseScheme.from_json(content["scheme"]), Layout.from_json(content["layout"]),
                       [np.array(scale, dtype=np.float64) for scale in content["scales [S]"]],
                       [np.array(tile["targets [S]"], dtype=np.float64) for tile in tiles],
                       [np.array(tile["order [-]"]) for tile in tiles],
                       [np.array(tile["stuck [S]"], dtype=np.float64) for tile in tiles])
        except KeyError as error:
            raise ValueError(f"the plan lacks {error}") from None

    def _tables(self):
        about = f"{FORMAT}; plan {self.sha256}; polarity 1 is the plus side of a pair; rows are word lines"
        tables = {"devices.csv": device_text(about, self.device_table())}
        for index, (tile, targets, turns) in enumerate(zip(self.layout.tiles, self.targets, self.orders)):
            about = f"{FORMAT}; plan {self.sha256}; tile {index}; array {tile.array}; layer {tile.layer}"
            tables[f"tile_{index:02d}_targets.csv"] = table_text(f"{about}; targets [S]; nan: do not program", targets)
            tables[f"tile_{index:02d}_order.csv"] = table_text(f"{about}; turn of each device", turns)
        return tables


def plan(network, device, *, tiles=(8, 8), scheme=None, order="raster", stuck=None, points=None, lines=True):
    """Plan to program a network.

    Parameters
    ----------
    network : MLP
        The trained network (unitless).
    device : Device
        Its window holds the targets (unitless).
    tiles : tuple of int or Layout, optional
        (n_rows, n_columns) of the physical arrays, or the whole layout (unitless).
    scheme : PulseScheme, optional
        Amplitudes, tolerance and budgets; the default scheme without it [V], [s].
    order : str, optional
        "raster", word line by word line; or "sensitive last": devices whose change moves the outputs most come last, for
        later writes disturb what is there (unitless).
    stuck : list of (n_rows, n_columns) array_like, optional
        Stuck map of each physical array at hand, NaN where healthy; the network is placed around what is stuck, see
        `place_around` [S].
    points : (n_points, n_inputs) array_like, optional
        Typical inputs, such as the training points. With them the damage by stuck devices counts by what it does to the
        outputs, instead of in siemens; "sensitive last" needs them (unitless).
    lines : bool, optional
        Whether lines may move to get around stuck devices, see `place_around` (unitless).

    Returns
    -------
    Plan
        Targets, order, tolerance and scheme for each array.

    Raises
    ------
    ValueError
        If the order is unknown or lacks ``points``, a weight is not finite, or the tiles or stuck maps do not fit.
    """
    require_name("order", order, ORDERS)
    if order == "sensitive last" and points is None:
        raise ValueError("order='sensitive last' needs points, for example points=dataset.points, to tell what is sensitive")
    targets = map_weights(network, device)
    layout = tiles if isinstance(tiles, Layout) else arrange([array.shape for array in targets], tiles)
    scales = [layer.scale for layer in targets.layers]
    effects = None
    if points is not None:
        effects = [effect / scale for effect, scale in zip(weight_effects(network, points), scales)]
    if stuck is None:
        stuck, wanted = [np.full(shape, np.nan) for shape in layout.shapes], layout.place(targets)
    else:
        placement = place_around(targets, device, stuck, layout=layout, sensitivities=effects, lines=lines)
        layout, wanted = placement.layout, placement.targets
        stuck = [np.asarray(stuck[tile.array], dtype=np.float64) for tile in layout.tiles]
    keys = [np.zeros(shape) for shape in layout.layer_shapes]
    if order == "sensitive last":
        keys = [np.repeat(effect, 2, axis=1) for effect in effects]
    orders = [_turns(np.where(np.isnan(array), -1.0, key)) for array, key in zip(wanted, layout.place(keys))]
    scheme = PulseScheme() if scheme is None else scheme
    return Plan(fingerprint(network), device, scheme, layout, scales, wanted, orders, stuck)


def load_plan(folder):
    """Plan from the folder that `Plan.save` wrote.

    Parameters
    ----------
    folder : str or Path
        The folder (unitless).

    Returns
    -------
    Plan
        The plan, bit for bit.

    Raises
    ------
    ValueError
        If it is of another version, damaged, or one of its files was edited.
    """
    content = read_content(folder)
    try:
        loaded = Plan.from_json(content)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{folder}/{PLAN}: {error}") from None
    require_tables(folder, loaded._tables())
    return loaded


def fingerprint(network):
    """SHA-256 of a network's arrays, input encoding and activation, in hexadecimal (unitless)."""
    if not hasattr(network, "input_offset"):
        raise TypeError(f"network must be an MLP, such as MLP.load gives; got {str(network)[:80]!r}")
    digest = hashlib.sha256(network.activation.encode())
    for array in (network.input_offset, network.input_scale, *network.arrays):
        digest.update(f"{np.shape(array)}".encode())
        digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return digest.hexdigest()


def _frozen(table):
    """A copy that stays as it is: a plan's files and read-backs are known by its fingerprint."""
    table = np.array(table)
    table.flags.writeable = False
    return table


def _turns(keys):
    """Turn of each device by rising key, equal ones in raster order."""
    turns = np.empty(keys.size, dtype=np.int64)
    turns[np.argsort(keys, axis=None, kind="stable")] = np.arange(keys.size)
    return turns.reshape(keys.shape)


def _without_nan(table):
    return [[None if np.isnan(value) else value for value in row] for row in table.tolist()]
