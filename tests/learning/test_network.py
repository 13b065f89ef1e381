"""Multilayer perceptrons: shapes, forward pass against plain loops, files that are whole, refused or absent."""

import gc
import math
import os
import tracemalloc
import warnings
import zipfile

import numpy as np
import pytest
from oracle import ACTIVATION_FORMULAS

from tiocross.tasks import Dataset
from tiocross.learning.activations import ACTIVATIONS
from tiocross.learning.network import FORMAT, MLP, classify, forward

RNG = np.random.default_rng

EPS = np.finfo(float).eps


def make_network(*sizes, seed=0, activation="sigmoid"):
    """A network whose biases and input encoding are not the trivial ones of the start."""
    rng = np.random.default_rng(seed)
    network = MLP(*sizes, rng=rng, activation=activation)
    for array in network.arrays:
        array[-1] = rng.normal(size=array.shape[1])
    network.input_offset = rng.normal(size=sizes[0])
    network.input_scale = rng.uniform(0.5, 2.0, sizes[0])
    return network


def loop_forward(network, point):
    """Logits of one point by scalar arithmetic, layer by layer and unit by unit."""
    signal = [(x - offset) * scale for x, offset, scale in zip(point, network.input_offset, network.input_scale)]
    for depth, array in enumerate(network.arrays):
        if depth > 0:
            signal = [float(ACTIVATION_FORMULAS[network.activation](x)) for x in signal]
        n_inputs, n_outputs = len(array) - 1, len(array[0])
        signal = [sum(signal[i] * array[i][j] for i in range(n_inputs)) + array[n_inputs][j] for j in range(n_outputs)]
    return signal


# Construction.


@pytest.mark.parametrize("sizes", [(2, 8, 1), (3, 4), (5, 7, 2, 3), (1, 1)])
def test_shapes_of_the_layers(sizes):
    network = MLP(*sizes, rng=np.random.default_rng(0))
    assert network.sizes == sizes
    assert [array.shape for array in network.arrays] == [(n + 1, m) for n, m in zip(sizes, sizes[1:])]
    assert network.n_classes == max(2, sizes[-1])
    assert network.input_offset.shape == network.input_scale.shape == (sizes[0],)


def test_start_weights_fill_their_bound_and_biases_are_zero():
    network = MLP(40, 30, 2, rng=np.random.default_rng(0))
    for array, (n_in, n_out) in zip(network.arrays, [(40, 30), (30, 2)]):
        weights, bias = array[:-1], array[-1]
        bound = math.sqrt(6 / (n_in + n_out))
        assert np.abs(weights).max() <= bound
        # That none of 60 uniform numbers passes 0.7 of the bound on one side has a chance of 0.85^60 = 6e-5.
        assert weights.max() > 0.7 * bound and weights.min() < -0.7 * bound
        np.testing.assert_array_equal(bias, 0.0)


