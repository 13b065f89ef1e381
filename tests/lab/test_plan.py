"""Programming plans: what they say, their files, and the way from read-backs to weights."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from tiocross import (
    MLP,
    TIO2,
    Crossbar,
    DifferentialPairs,
    Plan,
    PulseScheme,
    ReferenceColumn,
    arrange,
    compensate_targets,
    load_plan,
    load_readback,
    map_weights,
    place_around,
    plan,
    program,
    save_readback,
    share_arrays,
    transfer_matrix,
)
from tiocross.devices.device import Device
from tiocross.devices.writes import count_later_writes
from tiocross.lab.plans import fingerprint
from tiocross.mapping.sensitivity import weight_effects
from tiocross.units import uS

NAN = np.nan
RNG = np.random.default_rng
SMALL = MLP(2, 8, 1, rng=RNG(1))
POINTS = RNG(2).random((30, 2))
ONE_ARRAY = share_arrays(SMALL.sizes, (8, 8), mapping=DifferentialPairs(digital_output_bias=True))
BIASED = SMALL.with_arrays([array + 0.2 for array in SMALL.arrays])  # a bias that is not zero


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
    assert raster.layout.blocks[0].word_lines.tolist() == [5, 6, 7]
    assert (np.diff(raster.orders[0][5:].ravel()) == 1).all()


@pytest.mark.parametrize("layout", [(8, 8), (5, 7), ONE_ARRAY, share_arrays(SMALL.sizes, (6, 7)),
                                    arrange(SMALL.sizes, (4, 5), mapping=ReferenceColumn())],
                         ids=["8 x 8", "5 x 7", "one array", "shared", "reference"])
def test_programming_in_raster_order_has_the_layouts_later_writes(layout):
    made = plan(BIASED, TIO2, layout=layout)
    counted = [count_later_writes(turns.shape, turns) for turns in made.orders]
    for got, wanted in zip(made.layout.collect(counted), made.layout.n_later_writes, strict=True):
        np.testing.assert_array_equal(got, wanted)
    for got, wanted in zip(made.layout.later_writes(made.orders), made.layout.n_later_writes, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_sensitive_devices_come_last():
    made = plan(SMALL, TIO2, order="sensitive last", points=POINTS)
    effects = [np.repeat(effect / scale, 2, axis=1) for effect, scale in zip(weight_effects(SMALL, POINTS), made.scales)]
    for placed, turns, targets in zip(made.layout.place(effects), made.orders, made.targets):
        in_order = placed.ravel()[np.argsort(turns, axis=None)]
        assert (np.diff(in_order[~np.isnan(in_order)]) >= 0).all() and np.isnan(in_order[: np.isnan(targets).sum()]).all()


def test_known_stuck_devices_are_left_alone_and_reckoned_with():
    stuck = some_stuck()
    made = plan(SMALL, TIO2, stuck=stuck)
    for array, used, targets, faults, expected in zip(made.layout.arrays, made.layout.used, made.targets, made.stuck,
                                                      made.expected, strict=True):
        np.testing.assert_array_equal(faults, stuck[array])
        np.testing.assert_array_equal(~np.isnan(targets), used & np.isnan(faults))
        np.testing.assert_array_equal(expected[used], np.where(np.isnan(faults), targets, faults)[used])
    # Enough spare lines are there to bring every difference right; then the network is the one that was planned.
    for got, wanted in zip(made.weights(made.expected), SMALL.arrays):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-13 * np.abs(wanted).max())


def test_weights_are_in_the_networks_own_order_wherever_the_plan_put_them():
    network = MLP(3, 6, 2, rng=RNG(4), activation="tanh")
    layout = arrange(network.sizes, (7, 12))
    stuck = some_stuck(2, (7, 12), seed=5, share=0.15)
    made = plan(network, TIO2, layout=layout, stuck=stuck, may_move_lines=False)
    assert made.layout.blocks[0].pairs.tolist() != list(range(6))  # units have moved
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
    """By hand: 2-8-1 on 5 x 8 arrays; layer 0 is 3 x 16, two arrays of 3 x 8; layer 1 is 9 x 2, blocks of 5 and 4 rows,
    all of them at the bottom of their arrays."""
    made = plan(SMALL, TIO2, layout=(5, 8))
    table = made.device_table()
    places = {(d.layer, d.input, d.output, d.polarity): (d.array, d.row, d.column) for d in table}
    assert len(table) == len(places) == 3 * 16 + 9 * 2 and [*places] == sorted(
        places, key=lambda key: (key[0], 99 if key[1] == "bias" else key[1], key[2], -key[3]))
    assert places[0, 0, 0, 1] == (0, 2, 0) and places[0, 1, 3, -1] == (0, 3, 7)
    assert places[0, "bias", 4, 1] == (1, 4, 0) and places[0, 1, 7, -1] == (1, 3, 7)
    assert places[1, 4, 0, -1] == (2, 4, 1) and places[1, 5, 0, 1] == (3, 1, 0)
    assert places[1, "bias", 0, 1] == (3, 4, 0)
    weights = [np.zeros(array.shape) for array in SMALL.arrays]
    for device in table:
        row = -1 if device.input == "bias" else device.input
        weights[device.layer][row, device.output] += device.polarity * device.target
        assert device.turn == made.orders[device.array][device.row, device.column] and np.isnan(device.stuck)
    for got, wanted, scale in zip(weights, SMALL.arrays, made.scales):
        np.testing.assert_allclose(got / scale, wanted, rtol=0, atol=4 * np.finfo(float).eps * TIO2.g_max / scale.min())


def test_the_device_table_as_a_file(tmp_path):
    made = plan(SMALL, TIO2, stuck=some_stuck())
    made.save(tmp_path / "plan")
    comment, *lines = (tmp_path / "plan" / "devices.csv").read_text().splitlines()
    rows = list(csv.DictReader(lines))
    assert comment.startswith("# tiocross plan 2; plan ") and len(rows) == 3 * 16 + 9 * 2
    n_stuck = 0
    for row in rows:
        index, place = made.index_of(int(row["array"])), (int(row["row"]), int(row["column"]))
        assert int(row["turn"]) == made.orders[index][place]
        for name, values in (("target [S]", made.targets), ("stuck [S]", made.stuck)):
            np.testing.assert_array_equal(float(row[name]), values[index][place])
        n_stuck += not np.isnan(float(row["stuck [S]"]))
        source = row["input"] if row["input"] == "bias" else int(row["input"])
        assert made.layout.carried_by(index, *place) == (int(row["layer"]), source, int(row["output"]), int(row["polarity"]))
    assert 0 < n_stuck == sum(int((~np.isnan(stuck))[used].sum()) for used, stuck in zip(made.layout.used, made.stuck))
    assert {int(row["array"]) for row in rows} == set(made.layout.arrays)


def test_a_plan_stays_as_it_is():
    made = plan(SMALL, TIO2)
    for values in (made.scales, made.targets, made.orders, made.stuck):
        with pytest.raises(ValueError, match="read-only"):
            values[0][0] = values[0][0]
    assert made.sha256 is made.sha256  # computed once: a file for each of a hundred arrays asks for it


# Files.


@pytest.mark.parametrize("changes", [
    {}, {"layout": (5, 7), "scheme": PulseScheme(tolerance=0.02, increment=1 / 30)},
    {"stuck": some_stuck(), "order": "sensitive last", "points": POINTS},
    {"layout": ONE_ARRAY, "order": "sensitive last", "points": POINTS}, {"layout": ONE_ARRAY, "stuck": some_stuck(1)},
    {"layout": arrange(SMALL.sizes, (4, 5), mapping=ReferenceColumn())},
    {"layout": compensate_targets(map_weights(SMALL, TIO2, layout=arrange(SMALL.sizes, (8, 8))), TIO2, 3.0)},
], ids=["plain", "other arrays", "faults", "one array", "faults on one array", "reference", "compensated"])
def test_files_round_trip_bit_for_bit(changes, tmp_path):
    made = plan(SMALL, TIO2, **changes)
    made.save(tmp_path / "plan")
    assert_same_plan(load_plan(tmp_path / "plan"), made)
    n_arrays = len(made.targets)
    assert len(list((tmp_path / "plan").iterdir())) == 2 + 2 * n_arrays and [*tmp_path.iterdir()] == [tmp_path / "plan"]
    for array, targets, turns in zip(made.layout.arrays, made.targets, made.orders, strict=True):
        for name, values in (("targets", targets), ("order", turns)):  # readable by anything that reads CSV
            table = np.loadtxt(tmp_path / "plan" / f"array_{array:02d}_{name}.csv", delimiter=",", ndmin=2)
            np.testing.assert_array_equal(table, values)


@pytest.mark.parametrize("stuck", [None, some_stuck()], ids=["healthy", "stuck"])
def test_export_programming_read_back_and_import_change_no_bit(stuck, network, moons, tmp_path):
    made = plan(network, TIO2, stuck=stuck)
    in_memory = network.with_arrays(made.weights(programmed(made)))
    made.save(tmp_path / "plan")
    loaded = load_plan(tmp_path / "plan")
    loaded.require_network(network)
    for array, values in zip(loaded.layout.arrays, programmed(loaded), strict=True):
        save_readback(loaded, array, values, tmp_path / f"{array}.csv")
    read = [load_readback(loaded, array, tmp_path / f"{array}.csv") for array in loaded.layout.arrays]
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
    row = next(row for row in content["arrays"][0]["targets [S]"] if any(g is not None for g in row))
    row[next(k for k, g in enumerate(row) if g is not None)] = value


@pytest.mark.parametrize(("change", "message"), [
    (lambda c: c.update(format="tiocross plan 1"), "not a plan of this version.*'tiocross plan 1'"),
    (lambda c: c.pop("format"), "not a plan of this version.*got None"),
    (lambda c: c.pop("scheme"), "the plan lacks 'scheme'"),
    (lambda c: c["arrays"].pop(), "one map for each of the 4 arrays; got 3"),
    (lambda c: c["arrays"][1]["targets [S]"].pop(), r"targets of array 1 must have shape \(8, 8\).*got shape \(7, 8\)"),
    (lambda c: c["arrays"][1]["targets [S]"][0].pop(), "plan.json: .*inhomogeneous"),
    (lambda c: c["arrays"][0].update({"order [-]": [[0] * 8] * 8}), "order must be a permutation"),
    (lambda c: first_target(c, None), "with a number for each healthy device in use"),
    (lambda c: first_target(c, 6e-4), "targets of array 0 must lie in the window .* got 0.0006"),
    (lambda c: first_target(c, 300), "If these are microsiemens"),
    (lambda c: c["scales [S]"].pop(), "scales for each layer, a row for each word line"),
    (lambda c: c["scales [S]"].__setitem__(1, [[0.0]] * 9), "scales of layer 1 must be positive"),
    (lambda c: c["device"].update({"g_max [S]": 500}), "If these are microsiemens"),
    (lambda c: c["scheme"].update({"set_limit [V]": -2.0}), "set_limit must be positive"),
    (lambda c: c["layout"]["blocks"][0].update(layer_rows=[0, 1]),
     "plan.json: a block needs one of its array's 8 word lines"),
    (lambda c: c["layout"].update(mapping="own"), "plan.json: layout must hold 'mapping'"),
    (lambda c: c["layout"].update(digital_output_bias="no"), "plan.json: .*digital_output_bias must be True or False"),
    (lambda c: c.update({"digital_bias [-]": [0.5]}),
     "a plan holds the output bias where the mapping leaves it in software"),
    (lambda c: c.update(arrays=3), "plan.json: "),
    (lambda c: c["scheme"].update({"tolerance [-]": 0.05}), "devices.csv, line 1 is not what plan.json says"),
    (lambda c: first_target(c, 2.5e-4), "devices.csv, line 1 is not what plan.json says"),
])
def test_damaged_and_edited_plans_are_refused(change, message, saved):
    edit(saved, change)
    with pytest.raises(ValueError, match=message):
        load_plan(saved)


def test_edited_tables_are_refused(saved):
    path = saved / "array_01_targets.csv"
    text = path.read_text()
    path.write_text(text.replace("0.0001,", "0.0002,", 1))
    with pytest.raises(ValueError, match=r"array_01_targets.csv, line \d is not what plan.json says"):
        load_plan(saved)
    path.write_text("\n".join(text.splitlines()[:-1]))
    with pytest.raises(ValueError, match="line 9 is not what plan.json says: '' instead of"):
        load_plan(saved)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="array_01_targets.csv"):
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
    (lambda arrays: [array / uS for array in arrays], r"read-back of array 0 must lie in \[0, 1\] S; .* microsiemens"),
    (lambda arrays: [*arrays[:2], -arrays[2], arrays[3]], "read-back of array 2 must lie in .* at word line 3, bit line 0"),
    (lambda arrays: [*arrays[:3], np.full((8, 8), NAN)], r"read-back of array 3 has no reading \(nan\) of row 4, column 0"),
])
def test_bad_read_backs_are_refused(change, message):
    made = plan(SMALL, TIO2)
    with pytest.raises(ValueError, match=message):
        made.weights(change(programmed(made)))


def test_read_back_files_belong_to_a_plan_and_an_array(tmp_path):
    made, path = plan(SMALL, TIO2, layout=(8, 10)), tmp_path / "read.csv"
    array = programmed(made)[0]
    for bad, message in ((array.T, r"got \(10, 8\). Transposed\?"), (-array, "must lie in"), (array / uS, "microsiemens"),
                         (np.where(array == array[7, 0], NAN, array), "must be finite; got nan")):
        with pytest.raises(ValueError, match=message):
            save_readback(made, 0, bad, path)
    assert not path.exists()
    save_readback(made, 0, array, path)
    with pytest.raises(ValueError, match="is no read-back of array 1 of this plan"):
        load_readback(made, 1, path)
    with pytest.raises(ValueError, match="is no read-back of array 0 of this plan"):
        load_readback(replace(made, scheme=PulseScheme(tolerance=0.02)), 0, path)
    for call in (lambda number: load_readback(made, number, path), lambda number: save_readback(made, number, array, path)):
        with pytest.raises(ValueError, match="the plan uses arrays 0, 1, 2, 3; got 4"):
            call(4)
        with pytest.raises(TypeError, match="array must be a whole number; got True"):
            call(True)
    with pytest.raises(TypeError, match="plan must be a Plan, such as load_plan gives; got 'plan'"):
        load_readback("plan", 0, path)
    with pytest.raises(TypeError, match="read-back of array 0 must be an array of real numbers"):
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
    ({"layout": (8, 1)}, ValueError, "at least 2 bit lines"),
    ({"layout": 8}, TypeError, "array_shape must be a pair"),
    ({"layout": arrange((2, 2), (8, 8))}, ValueError, "the layout is for layers of shapes"),
    ({"layout": map_weights(MLP(2, 7, 1, rng=RNG(0)), TIO2)}, ValueError, "the layout is for layers of shapes"),
    ({"layout": arrange(SMALL.sizes, (8, 8), mapping=ReferenceColumn()), "stuck": some_stuck()}, ValueError,
     "the layout must hold whole pairs"),
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
    with pytest.raises(TypeError, match="network must be an MLP"):
        plan([np.zeros((3, 8))], TIO2, layout=map_weights(SMALL, TIO2))
    with pytest.raises(TypeError, match="device must be a Device"):
        plan(SMALL, "TIO2")
    with pytest.raises(TypeError, match="network must be an MLP, such as MLP.load gives; got 'network.npz'"):
        plan(SMALL, TIO2).require_network("network.npz")
    assert isinstance(plan(SMALL, TIO2), Plan)


# Layouts that share arrays, and targets that are compensated for wires.


def test_a_plan_of_a_shared_array_lists_each_device_once(tmp_path):
    made = plan(BIASED, TIO2, layout=ONE_ARRAY)
    assert made.layout.arrays == (0,) and not np.isnan(made.targets[0]).any()
    table = made.device_table()
    assert len(table) == 64 == len({(device.array, device.row, device.column) for device in table})
    wanted = [(layer, i, j, sign) for layer, (n_inputs, n_outputs) in enumerate([(3, 8), (8, 1)])
              for i in range(n_inputs) for j in range(n_outputs) for sign in (1, -1)]
    wanted = [(layer, "bias" if (layer, i) == (0, 2) else i, j, sign) for layer, i, j, sign in wanted]
    assert [(device.layer, device.input, device.output, device.polarity) for device in table] == wanted
    assert sorted(device.turn for device in table) == list(range(64))
    for device in table:  # word line by word line, whichever layer a device belongs to
        assert device.turn == 8 * device.row + device.column and device.target == made.targets[0][device.row, device.column]
    np.testing.assert_array_equal(made.digital_bias, BIASED.arrays[-1][-1])
    weights = made.weights(made.expected)
    np.testing.assert_array_equal(weights[-1][-1], BIASED.arrays[-1][-1])
    for got, array, scale in zip(weights, BIASED.arrays, made.scales):
        np.testing.assert_allclose(got, array, rtol=0, atol=4 * np.finfo(float).eps * TIO2.g_max / scale.min())
    made.save(tmp_path / "plan")
    header = (tmp_path / "plan" / "array_00_targets.csv").read_text().splitlines()[0]
    assert "; array 0; layer 0, 1; targets [S]" in header
    save_readback(made, 0, made.targets[0], tmp_path / "read.csv")
    again = load_plan(tmp_path / "plan")
    assert_same_plan(again, made)
    assert again.digital_bias.tobytes() == made.digital_bias.tobytes()
    for one, other in zip(again.weights([load_readback(again, 0, tmp_path / "read.csv")]), weights):
        assert one.tobytes() == other.tobytes()


def test_a_reference_column_is_named_in_the_device_table():
    made = plan(BIASED, TIO2, layout=arrange(SMALL.sizes, (9, 9), mapping=ReferenceColumn()))
    table = made.device_table()
    assert len(table) == 3 * 9 + 9 * 2
    reference = [device for device in table if device.output == "reference"]
    assert [(d.layer, d.input, d.polarity, d.target) for d in reference] == [
        (layer, i if i < n else "bias", -1, 0.5 * (TIO2.g_min + TIO2.g_max))
        for layer, n in ((0, 2), (1, 8)) for i in range(n + 1)]
    for got, array in zip(made.weights(made.expected), BIASED.arrays):
        np.testing.assert_allclose(got, array, rtol=0, atol=1e-12 * np.abs(array).max())


def test_files_are_named_by_physical_array(tmp_path):
    stuck = [np.full((8, 8), NAN) for _ in range(6)]
    stuck[1][:] = 3e-6  # an array that is of no use
    made = plan(SMALL, TIO2, stuck=stuck)
    assert made.layout.arrays == (0, 4, 2, 3) and [made.index_of(array) for array in made.layout.arrays] == [0, 1, 2, 3]
    made.save(tmp_path / "plan")
    names = {path.name for path in (tmp_path / "plan").iterdir()}
    assert names == {"plan.json", "devices.csv",
                     *(f"array_{array:02d}_{what}.csv" for array in (0, 2, 3, 4) for what in ("targets", "order"))}
    save_readback(made, 4, made.targets[1], tmp_path / "read.csv")
    np.testing.assert_array_equal(load_readback(made, 4, tmp_path / "read.csv"), made.targets[1])
    with pytest.raises(ValueError, match="the plan uses arrays 0, 4, 2, 3; got 1"):
        save_readback(made, 1, made.targets[1], tmp_path / "other.csv")
    assert {device.array for device in made.device_table()} == {0, 2, 3, 4}


@pytest.mark.parametrize("layout", [arrange(SMALL.sizes, (8, 8)), ONE_ARRAY, share_arrays(SMALL.sizes, (6, 7))],
                         ids=["8 x 8", "one array", "shared"])
def test_solved_arrays_of_compensated_targets_compute_with_the_networks_weights(layout, tmp_path):
    """With room at both ends of the window the compensation is exact; so are the weights that come back from files."""
    inner, wide = Device(g_min=1e-4, g_max=4e-4), Device(g_min=1e-5, g_max=9e-4)
    mapped = map_weights(BIASED, inner, layout=layout)
    targets, ohms = compensate_targets(mapped, wide, 10.0), 10.0
    assert all((one != other).any() for one, other in zip(targets, mapped))
    made = plan(BIASED, wide, layout=targets)
    for got, wanted in zip(made.layout.collect(made.targets), targets, strict=True):
        np.testing.assert_array_equal(got, wanted)
    made.save(tmp_path / "plan")
    loaded = load_plan(tmp_path / "plan")
    assert_same_plan(loaded, made)
    matrices = [transfer_matrix(Crossbar(np.where(np.isnan(array), 0.0, array), ohms), rtol=1e-12)
                for array in loaded.targets]
    for got, array in zip(loaded.weights(matrices), BIASED.arrays, strict=True):
        np.testing.assert_allclose(got, array, rtol=0, atol=1e-8 * np.abs(array).max())
    plain = plan(BIASED, inner, layout=layout)  # the wires do something that the compensation undoes
    matrices = [transfer_matrix(Crossbar(np.where(np.isnan(array), 0.0, array), ohms)) for array in plain.targets]
    errors = [np.abs(got - array).max() / np.abs(array).max() for got, array in zip(plain.weights(matrices), BIASED.arrays)]
    assert max(errors) > 1e-3


def test_known_stuck_devices_on_a_shared_array_are_left_alone():
    stuck = some_stuck(1, share=0.05)
    made = plan(BIASED, TIO2, layout=ONE_ARRAY, stuck=stuck)
    np.testing.assert_array_equal(np.isnan(made.targets[0]), ~np.isnan(stuck[0]))
    np.testing.assert_array_equal(made.expected[0], np.where(np.isnan(stuck[0]), made.targets[0], stuck[0]))
    placed = place_around(map_weights(BIASED, TIO2, layout=ONE_ARRAY), TIO2, stuck)
    assert made.layout.to_json() == placed.layout.to_json()
    table = made.device_table()
    assert sum(not np.isnan(device.stuck) for device in table) == int((~np.isnan(stuck[0])).sum()) > 0


def test_given_targets_stay_where_they_were_made_for():
    network = MLP(2, 3, 1, rng=np.random.default_rng(1))
    targets = compensate_targets(map_weights(network, TIO2, layout=arrange(network.sizes, (8, 8))), TIO2, 5.0)
    with pytest.raises(ValueError, match="stay there: place the network around stuck devices first"):
        plan(network, TIO2, layout=targets, stuck=[np.full((8, 8), NAN)] * 2)


def test_targets_of_another_network_are_refused():
    one, other = (MLP(2, 3, 1, rng=np.random.default_rng(seed)) for seed in (1, 2))
    with pytest.raises(ValueError, match="those of another network"):
        plan(one, TIO2, layout=map_weights(other, TIO2))
