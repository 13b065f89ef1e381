"""Programming plans: what to write on which device of which array, in which order, and the way back to weights."""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from tiocross.devices import files
from tiocross.devices.device import Device, require_device
from tiocross.devices.tio2 import TIO2
from tiocross.devices.writes import count_later_writes, disturb_notes, require_within_window
from tiocross.checks import as_conductances, as_count, as_finite, require_name
from tiocross.lab.device_table import device_text, list_devices
from tiocross.lab.plan_files import PLAN, read_content, require_tables, table_text, write_folder
from tiocross.lab.write_verify import PulseScheme, require_scheme
from tiocross.mapping.placement import place_around
from tiocross.mapping.faults import as_stuck_maps
from tiocross.mapping.arrangements import arrange
from tiocross.mapping.layout import Layout
from tiocross.mapping.sensitivity import device_effects, effects_per_siemens, weight_effects
from tiocross.mapping.targets import (
    LayerTargets, Network, Targets, biases_in_software, map_weights, shapes_of, with_digital_bias,
)
from tiocross.records import freeze
from tiocross.units import percent, uS

FORMAT = "tiocross plan 2"
ORDERS = ("raster", "sensitive last")


@dataclass(frozen=True, eq=False)
class Plan:
    """How to put a network on physical arrays; lists have one entry for each of the layout's ``arrays``.

    Parameters
    ----------
    network_sha256 : str
        Fingerprint of the network.
    device : Device
        Kind of device; its window holds the targets.
    scheme : PulseScheme
        Amplitudes, tolerance and budgets of write-verify.
    layout : Layout
        Which device of which array carries what.
    scales : tuple of (n_word_lines, 1) or (n_word_lines, n_outputs) ndarray
        Difference of conductance per unit weight, for each word line, or weight, of each layer [S].
    targets : tuple of (n_word_lines, n_bit_lines) ndarray
        What to program on each array; NaN where a device is known to be stuck or not in use [S].
    orders : tuple of (n_word_lines, n_bit_lines) int ndarray
        Turn of each device, a permutation of 0 to n_devices - 1 in which the devices without target come first: so the
        number of later turns is the number of later writes (unitless).
    stuck : tuple of (n_word_lines, n_bit_lines) ndarray
        Conductances of devices known to be stuck, NaN elsewhere [S].
    digital_bias : (n_outputs,) ndarray, optional
        Bias of the last layer, where it stays in software (unitless).
    """

    network_sha256: str
    device: Device
    scheme: PulseScheme
    layout: Layout
    scales: tuple[np.ndarray, ...]
    targets: tuple[np.ndarray, ...]
    orders: tuple[np.ndarray, ...]
    stuck: tuple[np.ndarray, ...]
    digital_bias: np.ndarray | None = None

    def __post_init__(self):
        require_device(self.device)
        require_scheme(self.scheme)
        if self.device.g_min <= 0:
            raise ValueError(f"a plan needs a window that begins above 0 S; that of {self.device.name} begins at "
                             f"{self.device.g_min:g} S, which no pulse reaches. Set g_min of the device to the lowest "
                             "conductance that RESET brings it to, for example 1 uS")
        for name in ("scales", "targets", "orders", "stuck"):
            object.__setattr__(self, name, tuple(map(freeze, getattr(self, name))))
        as_stuck_maps(self.stuck, self.layout.shapes, "array")
        self._require_scales()
        if not len(self.targets) == len(self.orders) == len(self.layout.arrays):
            raise ValueError(f"a plan needs targets and an order for each of its {len(self.layout.arrays)} arrays; got "
                             f"{len(self.targets)} and {len(self.orders)}")
        lists = zip(self.layout.arrays, self.layout.used, self.targets, self.orders, self.stuck)
        for array, used, targets, turns, stuck in lists:
            wanted = used & np.isnan(stuck)
            if np.shape(targets) != used.shape or not np.array_equal(~np.isnan(targets), wanted):
                raise ValueError(f"targets of array {array} must have shape {used.shape}, with a number for each healthy "
                                 f"device in use and NaN elsewhere; got shape {np.shape(targets)}")
            as_conductances(f"targets of array {array}", np.where(wanted, targets, 0.0))
            require_within_window(f"targets of array {array}", targets, self.device)
            count_later_writes(used.shape, turns)

    def _require_scales(self):
        shapes, layers = [np.shape(scale) for scale in self.scales], self.layout.layer_shapes
        if [shape[:1] for shape in shapes] != [layer[:1] for layer in layers] or any(len(shape) != 2 for shape in shapes):
            raise ValueError("a plan needs scales for each layer, a row for each word line; got shapes "
                             f"{shapes} for layers {list(layers)}")
        for layer, scale in enumerate(self.scales):
            if not (as_finite(f"scales of layer {layer}", scale) > 0).all():
                raise ValueError(f"scales of layer {layer} must be positive; got {np.min(scale):g} S")
        if self.digital_bias is not None:
            object.__setattr__(self, "digital_bias", freeze(as_finite("digital_bias", self.digital_bias, ndim=1)))
        if (self.digital_bias is not None) != self.layout.mapping.digital_output_bias:
            raise ValueError("a plan holds the output bias where the mapping leaves it in software, and only there; got "
                             f"{self.digital_bias!r} with {self.layout.mapping!r}")

    def __repr__(self):
        shapes = ", ".join(f"{n} of {rows} x {columns}" for (rows, columns), n in Counter(self.layout.shapes).items())
        n_wanted, n_stuck = (sum(int((~np.isnan(table)).sum()) for table in tables) for tables in (self.targets, self.stuck))
        return (f"Plan({shapes}: {n_wanted} devices to program, {n_stuck} known to be stuck; {self.device.name}, "
                f"{self.device.g_min / uS:g} to {self.device.g_max / uS:g} uS within {self.tolerance / percent:g} %; "
                f"network {self.network_sha256[:12]}...)")

    @property
    def notes(self) -> list[str]:
        """What to know before programming: sentences on a scheme that is not the device's, and on write disturb."""
        notes = []
        if self.scheme == PulseScheme() and self.device.name != TIO2.name:
            notes.append(f"pulse scheme: the default one, measured on {TIO2.name}, not on {self.device.name}; give your own")
        longest = max((int((~np.isnan(targets)).sum()) for targets in self.targets), default=1) - 1
        return notes + disturb_notes(self.device, longest)

    @property
    def tolerance(self) -> float:
        """Largest distance of a reading from its target, as a fraction of the target (unitless)."""
        return self.scheme.tolerance

    @property
    def expected(self) -> list[np.ndarray]:
        """What the arrays hold if every target is met: targets and known stuck conductances, NaN elsewhere [S]."""
        return [np.where(used & ~np.isnan(stuck), stuck, targets)
                for used, targets, stuck in zip(self.layout.used, self.targets, self.stuck)]

    @cached_property
    def sha256(self) -> str:
        """Fingerprint of all that the plan says."""
        text = json.dumps(self.to_json(), sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def index_of(self, array: int) -> int:
        """Place in the plan's lists of a physical array, given by its number; ValueError if the plan does not use it."""
        if as_count("array", array, low=0) not in self.layout.arrays:
            raise ValueError(f"the plan uses arrays {', '.join(map(str, self.layout.arrays))}; got {array}")
        return self.layout.arrays.index(array)

    def weights(self, readbacks: list) -> list[np.ndarray]:
        """Weights that arrays compute with, for ``network.with_arrays``.

        Parameters
        ----------
        readbacks : list of (..., n_word_lines, n_bit_lines) array_like
            For each array of the layout the conductances of the whole array, or its transfer matrix; devices that are not in
            use may be NaN [S].

        Returns
        -------
        list of (..., n_inputs + 1, n_outputs) ndarray
            One array a layer, bias last, hidden units in the order of the network that was planned, wherever the plan
            put them (unitless).

        Raises
        ------
        ValueError
            If there is not one array of the right shape for each of the layout, or a value in use is no conductance.
        """
        layers = self.layout.collect(readbacks)
        for array, used, values in zip(self.layout.arrays, self.layout.used, readbacks):
            as_conductances(f"the read-back of array {array}", _require_read(array, np.where(used, values, 0.0)))
        weights = [self.layout.mapping.differences(values) / scale for values, scale in zip(layers, self.scales)]
        return [with_digital_bias(*layer) for layer in zip(weights, biases_in_software(self.layout, self.digital_bias))]

    def targets_of(self, network: Network) -> Targets:
        """Targets of the planned network as `infer` takes them: layout, scales and, where known, stuck devices.

        Parameters
        ----------
        network : MLP
            The network that was planned.

        Returns
        -------
        Targets
            What the arrays hold if every target is met, and the way back to weights.
        """
        self.require_network(network)
        layers = zip(self.layout.collect(self.expected), self.scales, biases_in_software(self.layout, self.digital_bias))
        return Targets(tuple(LayerTargets(*layer) for layer in layers), self.layout, tuple(network.arrays))

    def device_table(self) -> list:
        """Which physical device carries which weight: a list of `PlannedDevice`, as in devices.csv."""
        return list_devices(self)

    def require_network(self, network: Network) -> None:
        """Raise ValueError unless ``network``, an MLP, is the one that was planned."""
        if fingerprint(network) != self.network_sha256:
            raise ValueError(f"the plan is for another network: its fingerprint is {self.network_sha256[:12]}..., this "
                             f"network's is {fingerprint(network)[:12]}... Plan this network, or load the planned one")

    def save(self, folder: str | Path) -> None:
        """Write plan.json, and as CSV `device_table` and targets [S] and order of each array, to a new folder."""
        write_folder(folder, self.to_json(), self._tables())

    def to_json(self) -> dict:
        """Content of plan.json: plain numbers, texts, lists and dicts; keys of numbers state their unit."""
        arrays = [{"targets [S]": _without_nan(targets), "order [-]": turns.tolist(), "stuck [S]": _without_nan(stuck)}
                  for targets, turns, stuck in zip(self.targets, self.orders, self.stuck)]
        return {"format": FORMAT, "network_sha256": self.network_sha256, "device": files.to_json(self.device),
                "scheme": self.scheme.to_json(), "layout": self.layout.to_json(),
                "scales [S]": [scale.tolist() for scale in self.scales],
                "digital_bias [-]": None if self.digital_bias is None else self.digital_bias.tolist(), "arrays": arrays}

    @classmethod
    def from_json(cls, content: dict) -> "Plan":
        """Plan from the ``content`` of a plan.json."""
        found = content.get("format") if isinstance(content, dict) else None
        if found != FORMAT:
            raise ValueError(f"this is not a plan of this version: it must hold \"format\": \"{FORMAT}\"; got {found!r}. "
                             "Make the plan again from its network")
        try:
            arrays, bias = content["arrays"], content["digital_bias [-]"]
            return cls(content["network_sha256"], files.from_json(content["device"]),
                       PulseScheme.from_json(content["scheme"]), Layout.from_json(content["layout"]),
                       [np.array(scale, dtype=np.float64) for scale in content["scales [S]"]],
                       [np.array(array["targets [S]"], dtype=np.float64) for array in arrays],
                       [np.array(array["order [-]"]) for array in arrays],
                       [np.array(array["stuck [S]"], dtype=np.float64) for array in arrays],
                       None if bias is None else np.array(bias, dtype=np.float64))
        except KeyError as error:
            raise ValueError(f"the plan lacks {error}") from None

    def _tables(self):
        about = f"{FORMAT}; plan {self.sha256}; polarity 1 is the plus side of a pair; rows are word lines"
        tables = {"devices.csv": device_text(about, self.device_table())}
        for array, blocks, targets, turns in zip(self.layout.arrays, self.layout.blocks_of, self.targets, self.orders):
            layers = ", ".join(map(str, dict.fromkeys(block.layer for block in blocks)))
            about = f"{FORMAT}; plan {self.sha256}; array {array}; layer {layers}"
            tables[f"array_{array:02d}_targets.csv"] = table_text(f"{about}; targets [S]; nan: do not program", targets)
            tables[f"array_{array:02d}_order.csv"] = table_text(f"{about}; turn of each device", turns)
        return tables


def plan(network: Network, device: Device, *, layout: tuple[int, int] | Layout | Targets = (8, 8),
         scheme: PulseScheme | None = None, order: str = "raster", stuck: list | None = None,
         points: ArrayLike | None = None, may_move_lines: bool = True) -> Plan:
    """Plan to program a network.

    Parameters
    ----------
    network : MLP
        The trained network.
    device : Device
        Its window holds the targets.
    layout : tuple of int, Layout or Targets, optional
        (n_word_lines, n_bit_lines) of the physical arrays; or which device of which array carries what; or the targets
        to program, such as `compensate_targets` gives them, with their layout (unitless).
    scheme : PulseScheme, optional
        Amplitudes, tolerance and budgets of write-verify; the default scheme without it.
    order : str, optional
        "raster", word line by word line; or "sensitive last": devices whose change moves the outputs most come last, for
        later writes disturb what is there.
    stuck : list of (n_word_lines, n_bit_lines) array_like, optional
        Stuck map of each physical array at hand, by its number, NaN where healthy; the network is placed around what is
        stuck, see `place_around` [S].
    points : (n_points, n_inputs) array_like, optional
        Typical inputs, such as the training points. With them the damage by stuck devices counts by what it does to the
        outputs, instead of in siemens; "sensitive last" needs them (unitless).
    may_move_lines : bool, optional
        Whether lines may move to get around stuck devices, see `place_around`.

    Returns
    -------
    Plan
        Targets, order, tolerance and scheme for each array.

    Raises
    ------
    ValueError
        If the order is unknown or lacks ``points``, a weight is not finite, the layout or stuck maps do not fit, or the
        device's window begins at 0 S, which no pulse reaches.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import MLP, TIO2, plan
    >>> made = plan(MLP(2, 8, 1, rng=np.random.default_rng(7)), TIO2, layout=(8, 8))
    >>> made.layout.arrays, [targets.shape for targets in made.targets]
    ((0, 1, 2, 3), [(8, 8), (8, 8), (8, 8), (8, 8)])
    """
    require_name("order", order, ORDERS)
    if order == "sensitive last" and points is None:
        raise ValueError("order='sensitive last' needs points, for example points=dataset.points, to tell what is sensitive")
    if stuck is not None and isinstance(layout, Targets):
        raise ValueError("targets that are given were made for their places and stay there: place the network around stuck "
                         "devices first, with place_around, or leave stuck out")
    targets = _targets_on(network, device, layout)
    effects = None if points is None else weight_effects(network, points)
    layout = targets.layout
    if stuck is None:
        stuck, wanted = [np.full(shape, np.nan) for shape in layout.shapes], layout.place(list(targets))
    else:
        per_siemens = effects and effects_per_siemens(effects, targets)
        placement = place_around(targets, device, stuck, sensitivities=per_siemens, may_move_lines=may_move_lines)
        layout, wanted = placement.layout, placement.targets
        stuck = [np.asarray(stuck[array], dtype=np.float64) for array in layout.arrays]
    keys = [np.zeros(shape) for shape in layout.layer_shapes]
    if order == "sensitive last":
        keys = device_effects(effects, targets)
    orders = [_turns(np.where(np.isnan(array), -1.0, key)) for array, key in zip(wanted, layout.place(keys))]
    return Plan(fingerprint(network), device, PulseScheme() if scheme is None else scheme, layout,
                [layer.scale for layer in targets.layers], wanted, orders, stuck,
                targets.layers[-1].digital_bias if layout.mapping.digital_output_bias else None)


def _targets_on(network, device, layout):
    """Targets of the network, on what `plan` takes as its layout."""
    if not hasattr(network, "arrays"):
        raise TypeError(f"network must be an MLP, such as MLP.load gives; got {str(network)[:80]!r}")
    if isinstance(layout, Targets):
        layout.require_network(network)
        return layout
    given = layout if isinstance(layout, Layout) else arrange(shapes_of(network), layout)
    return map_weights(network, device, layout=given)


def load_plan(folder: str | Path) -> Plan:
    """Plan from the folder that `Plan.save` wrote.

    Parameters
    ----------
    folder : str or Path
        The folder.

    Returns
    -------
    Plan
        The plan, bit for bit.

    Raises
    ------
    ValueError
        If it is of another version, damaged, or one of its files was edited.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from tiocross import MLP, TIO2, load_plan, plan
    >>> made = plan(MLP(2, 8, 1, rng=np.random.default_rng(7)), TIO2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made.save(folder + "/plan")
    ...     load_plan(folder + "/plan").sha256 == made.sha256
    True
    """
    content = read_content(folder)
    try:
        loaded = Plan.from_json(content)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{folder}/{PLAN}: {error}") from None
    require_tables(folder, loaded._tables())
    return loaded


def fingerprint(network):
    """SHA-256 of a network's arrays, input encoding and architecture, in hexadecimal."""
    if not hasattr(network, "architecture"):
        raise TypeError(f"network must be an MLP, such as MLP.load gives; got {str(network)[:80]!r}")
    digest = hashlib.sha256(network.architecture.encode())
    for array in (network.input_offset, network.input_scale, *network.arrays):
        digest.update(f"{np.shape(array)}".encode())
        digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return digest.hexdigest()


def _require_read(array, values):
    """The conductances in use of an array; ValueError naming the first that is missing."""
    if values.dtype.kind == "f" and (missing := np.isnan(values)).any():
        row, column = np.argwhere(missing)[0].tolist()[-2:]
        raise ValueError(f"the read-back of array {array} has no reading (nan) of row {row}, column {column}, a device that "
                         f"the network uses ({int(missing.sum())} such). Read it again, or put there what it conducts: "
                         "0 if it is open")
    return values


def _turns(keys):
    """Turn of each device by rising key, equal ones in raster order."""
    turns = np.empty(keys.size, dtype=np.int64)
    turns[np.argsort(keys, axis=None, kind="stable")] = np.arange(keys.size)
    return turns.reshape(keys.shape)


def _without_nan(table):
    return [[None if np.isnan(value) else value for value in row] for row in table.tolist()]