def test_same_seed_same_start():
    first, second, other = (MLP(3, 4, 2, rng=np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert all(np.array_equal(a, b) for a, b in zip(first.arrays, second.arrays))
    assert not np.array_equal(first.arrays[0], other.arrays[0])


def test_numpy_integers_are_sizes():
    assert MLP(*np.array([2, 3, 1]), rng=np.random.default_rng(0)).sizes == (2, 3, 1)


@pytest.mark.parametrize("sizes", [(), (2,)])
def test_too_few_sizes_are_refused_with_an_example(sizes):
    with pytest.raises(ValueError, match=r"MLP\(2, 8, 1, rng=rng\); got \("):
        MLP(*sizes, rng=np.random.default_rng(0))


@pytest.mark.parametrize("sizes, kind, text", [
    ((2, 0, 1), ValueError, "at least 1; got 0"),
    ((-2, 1), ValueError, "at least 1; got -2"),
    ((2, 8.0, 1), TypeError, r"whole number; got 8.0 \(float\)"),
    ((2, True), TypeError, r"whole number; got True \(bool\)"),
    (("2", 1), TypeError, r"whole number; got '2' \(str\)"),
])
def test_a_wrong_size_is_refused_by_its_value(sizes, kind, text):
    with pytest.raises(kind, match="a layer's size must be .*" + text):
        MLP(*sizes, rng=np.random.default_rng(0))


def test_an_unknown_activation_is_answered_with_the_nearest_one():
    with pytest.raises(ValueError, match=r"activation 'sigmiod' is unknown; did you mean 'sigmoid'\?"):
        MLP(2, 1, rng=np.random.default_rng(0), activation="sigmiod")
    with pytest.raises(ValueError, match="valid names: hardtanh, linear, relu, sigmoid, softplus, tanh"):
        MLP(2, 1, rng=np.random.default_rng(0), activation="???")


@pytest.mark.parametrize("rng", [7, None, np.random.RandomState(7)])
def test_chance_must_be_a_generator(rng):
    with pytest.raises(TypeError, match=r"numpy.random.Generator, for example numpy.random.default_rng\(7\); got"):
        MLP(2, 1, rng=rng)


def test_a_copy_shares_nothing():
    network = make_network(2, 3, 1, activation="tanh")
    copy = network.copy()
    assert copy.activation == "tanh"
    for ours, theirs in zip([*network.arrays, network.input_offset, network.input_scale],
                            [*copy.arrays, copy.input_offset, copy.input_scale]):
        np.testing.assert_array_equal(ours, theirs)
        assert not np.shares_memory(ours, theirs)


def test_with_arrays_holds_the_given_arrays_and_the_same_encoding():
    network = make_network(2, 3, 1)
    arrays = [np.zeros((3, 5)), np.ones((6, 1))]
    other = network.with_arrays(arrays)
    assert all(a is b for a, b in zip(other.arrays, arrays))
    assert other.sizes == (2, 5, 1)
    np.testing.assert_array_equal(other.input_offset, network.input_offset)
    other.input_scale[0] = 99.0
    assert network.input_scale[0] != 99.0


# Forward pass.


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sizes", [(2, 8, 1), (3, 5, 4, 2), (4, 3)])
def test_logits_equal_a_plain_loop(activation, sizes):
    network = make_network(*sizes, activation=activation)
    points = np.random.default_rng(1).normal(size=(7, sizes[0]))
    logits = network.logits(points)
    assert logits.shape == (7, sizes[-1])
    expected = np.array([loop_forward(network, point) for point in points])
    # Sums of at most 9 terms in another order, three layers deep, with weights up to about 3: some 100 roundings.
    np.testing.assert_allclose(logits, expected, rtol=0, atol=100 * EPS * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sizes", [(2, 8, 1), (3, 5, 4)])
def test_many_copies_in_one_pass_equal_one_by_one(activation, sizes):
    copies = [make_network(*sizes, seed=seed, activation=activation) for seed in range(6)]
    inputs = np.random.default_rng(1).normal(size=(9, sizes[0]))
    stacked = [np.stack(arrays).reshape(2, 3, *arrays[0].shape) for arrays in zip(*(copy.arrays for copy in copies))]
    together = forward(stacked, inputs, activation)
    assert together.shape == (2, 3, 9, sizes[-1])
    for k, copy in enumerate(copies):
        alone = forward(copy.arrays, inputs, activation)
        # The same products by the same routine, at most in another order of summation.
        np.testing.assert_allclose(together[divmod(k, 3)], alone, rtol=0, atol=50 * EPS * np.abs(alone).max())


def test_the_activation_is_not_applied_to_the_logits():
    network = make_network(2, 3)
    points = np.array([[1e3, -1e3], [50.0, 2.0]])
    weights, bias = network.arrays[0][:-1], network.arrays[0][-1]
    np.testing.assert_allclose(network.logits(points), network.encode(points) @ weights + bias, rtol=10 * EPS)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_extreme_inputs_do_not_overflow(activation):
    network = make_network(1, 4, 1, activation=activation)
    network.arrays[0][:] = 1.0
    with np.errstate(over="raise", invalid="raise"):
        logits = network.logits([[-1e6], [1e6]])
    assert np.isfinite(logits).all()


def test_an_activation_changed_to_an_unknown_one_is_refused_before_any_work():
    network = make_network(1, 4, 1)
    network.activation = "softpluss"
    with pytest.raises(ValueError, match="activation 'softpluss' is unknown; did you mean 'softplus'"):
        network.logits([[0.0]])


# Classes.


def test_one_logit_says_one_only_where_it_is_positive():
    np.testing.assert_array_equal(classify(np.array([[-1.0], [0.0], [-0.0], [1e-300], [5.0]])), [0, 0, 0, 1, 1])


def test_several_logits_say_the_largest_and_the_first_of_equals():
    np.testing.assert_array_equal(classify(np.array([[1.0, 3.0, 2.0], [4.0, -1.0, 4.0], [-3.0, -2.0, -1.0]])), [1, 0, 2])


def test_classes_of_copies_keep_the_leading_axes():
    logits = np.random.default_rng(0).normal(size=(4, 5, 3))
    np.testing.assert_array_equal(classify(logits), np.stack([classify(part) for part in logits]))
    assert classify(logits[..., :1]).shape == (4, 5)


@pytest.mark.parametrize("n_outputs", [1, 2, 4])
def test_predict_is_the_class_of_each_point_by_the_loop(n_outputs):
    network = make_network(2, 6, n_outputs, activation="tanh")
    points = np.random.default_rng(1).normal(size=(40, 2))
    logits = [loop_forward(network, point) for point in points]
    expected = [int(z[0] > 0) if n_outputs == 1 else max(range(n_outputs), key=z.__getitem__) for z in logits]
    classes = network.predict(points)
    assert classes.shape == (40,) and classes.dtype == np.int64
    np.testing.assert_array_equal(classes, expected)
    assert len(set(expected)) > 1  # otherwise the comparison would say little


def test_predict_takes_lists():
    network = make_network(2, 3, 1)
    points = np.array([[0.0, 1.0], [2.0, 3.0]])
    np.testing.assert_array_equal(network.predict(points.tolist()), network.predict(points))


# Inputs.


def test_centred_inputs_span_minus_one_to_one():
    points = np.random.default_rng(0).uniform([0, -5, 100], [1, 7, 101], (50, 3))
    network = MLP(3, 4, 1, rng=np.random.default_rng(0))
    network.centre_inputs(Dataset(points, np.arange(50) % 2))
    encoded = network.encode(points)
    # The ends are differences of numbers up to 101, divided by half a width of 0.5: 200 eps and a few roundings.
    np.testing.assert_allclose(encoded.min(axis=0), -1.0, rtol=0, atol=1000 * EPS)
    np.testing.assert_allclose(encoded.max(axis=0), 1.0, rtol=0, atol=1000 * EPS)


def test_a_constant_feature_is_only_centred():
    points = np.array([[3.0, 0.0], [3.0, 4.0], [3.0, 1.0]])
    network = MLP(2, 1, rng=np.random.default_rng(0))
    network.centre_inputs(Dataset(points, [0, 1, 0]))
    np.testing.assert_array_equal(network.encode(points), [[0.0, -1.0], [0.0, 1.0], [0.0, -0.5]])
    np.testing.assert_array_equal(network.encode([[5.0, 2.0]]), [[2.0, 0.0]])


def test_encode_shifts_then_scales():
    network = MLP(2, 1, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(network.encode([[3, -4]]), [[3.0, -4.0]])  # nothing before centre_inputs
    network.input_offset, network.input_scale = np.array([1.0, -2.0]), np.array([10.0, 0.5])
    np.testing.assert_array_equal(network.encode([[3, -4]]), [[20.0, -1.0]])


def test_centring_changes_neither_the_weights_nor_the_points():
    network = make_network(2, 3, 1)
    points = np.random.default_rng(0).normal(size=(5, 2))
    before, arrays = points.copy(), [array.copy() for array in network.arrays]
    network.centre_inputs(Dataset(points, [0, 1, 0, 1, 1]))
    np.testing.assert_array_equal(points, before)
    assert all(np.array_equal(a, b) for a, b in zip(network.arrays, arrays))


@pytest.mark.parametrize("call", ["encode", "logits", "predict"])
def test_points_of_another_number_of_features_are_refused(call):
    with pytest.raises(ValueError, match=r"must have 2 features.*got shape \(5, 3\)"):
        getattr(MLP(2, 1, rng=np.random.default_rng(0)), call)(np.zeros((5, 3)))


def test_centring_on_points_of_another_number_of_features_is_refused():
    dataset = Dataset(np.arange(12.0).reshape(4, 3), [0, 1, 0, 1])
    with pytest.raises(ValueError, match=r"must have 2 features.*got shape \(4, 3\)"):
        MLP(2, 1, rng=np.random.default_rng(0)).centre_inputs(dataset)


@pytest.mark.parametrize("points, kind, text", [
    ([[0.0, 1.0], [np.nan, 2.0], [np.inf, 0.0]], ValueError, r"points must be finite; got nan at index \(1, 0\) \(2 such\)"),
    ([0.0, 1.0], ValueError, r"points must have 2 axes; got shape \(2,\)"),
    ([["a", "b"]], TypeError, "points must be an array of .*numbers; got a .*list"),
    ([[1.0, 2.0], [3.0]], TypeError, "points must be an array of .*numbers; got a .*list"),
])
def test_points_that_are_not_finite_numbers_are_refused(points, kind, text):
    with pytest.raises(kind, match=text):
        MLP(2, 1, rng=np.random.default_rng(0)).predict(points)


# Files.


def content_of(network, folder):
    """The arrays in the file of a network, to be changed and written again."""
    network.save(folder / "original.npz")
    with np.load(folder / "original.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def write_file(path, **content):
    np.savez(path, **content)
    return path


def assert_same(first, second):
    """Equal to the last bit, the sign of zero included."""
    assert (first.sizes, first.activation) == (second.sizes, second.activation)
    for a, b in zip([*first.arrays, first.input_offset, first.input_scale],
                    [*second.arrays, second.input_offset, second.input_scale]):
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sizes", [(2, 8, 1), (3, 4), (2, 5, 4, 3), (1,) * 14])
def test_round_trip_is_exact(tmp_path, sizes, activation):
    network = make_network(*sizes, activation=activation)
    network.arrays[0].flat[0] = -0.0
    network.arrays[-1].flat[-1] = 5e-324
    network.save(tmp_path / "network.npz")
    loaded = MLP.load(tmp_path / "network.npz")
    assert_same(loaded, network)
    points = np.random.default_rng(1).normal(size=(5, sizes[0]))
    np.testing.assert_array_equal(loaded.logits(points), network.logits(points))


def test_a_path_may_be_a_string_and_needs_no_suffix(tmp_path):
    network = make_network(2, 3, 1)
    network.save(str(tmp_path / "best"))
    assert [path.name for path in tmp_path.iterdir()] == ["best"]
    assert_same(MLP.load(str(tmp_path / "best")), network)


def test_saving_again_replaces_the_file(tmp_path):
    path = tmp_path / "network.npz"
    make_network(2, 3, 1, seed=1).save(path)
    second = make_network(4, 2, seed=2)
    second.save(path)
    assert_same(MLP.load(path), second)
    assert [p.name for p in tmp_path.iterdir()] == ["network.npz"]


def test_the_file_holds_plain_arrays_and_no_pickle(tmp_path):
    make_network(2, 8, 1).save(tmp_path / "network.npz")
    with np.load(tmp_path / "network.npz", allow_pickle=False) as file:
        names = set(file.files)
        assert all(file[name].dtype.kind in "fiuU" for name in names)  # numbers and text
    assert names >= {"format", "activation", "input_offset", "input_scale", "layer_0", "layer_1"}


def test_the_file_has_the_permissions_of_an_ordinary_file(tmp_path):
    make_network(2, 1).save(tmp_path / "network.npz")
    (tmp_path / "ordinary").write_text("x")
    assert (tmp_path / "network.npz").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def test_a_loaded_network_may_be_changed(tmp_path):
    make_network(2, 3, 1).save(tmp_path / "network.npz")
    loaded = MLP.load(tmp_path / "network.npz")
    loaded.arrays[0][0, 0] = 42.0
    assert loaded.arrays[0][0, 0] == 42.0


@pytest.mark.parametrize("older", [None, b"what was there before"])
def test_nothing_is_left_behind_when_saving_fails(tmp_path, monkeypatch, older):
    path = tmp_path / "network.npz"
    if older is not None:
        path.write_bytes(older)

    def full_disk(file, **content):
        file.write(b"half a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="No space left on device"):
        make_network(2, 3, 1).save(path)
    left = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert left == ({} if older is None else {"network.npz": older})


def test_nothing_is_left_behind_when_saving_is_interrupted(tmp_path, monkeypatch):
    def interrupted(file, **content):
        file.write(b"half a file")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_network(2, 3, 1).save(tmp_path / "network.npz")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_behind_when_the_last_rename_fails(tmp_path, monkeypatch):
    def refused(source, target):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refused)
    with pytest.raises(PermissionError):
        make_network(2, 3, 1).save(tmp_path / "network.npz")
    assert list(tmp_path.iterdir()) == []


def test_saving_into_a_folder_that_does_not_exist_says_so(tmp_path):
    with pytest.raises(FileNotFoundError):
        make_network(2, 1).save(tmp_path / "no folder" / "network.npz")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_does_not_exist_stays_a_file_not_found(tmp_path):
    with pytest.raises(FileNotFoundError):
        MLP.load(tmp_path / "absent.npz")


# Files that are refused. Every message starts with the path.


def assert_refused(path, text):
    with pytest.raises(ValueError, match=text) as caught:
        MLP.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"hello, this is text\n", b"x0 [-],label [-]\n1,2\n", bytes(range(256)) * 4,
                                     b"PK\x03\x04 but not a zip file", b"\x93NUMPY\x01\x00"],
                         ids=["empty", "text", "csv", "binary", "nearly zip", "nearly npy"])
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "other.npz"
    path.write_bytes(content)
    assert_refused(path, "is not a network that tiocross saved, or it is truncated")


def test_a_single_array_is_refused(tmp_path):
    np.save(tmp_path / "array.npy", np.zeros((3, 2)))
    assert_refused(tmp_path / "array.npy", "is not a network that tiocross saved")


@pytest.mark.parametrize("kind", ["truncated", "text", "npy"])
def test_a_refused_file_is_closed(tmp_path, kind):
    # A file left to the garbage collector cannot be replaced on Windows, and warns.
    make_network(2, 3, 1).save(tmp_path / "network.npz")
    np.save(tmp_path / "array.npy", np.zeros((3, 2)))
    content = {"truncated": (tmp_path / "network.npz").read_bytes()[:1000], "text": b"hello, this is text\n",
               "npy": (tmp_path / "array.npy").read_bytes()}[kind]
    (tmp_path / "other").write_bytes(content)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            MLP.load(tmp_path / "other")
        except (ValueError, TypeError):  # which of them is the matter of other tests
            pass
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


def test_a_zip_file_of_other_things_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as file:
        file.writestr("readme.txt", "hello")
    assert_refused(tmp_path / "other.zip", "is not a network that tiocross saved")


def test_a_file_cut_anywhere_is_refused(tmp_path):
    make_network(2, 3, 1).save(tmp_path / "network.npz")
    whole = (tmp_path / "network.npz").read_bytes()
    path = tmp_path / "cut.npz"
    for size in [*range(0, len(whole), 23), len(whole) - 1]:
        path.write_bytes(whole[:size])
        assert_refused(path, "is not a network that tiocross saved, or it is truncated")


@pytest.mark.slow
def test_one_damaged_byte_anywhere_is_refused_or_harmless(tmp_path):
    # Some bytes of a zip file, such as dates, mean nothing here. All others must lead to the ValueError that load
    # promises, never to another exception and never to another network.
    network = make_network(2, 3, 1)
    network.save(tmp_path / "network.npz")
    whole = (tmp_path / "network.npz").read_bytes()
    path, outcomes, strange = tmp_path / "damaged.npz", {"refused": 0, "harmless": 0}, []
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        try:
            assert_same(MLP.load(path), network)
            outcomes["harmless"] += 1
        except ValueError:
            outcomes["refused"] += 1
        except Exception as error:
            strange.append(f"byte {position}: {type(error).__name__}: {error}")
    assert outcomes["refused"] > len(whole) / 2
    assert not strange, f"{len(strange)} damaged files of {len(whole)}, the first ones: {strange[:3]}"


@pytest.mark.parametrize("mark", ["tiocross network 999", "tiocross device 1", "", None])
def test_a_wrong_or_missing_mark_is_refused(tmp_path, mark):
    content = content_of(make_network(2, 3, 1), tmp_path)
    del content["format"]
    if mark is not None:
        content["format"] = mark
    path = write_file(tmp_path / "network.npz", **content)
    assert_refused(path, f"is not a network that tiocross saved: it lacks the mark '{FORMAT}'")


@pytest.mark.parametrize("name", ["activation", "input_offset", "input_scale", "layer_0", "layer_1", "layer_2"])
def test_a_missing_array_is_refused(tmp_path, name):
    # The last layer too: what is left without it would be a network, but not the one that was saved.
    content = content_of(make_network(2, 5, 4, 3), tmp_path)
    del content[name]
    path = write_file(tmp_path / "network.npz", **content)
    assert_refused(path, "is damaged")


def test_a_missing_array_is_named(tmp_path):
    content = content_of(make_network(2, 5, 4, 3), tmp_path)
    del content["layer_1"]
    assert_refused(write_file(tmp_path / "network.npz", **content), "is damaged: 'layer_1' is missing")


def test_a_file_without_layers_is_refused(tmp_path):
    content = content_of(make_network(2, 3), tmp_path)
    del content["layer_0"]
    assert_refused(write_file(tmp_path / "network.npz", **content), "is damaged: 'layer_0' is missing")


WRONG_CONTENT = {
    "last layer has an input too many": (
        {"layer_1": np.ones((5, 1))}, r"layers of shapes \[\(3, 3\), \(5, 1\)\] do not have sizes \[2, 3, 1\]"),
    "first layer has an output too many": (
        {"layer_0": np.ones((3, 4))}, r"layers of shapes \[\(3, 4\), \(4, 1\)\] do not have sizes \[2, 3, 1\]"),
    "first layer has an input too many": (
        {"layer_0": np.ones((4, 3))}, "do not have sizes"),
    "layer with one axis": ({"layer_1": np.ones(4)}, r"layer_1 of .* must have 2 axes; got shape \(4,\)"),
    "layer with three axes": (
        {"layer_0": np.ones((2, 3, 3))}, r"layer_0 of .* must have 2 axes; got shape \(2, 3, 3\)"),
    "layer without rows": ({"layer_0": np.ones((0, 3))}, "damaged"),
    "no inputs": ({"layer_0": np.ones((1, 3)), "input_offset": np.ones(0), "input_scale": np.ones(0)}, "damaged"),
    "no outputs": ({"layer_1": np.ones((4, 0))}, "damaged"),
    "an offset too many": ({"input_offset": np.ones(3)}, "input_offset and input_scale do not have 2 entries"),
    "a scale too few": ({"input_scale": np.ones(1)}, "input_offset and input_scale do not have 2 entries"),
    "scale with two axes": ({"input_scale": np.ones((2, 1))}, "input_scale of .* must have 1 axes"),
    "weights are NaN": (
        {"layer_0": np.full((3, 3), np.nan)}, r"layer_0 of .* must be finite; got nan at index \(0, 0\) \(9 such\)"),
    "infinite scale": (
        {"input_scale": np.array([1.0, np.inf])}, r"input_scale of .* must be finite; got inf at index \(1,\)"),
    "weights are text": ({"layer_1": np.full((4, 1), "many")}, "layer_1"),
    "weights are objects": ({"layer_1": np.full((4, 1), None)}, "Object arrays cannot be loaded"),
    "misspelt activation": ({"activation": "tanhh"}, r"unknown activation 'tanhh'; did you mean 'tanh'\?"),
    "activation is an array": ({"activation": np.array([1, 2])}, "unknown activation"),
    "misnamed layer": ({"layer_x": np.ones((4, 1))}, "is damaged: 'layer_x' is missing or does not belong there"),
}


@pytest.mark.parametrize("case", WRONG_CONTENT)
def test_arrays_of_a_wrong_shape_or_content_are_refused(tmp_path, case):
    changed, text = WRONG_CONTENT[case]
    content = content_of(MLP(2, 3, 1, rng=np.random.default_rng(0)), tmp_path)
    path = write_file(tmp_path / "network.npz", **{**content, **changed})
    assert_refused(path, text)


def test_a_pickle_in_the_file_is_never_run(tmp_path):
    victim = tmp_path / "touched by the pickle"

    class Trap:
        def __reduce__(self):
            return victim.touch, ()

    content = content_of(MLP(2, 3, 1, rng=np.random.default_rng(0)), tmp_path)
    path = write_file(tmp_path / "network.npz", **{**content, "layer_1": np.array([[Trap()]], dtype=object)})
    assert_refused(path, "is not a network that tiocross saved")
    assert not victim.exists()


@pytest.mark.parametrize("arrays, kind, text", [
    (np.ones((3, 8)), TypeError, "arrays must be a list with the weights of each layer; got ndarray"),
    ([], TypeError, "arrays must be a list with the weights of each layer; got list of 0"),
    ([np.ones((8, 3)), np.ones((9, 1))], ValueError, r"arrays\[0\] must have 3 rows.* got shape \(8, 3\); transposed\?"),
    ([np.ones((3, 8)), np.ones((8, 1))], ValueError, r"arrays\[1\] must have 9 rows, 8 inputs and the bias.* \(8, 1\)"),
    ([np.ones((3, 8)), [[1.0], [2.0, 3.0]]], TypeError, r"arrays\[1\] must be an array of numbers; got a ragged list"),
    ([np.full((3, 8), np.nan), np.ones((9, 1))], ValueError, r"arrays\[0\] must be finite; got nan"),
    ([np.ones((2, 3, 8)), np.ones((9, 1))], ValueError, r"arrays\[0\] must have 2 axes"),
    ([np.ones((3, 8)), np.ones((9, 0))], ValueError, r"arrays\[1\] must have 9 rows"),
])
def test_weights_from_elsewhere_that_are_no_network_are_refused(arrays, kind, text):
    with pytest.raises(kind, match=text):
        MLP(2, 8, 1, rng=RNG(0)).with_arrays(arrays)


def test_weights_from_elsewhere_may_be_lists_and_have_other_hidden_layers(tmp_path):
    network = MLP(2, 8, 1, rng=RNG(0)).with_arrays([np.ones((3, 4)).tolist(), np.ones((5, 2), dtype=np.float32)])
    assert network.sizes == (2, 4, 2) and {array.dtype for array in network.arrays} == {np.dtype(float)}
    network.save(tmp_path / "network.npz")
    assert MLP.load(tmp_path / "network.npz").sizes == (2, 4, 2)


@pytest.mark.parametrize("path", [True, 1, 2.0, None, b"network.npz"])
def test_a_number_is_no_path_to_load_from(path):
    with pytest.raises(TypeError, match="path must be a text or a Path; got"):
        MLP.load(path)


def test_a_network_prints_as_a_short_text():
    network = MLP(2, 8, 1, rng=RNG(0), activation="tanh")
    assert repr(network) == "MLP 2-8-1, tanh units"
    network.input_offset[:] = 0.5
    assert repr(network) == "MLP 2-8-1, tanh units, inputs shifted and scaled"


@pytest.mark.parametrize("name", ["extra", "layer_0", "activation", "sizes", "format"])
def test_a_large_member_is_refused_without_being_unpacked(tmp_path, name):
    network = MLP(2, 3, 1, rng=RNG(0))
    network.save(tmp_path / "network.npz")
    content = dict(np.load(tmp_path / "network.npz"))
    np.savez_compressed(tmp_path / "bomb.npz", **{**content, name: np.zeros(3_000_000)})  # 24 MB of zeros in 30 kB
    tracemalloc.start()
    with pytest.raises(ValueError, match="bomb.npz is (damaged|not a network that tiocross saved)"):
        MLP.load(tmp_path / "bomb.npz")
    assert tracemalloc.get_traced_memory()[1] < 2e6  # [bytes] at most at any time
    tracemalloc.stop()


@pytest.mark.parametrize("dataset", [[[0.0, 1.0]], None, "moons"])
def test_what_is_no_dataset_is_named(dataset):
    with pytest.raises(TypeError, match="dataset must be a Dataset; got a"):
        MLP(2, 8, 1, rng=RNG(0)).centre_inputs(dataset)
