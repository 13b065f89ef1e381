"""Programming plans: what they say, their files, and the way from read-backs to weights."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from tiocross import MLP, TIO2, Crossbar, map_weights, transfer_matrix
from tiocross.devices.writes import count_later_writes, program
from tiocross.lab.plan_files import load_readback, save_readback
from tiocross.lab.plans import Plan, fingerprint, load_plan, plan
from tiocross.lab.write_verify import PulseScheme
from tiocross.mapping.sensitivity import weight_effects
from tiocross.mapping.layout import arrange
from tiocross.units import uS

NAN = np.nan
RNG = np.random.default_rng
SMALL = MLP(2, 8, 1, rng=RNG(1))
POINTS = RNG(2).random((30, 2))


def some_stuck(n_arrays=5, shape=(8, 8), seed=3, share=0.08):
    rng = RNG(seed)
    return [np.where(rng.random(shape) < share, rng.uniform(10 * uS, 700 * uS, shape), NAN) for _ in range(n_arrays)]


def programmed(made, seed=0):
    """What a write of the plan leaves behind: tuning error, disturb by later writes, and the stuck devices it knows of."""
    arrays = []
    for targets, turns, stuck in zip(made.targets, made.orders, made.stuck):
        whole = np.where(np.isnan(targets), TIO2.g_min, targets)
        array = program(whole, TIO2.without("stuck"), rng=RNG([seed, len(arrays)]), order=turns)
        arrays.append(np.where(np.isnan(stuck), array, stuck))
    return arrays


def assert_same_plan(first, second):
    assert first.to_json() == second.to_json() and first.sha256 == second.sha256
    assert (first.device, first.scheme) == (second.device, second.scheme)
    for name in ("scales", "targets", "orders", "stuck"):
        for one, other in zip(getattr(first, name), getattr(second, name), strict=True):
            assert one.dtype == other.dtype and one.tobytes() == other.tobytes(), name


# What a plan says.


def test_a_plan_holds_the_mapped_targets():
    made = plan(SMALL, TIO2)
    targets = map_weights(SMALL, TIO2)
    for got, wanted in zip(made.layout.collect(made.targets), targets):
        np.testing.assert_array_equal(got, wanted)
    assert [array.shape for array in made.targets] == [(8, 8)] * 4 and made.tolerance == PulseScheme().tolerance
    assert sum(int((~np.isnan(array)).sum()) for array in made.targets) == 3 * 16 + 9 * 2
    # The weights that come back differ by the rounding of sums of the order of g_max, in units of the scale.
    for got, wanted, scale in zip(made.weights(made.expected), SMALL.arrays, made.scales):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=4 * np.finfo(float).eps * TIO2.g_max / scale.min())


def test_turns_begin_with_what_is_not_programmed():
    for made in (plan(SMALL, TIO2), plan(SMALL, TIO2, stuck=some_stuck()),
                 plan(SMALL, TIO2, stuck=some_stuck(), order="sensitive last", points=POINTS)):
        for targets, turns in zip(made.targets, made.orders):
            wanted = ~np.isnan(targets)
            assert sorted(turns.ravel()) == list(range(64))
            # So the number of later turns is that of later writes: the last one written has none.
            assert sorted(count_later_writes((8, 8), turns)[wanted]) == list(range(int(wanted.sum())))
    raster = plan(SMALL, TIO2)
    assert (np.diff(raster.orders[0][:3].ravel()) == 1).all()


def test_sensitive_devices_come_last():
    made = plan(SMALL, TIO2, order="sensitive last", points=POINTS)
    effects = [np.repeat(effect / scale, 2, axis=1) for effect, scale in zip(weight_effects(SMALL, POINTS), made.scales)]
    for placed, turns, targets in zip(made.layout.place(effects), made.orders, made.targets):
        in_order = placed.ravel()[np.argsort(turns, axis=None)]
        assert (np.diff(in_order[~np.isnan(in_order)]) >= 0).all() and np.isnan(in_order[: np.isnan(targets).sum()]).all()


def test_known_stuck_devices_are_left_alone_and_reckoned_with():
    stuck = some_stuck()
    made = plan(SMALL, TIO2, stuck=stuck)
    for tile, targets, faults, expected in zip(made.layout.tiles, made.targets, made.stuck, made.expected):
        np.testing.assert_array_equal(faults, stuck[tile.array])
        np.testing.assert_array_equal(~np.isnan(targets), tile.used & np.isnan(faults))
        np.testing.assert_array_equal(expected[tile.used], np.where(np.isnan(faults), targets, faults)[tile.used])
    # Enough spare lines are there to bring every difference right; then the network is the one that was planned.
    for got, wanted in zip(made.weights(made.expected), SMALL.arrays):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-13 * np.abs(wanted).max())


def test_weights_are_in_the_networks_own_order_wherever_the_plan_put_them():
    network = MLP(3, 6, 2, rng=RNG(4), activation="tanh")
    layout = arrange([array.shape for array in map_weights(network, TIO2)], (7, 12))
    stuck = some_stuck(2, (7, 12), seed=5, share=0.15)
    made = plan(network, TIO2, tiles=layout, stuck=stuck, lines=False)
    assert made.layout.tiles[0].pairs.tolist() != list(range(6))  # units have moved
    errors = [got - wanted for got, wanted in zip(made.weights(made.expected), network.arrays)]
    assert sum(int((np.abs(error) > 1e-12).sum()) for error in errors) < 5  # all but a few weights are where they belong


def test_weights_from_transfer_matrices_and_many_chips():
    made = plan(SMALL, TIO2)
    arrays = [np.stack([array, 0.9 * array]) for array in programmed(made)]
    matrices = [transfer_matrix(Crossbar(array, wire_resistance=2.0)) for array in arrays]
    many = made.weights(matrices)
    assert [array.shape for array in many] == [(2, 3, 8), (2, 9, 1)]
    for both, one in zip(many, made.weights([matrix[1] for matrix in matrices])):
        np.testing.assert_array_equal(both[1], one)


def test_the_device_table_says_which_device_carries_what():
    """By hand: 2-8-1 on 5 x 8 arrays; layer 0 is 3 x 16, two arrays of 3 x 8; layer 1 is 9 x 2, blocks of 5 and 4 rows."""
    made = plan(SMALL, TIO2, tiles=(5, 8))
    table = made.device_table()
    places = {(d.layer, d.input, d.output, d.polarity): (d.tile, d.array, d.row, d.column) for d in table}
    assert len(table) == len(places) == 3 * 16 + 9 * 2 and [*places] == sorted(
        places, key=lambda key: (key[0], 99 if key[1] == "bias" else key[1], key[2], -key[3]))
    assert places[0, 0, 0, 1] == (0, 0, 0, 0) and places[0, 1, 3, -1] == (0, 0, 1, 7)
    assert places[0, "bias", 4, 1] == (1, 1, 2, 0) and places[0, 1, 7, -1] == (1, 1, 1, 7)
    assert places[1, 4, 0, -1] == (2, 2, 4, 1) and places[1, 5, 0, 1] == (3, 3, 0, 0)
    assert places[1, "bias", 0, 1] == (3, 3, 3, 0)
    weights = [np.zeros(array.shape) for array in SMALL.arrays]
    for device in table:
        row = -1 if device.input == "bias" else device.input
        weights[device.layer][row, device.output] += device.polarity * device.target
        assert device.turn == made.orders[device.tile][device.row, device.column] and np.isnan(device.stuck)
    for got, wanted, scale in zip(weights, SMALL.arrays, made.scales):
        np.testing.assert_allclose(got / scale, wanted, rtol=0, atol=4 * np.finfo(float).eps * TIO2.g_max / scale.min())


def test_the_device_table_as_a_file(tmp_path):
    made = plan(SMALL, TIO2, stuck=some_stuck())
    made.save(tmp_path / "plan")
    comment, *lines = (tmp_path / "plan" / "devices.csv").read_text().splitlines()
    rows = list(csv.DictReader(lines))
    assert comment.startswith("# tiocross plan 1; plan ") and len(rows) == 3 * 16 + 9 * 2
    n_stuck = 0
    for row in rows:
        tile, place = int(row["tile"]), (int(row["row"]), int(row["column"]))
        assert int(row["array"]) == made.layout.tiles[tile].array and int(row["turn"]) == made.orders[tile][place]
        for name, values in (("target [S]", made.targets), ("stuck [S]", made.stuck)):
            np.testing.assert_array_equal(float(row[name]), values[tile][place])
        n_stuck += not np.isnan(float(row["stuck [S]"]))
        source = row["input"] if row["input"] == "bias" else int(row["input"])
        assert made.layout.carried_by(tile, *place) == (int(row["layer"]), source, int(row["output"]), int(row["polarity"]))
    assert 0 < n_stuck == sum(int((~np.isnan(stuck))[tile.used].sum()) for tile, stuck in zip(made.layout.tiles, made.stuck))


def test_a_plan_stays_as_it_is():
    made = plan(SMALL, TIO2)
    for values in (made.scales, made.targets, made.orders, made.stuck):
        with pytest.raises(ValueError, match="read-only"):
            values[0][0] = values[0][0]
    assert made.sha256 is made.sha256  # computed once: a file for each of a hundred tiles asks for it


# Files.


@pytest.mark.parametrize("changes", [
    {}, {"tiles": (5, 7), "scheme": PulseScheme(tolerance=0.02, increment=1 / 30)},
    {"stuck": some_stuck(), "order": "sensitive last", "points": POINTS},
], ids=["plain", "other tiles", "faults"])
def test_files_round_trip_bit_for_bit(changes, tmp_path):
    made = plan(SMALL, TIO2, **changes)
    made.save(tmp_path / "plan")
    assert_same_plan(load_plan(tmp_path / "plan"), made)
    n_tiles = len(made.targets)
    assert len(list((tmp_path / "plan").iterdir())) == 2 + 2 * n_tiles and [*tmp_path.iterdir()] == [tmp_path / "plan"]
    for tile, targets in enumerate(made.targets):  # readable by anything that reads CSV
        table = np.loadtxt(tmp_path / "plan" / f"tile_{tile:02d}_targets.csv", delimiter=",", ndmin=2)
        np.testing.assert_array_equal(table, targets)
        table = np.loadtxt(tmp_path / "plan" / f"tile_{tile:02d}_order.csv", delimiter=",", ndmin=2)
        np.testing.assert_array_equal(table, made.orders[tile])


@pytest.mark.parametrize("stuck", [None, some_stuck()], ids=["healthy", "stuck"])
def test_export_programming_read_back_and_import_change_no_bit(stuck, network, moons, tmp_path):
    made = plan(network, TIO2, stuck=stuck)
    in_memory = network.with_arrays(made.weights(programmed(made)))
    made.save(tmp_path / "plan")
    loaded = load_plan(tmp_path / "plan")
    loaded.require_network(network)
    for tile, array in enumerate(programmed(loaded)):
        save_readback(loaded, tile, array, tmp_path / f"{tile}.csv")
    read = [load_readback(loaded, tile, tmp_path / f"{tile}.csv") for tile in range(len(loaded.targets))]
    from_files = network.with_arrays(loaded.weights(read))
    for one, other in zip(in_memory.arrays, from_files.arrays):
        assert one.tobytes() == other.tobytes()
    test = moons.test
    assert in_memory.logits(test.points).tobytes() == from_files.logits(test.points).tobytes()
    assert (in_memory.predict(test.points) == test.labels).mean() == (from_files.predict(test.points) == test.labels).mean()
    assert in_memory.arrays[0].tobytes() != network.arrays[0].tobytes()  # the write has left its mark


def test_a_folder_is_whole_or_absent(tmp_path, monkeypatch):
    made = plan(SMALL, TIO2)
    (tmp_path / "empty").mkdir()
    made.save(tmp_path / "empty")
    with pytest.raises(ValueError, match="exists already; choose a new folder"):
        made.save(tmp_path / "empty")
    (tmp_path / "file").write_text("a lab book")
    with pytest.raises(ValueError, match="exists already"):
        made.save(tmp_path / "file")
    with pytest.raises(FileNotFoundError, match="nowhere, where the folder plan is to be made, does not exist"):
        made.save(tmp_path / "nowhere" / "plan")
    assert_same_plan(load_plan(tmp_path / "empty"), made)
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        made.save(tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file"]


def test_unused_devices_need_no_reading(tmp_path):
    made = plan(SMALL, TIO2)
    save_readback(made, 2, made.targets[2], tmp_path / "read.csv")
    np.testing.assert_array_equal(load_readback(made, 2, tmp_path / "read.csv"), made.targets[2])


# What is refused.


@pytest.fixture
def saved(tmp_path):
    plan(SMALL, TIO2, stuck=some_stuck()).save(tmp_path / "plan")
    return tmp_path / "plan"


def edit(folder, change):
    content = json.loads((folder / "plan.json").read_text())
    change(content)
    (folder / "plan.json").write_text(json.dumps(content))


def first_target(content, value):
    row = next(row for row in content["tiles"][0]["targets [S]"] if any(g is not None for g in row))
    row[next(k for k, g in enumerate(row) if g is not None)] = value


@pytest.mark.parametrize(("change", "message"), [
    (lambda c: c.update(format="tiocross plan 2"), "not a plan of this version.*'tiocross plan 2'"),
    (lambda c: c.pop("format"), "not a plan of this version.*got None"),
    (lambda c: c.pop("scheme"), "the plan lacks 'scheme'"),
    (lambda c: c["tiles"].pop(), "one map for each of the 4 tiles; got 3"),
    (lambda c: c["tiles"][1]["targets [S]"].pop(), r"targets of tile 1 must have shape \(8, 8\).*got shape \(7, 8\)"),
    (lambda c: c["tiles"][1]["targets [S]"][0].pop(), "plan.json: .*inhomogeneous"),
    (lambda c: c["tiles"][0].update({"order [-]": [[0] * 8] * 8}), "order must be a permutation"),
    (lambda c: first_target(c, None), "with a number for each healthy device in use"),
    (lambda c: first_target(c, 6e-4), "targets of tile 0 must lie in the window .* got 0.0006"),
    (lambda c: first_target(c, 300), "If these are microsiemens"),
    (lambda c: c["scales [S]"].pop(), "a column of scales for each layer"),
    (lambda c: c["scales [S]"].__setitem__(1, [[0.0]] * 9), "scales of layer 1 must be positive"),
    (lambda c: c["device"].update({"g_max [S]": 500}), "If these are microsiemens"),
    (lambda c: c["scheme"].update({"set_limit [V]": -2.0}), "set_limit must be positive"),
    (lambda c: c["layout"]["tiles"][0].update(rows=[0, 1]), "plan.json: a tile needs one of its 8 word lines"),
    (lambda c: c.update(tiles=3), "plan.json: "),
    (lambda c: c["scheme"].update({"tolerance [-]": 0.05}), "devices.csv, line 1 is not what plan.json says"),
    (lambda c: first_target(c, 2.5e-4), "devices.csv, line 1 is not what plan.json says"),
])
def test_damaged_and_edited_plans_are_refused(change, message, saved):
    edit(saved, change)
    with pytest.raises(ValueError, match=message):
        load_plan(saved)


def test_edited_tables_are_refused(saved):
    path = saved / "tile_01_targets.csv"
    text = path.read_text()
    path.write_text(text.replace("0.0001,", "0.0002,", 1))
    with pytest.raises(ValueError, match=r"tile_01_targets.csv, line \d is not what plan.json says"):
        load_plan(saved)
    path.write_text("\n".join(text.splitlines()[:-1]))
    with pytest.raises(ValueError, match="line 9 is not what plan.json says: '' instead of"):
        load_plan(saved)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="tile_01_targets.csv"):
        load_plan(saved)
    (saved / "plan.json").write_text('{"format')
    with pytest.raises(ValueError, match="plan.json is not JSON"):
        load_plan(saved)


def test_another_network_is_refused():
    made, other = plan(SMALL, TIO2), SMALL.copy()
    made.require_network(other)
    other.arrays[1][-1, 0] = np.nextafter(other.arrays[1][-1, 0], 1)
    with pytest.raises(ValueError, match="the plan is for another network"):
        made.require_network(other)
    changed = SMALL.copy()
    changed.input_offset = changed.input_offset + 0.1
    relu = SMALL.copy()
    relu.activation = "relu"
    assert len({fingerprint(one) for one in (SMALL, other, changed, relu)}) == 4


@pytest.mark.parametrize(("change", "message"), [
    (lambda arrays: arrays[:3], "arrays must have shapes"),
    (lambda arrays: [arrays[0].T[:7], *arrays[1:]], "arrays must have shapes"),
    (lambda arrays: [array / uS for array in arrays], r"read-back of tile 0 must lie in \[0, 1\] S; .* microsiemens"),
    (lambda arrays: [*arrays[:2], -arrays[2], arrays[3]], "read-back of tile 2 must lie in .* at word line 0, bit line 0"),
    (lambda arrays: [*arrays[:3], np.full((8, 8), NAN)], r"read-back of tile 3 must be finite; got nan at index \(0, 0\)"),
])
def test_bad_read_backs_are_refused(change, message):
    made = plan(SMALL, TIO2)
    with pytest.raises(ValueError, match=message):
        made.weights(change(programmed(made)))


def test_read_back_files_belong_to_a_plan_and_a_tile(tmp_path):
    made, path = plan(SMALL, TIO2, tiles=(8, 10)), tmp_path / "read.csv"
    array = programmed(made)[0]
    for bad, message in ((array.T, r"got \(10, 8\). Transposed\?"), (-array, "must lie in"), (array / uS, "microsiemens"),
                         (np.where(array == array[0, 0], NAN, array), "must be finite; got nan")):
        with pytest.raises(ValueError, match=message):
            save_readback(made, 0, bad, path)
    assert not path.exists()
    save_readback(made, 0, array, path)
    with pytest.raises(ValueError, match="is no read-back of tile 1 of this plan"):
        load_readback(made, 1, path)
    with pytest.raises(ValueError, match="is no read-back of tile 0 of this plan"):
        load_readback(replace(made, scheme=PulseScheme(tolerance=0.02)), 0, path)
    for call in (lambda tile: load_readback(made, tile, path), lambda tile: save_readback(made, tile, array, path)):
        with pytest.raises(ValueError, match="the plan has tiles 0 to 3; got 4"):
            call(4)
        with pytest.raises(TypeError, match="tile must be a whole number; got True"):
            call(True)
    with pytest.raises(TypeError, match="plan must be a Plan, such as load_plan gives; got 'plan'"):
        load_readback("plan", 0, path)
    with pytest.raises(TypeError, match="read-back of tile 0 must be an array of real numbers"):
        save_readback(made, 0, array + 0j, path)
    whole = path.read_text()
    for text, message in ((whole[:-60], "truncated|not a number"), ("\n".join(whole.splitlines()[:-1]), "7 x 10 values"),
                          (whole.replace("0.000", "-0.000", 1), "must lie in"), ("", "is no read-back")):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            load_readback(made, 0, path)


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({"order": "sensitive first"}, ValueError, "order 'sensitive first' is unknown; did you mean 'sensitive last'"),
    ({"order": "sensitive last"}, ValueError, "needs points"),
    ({"tiles": (8, 1)}, ValueError, "at least two bit lines"),
    ({"tiles": 8}, TypeError, "tile_shape must be a pair"),
    ({"tiles": arrange([(3, 4)], (8, 8))}, ValueError, "layers must have shapes"),
    ({"scheme": 0.01}, TypeError, "scheme must be a PulseScheme"),
    ({"stuck": some_stuck(5, (8, 6))}, ValueError, r"array 0 must have shape \(8, 8\)"),
    ({"points": POINTS.T}, ValueError, "points must have 2 features"),
    ({"points": POINTS[:0]}, ValueError, "points must hold at least one point"),
    ({"stuck": 0.01}, TypeError, "stuck must be a list with one map for each physical array; got 0.01"),
])
def test_bad_arguments_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        plan(SMALL, TIO2, **arguments)


def test_what_is_no_network_or_device_is_refused():
    with pytest.raises(TypeError, match="network must be an MLP"):
        plan([np.zeros((3, 8))], TIO2)
    with pytest.raises(TypeError, match="device must be a Device"):
        plan(SMALL, "TIO2")
    with pytest.raises(TypeError, match="network must be an MLP, such as MLP.load gives; got 'network.npz'"):
        plan(SMALL, TIO2).require_network("network.npz")
    assert isinstance(plan(SMALL, TIO2), Plan)
