"""Weights from elsewhere: predictions of the given arrays, orientations, names, files that are whole or refused."""

import io
import json
import random
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from oracle import ACTIVATION_FORMULAS

from tiocross import MLP, AveragePool2d, Conv1d, Conv2d, Dense, Network
from tiocross.learning.importing import Convolving, import_network
from tiocross.learning.safetensors import MOST_HEADER, read_safetensors
from tiocross.learning.weight_files import read_weights
from tiocross.learning.weight_names import name_layers

RNG = np.random.default_rng


def layers_of(sizes, seed=0, without=()):
    """(weights (n_inputs, n_outputs), bias or None) of each layer."""
    rng = RNG(seed)
    return [(rng.normal(size=(n_in, n_out)), None if k in without else rng.normal(size=n_out))
            for k, (n_in, n_out) in enumerate(zip(sizes, sizes[1:]))]


def plain_logits(layers, activations, points):
    """What the given arrays compute, in plain NumPy."""
    for (weights, bias), name in zip(layers, [*activations, "linear"]):
        points = points @ weights + (0.0 if bias is None else bias)
        points = ACTIVATION_FORMULAS[name](points)
    return points


def turned(layers):
    return [(weights.T, bias) for weights, bias in layers]


# From arrays.


@pytest.mark.parametrize("turn", [list, turned])
@pytest.mark.parametrize(("activation", "hidden"), [("relu", ["relu"] * 2), (["tanh", "softplus"], ["tanh", "softplus"]),
                                                    (["sigmoid", "linear", "softmax"], ["sigmoid", "linear"])])
def test_predictions_are_those_of_the_given_arrays(turn, activation, hidden):
    layers = layers_of((5, 7, 6, 3), without=(1,))
    network = MLP.from_arrays(turn(layers), activation=activation, input_offset=0.5, input_scale=[1.0, 2.0, 0.5, 1.0, 3.0])
    points = RNG(1).normal(size=(40, 5))
    expected = plain_logits(layers, hidden, (points - 0.5) * [1.0, 2.0, 0.5, 1.0, 3.0])
    np.testing.assert_allclose(network.logits(points), expected, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(network.predict(points), expected.argmax(axis=1))
    shares = np.exp(expected) / np.exp(expected).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(network.probabilities(points), shares, rtol=0, atol=1e-12)
    assert network.output == ("softmax" if "softmax" in activation else "linear")
    assert [shape.has_bias for shape in network.shapes] == [True, False, True]
    assert list(network.shapes) == [(6, 7), (7, 6), (7, 3)]


def test_one_logit_has_two_probabilities():
    network = MLP.from_arrays(layers_of((2, 3, 1)), activation=["tanh", "sigmoid"])
    points = RNG(1).normal(size=(9, 2))
    found = network.probabilities(points)
    np.testing.assert_allclose(found[:, 1], 1 / (1 + np.exp(-network.logits(points)[:, 0])), rtol=1e-12)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-12)
    far = network.with_arrays([array * 1e4 for array in network.arrays]).probabilities(points)
    assert np.isfinite(far).all() and far.min() >= 0


def test_a_plain_network_is_like_any_other():
    layers = layers_of((2, 3, 1))
    network = MLP.from_arrays(layers, activation="relu")
    other = MLP(2, 3, 1, rng=RNG(0), activation="relu").with_arrays([np.vstack(layer) for layer in layers])
    assert network.is_plain and repr(network) == repr(other) == "MLP 2-3-1, relu units"
    assert network.architecture == other.architecture == "relu"
    np.testing.assert_array_equal(network.arrays[0], other.arrays[0])


def test_the_given_arrays_are_not_shared():
    layers = layers_of((2, 3, 1))
    network = MLP.from_arrays(layers, activation="relu", orientation="in_out")
    layers[0][0][:] = 0.0
    assert network.arrays[0].any()


def test_one_activation_for_all_may_be_given_as_many():
    network = MLP.from_arrays(layers_of((2, 3, 4, 2)), activation=["relu", "relu", "linear"])
    assert network.activation == "relu" and network.is_plain


def test_units_may_change_but_not_layers_with_activations_of_their_own():
    network = MLP.from_arrays(layers_of((2, 3, 4, 2), without=(0,)), activation=["relu", "tanh"])
    assert repr(network) == "MLP 2-3-4-2, relu and tanh units, layer 0 without bias"
    wider = network.with_arrays([np.zeros((3, 6)), np.ones((7, 5)), np.ones((6, 2))])
    assert wider.sizes == (2, 6, 5, 2) and wider.activation == ("relu", "tanh")
    with pytest.raises(ValueError, match="arrays must hold 3 layers"):
        network.with_arrays([np.zeros((3, 2))])
    with pytest.raises(ValueError, match=r"layer 0 .* has no bias: the last row of arrays\[0\] must be zero"):
        network.with_arrays([np.ones((3, 6)), np.ones((7, 5)), np.ones((6, 2))])


@pytest.mark.parametrize(("shapes", "biases", "way"), [
    ([(3, 3)], [3], "in_out"), ([(3, 4), (4, 3)], [None, None], "in_out"), ([(4, 4), (4, 4)], [4, 4], "out_in"),
    ([(64, 10)], [None], "in_out"),
])
def test_what_fits_both_ways_is_to_be_told(shapes, biases, way):
    rng = RNG(0)
    layers = [(rng.normal(size=shape), None if n is None else rng.normal(size=n)) for shape, n in zip(shapes, biases)]
    with pytest.raises(ValueError, match="fit both ways: tell orientation='in_out' for .*Keras.*'out_in' .*PyTorch"):
        MLP.from_arrays(layers, activation="relu")
    network = MLP.from_arrays(layers, activation="relu", orientation=way)
    weights = layers[0][0] if way == "in_out" else layers[0][0].T
    np.testing.assert_array_equal(network.arrays[0][:-1], weights)


def test_the_bias_tells_the_orientation_of_a_single_layer():
    network = MLP.from_arrays([(np.ones((64, 10)), np.zeros(64))], activation="linear")
    assert network.sizes == (10, 64)


@pytest.mark.parametrize(("call", "kind", "message"), [
    (lambda: MLP.from_arrays([], activation="relu"), TypeError, "arrays must be a list with"),
    (lambda: MLP.from_arrays([np.ones((2, 3))], activation="relu"), TypeError, r"arrays\[0\] must be \(weights, bias\)"),
    (lambda: MLP.from_arrays([(np.ones(3), None)], activation="relu"), ValueError, "the weights of layer 0 must have an axis"),
    (lambda: MLP.from_arrays([(np.ones((0, 3)), None)], activation="relu"), ValueError, "the weights of layer 0 must have an"),
    (lambda: MLP.from_arrays([([[1.0, np.nan]], [0.0])], activation="relu"), ValueError, "weights of layer 0 must be finite"),
    (lambda: MLP.from_arrays([(np.ones((2, 3)), np.ones((3, 1)))], activation="relu"), ValueError, "bias of layer 0 must have 1"),
    (lambda: MLP.from_arrays(layers_of((2, 3, 1))[::-1], activation="relu"), ValueError, "must follow on each other"),
    (lambda: MLP.from_arrays([(np.ones((2, 3)), np.ones(4))], activation="relu"), ValueError, "lengths of the biases"),
    (lambda: MLP.from_arrays(layers_of((2, 3, 1)), activation="relu", orientation="out_in"), ValueError, "they fit as 'in_out'"),
    (lambda: MLP.from_arrays(layers_of((2, 3, 1)), activation="relu", orientation="torch"), ValueError, "orientation 'torch'"),
    (lambda: MLP.from_arrays(layers_of((2, 3, 1)), activation="rely"), ValueError, "did you mean 'relu'"),
    (lambda: MLP.from_arrays(layers_of((2, 3, 1)), activation=["relu"] * 3), ValueError, "for each of the 1 hidden layers"),
    (lambda: MLP.from_arrays(layers_of((2, 3, 1)), activation=["relu", "relu"]), ValueError, "the last layer gives logits"),
    (lambda: MLP.from_arrays(layers_of((2, 3, 2)), activation=["relu", "sigmoid"]), ValueError, "use 'softmax'"),
    (lambda: MLP.from_arrays(layers_of((2, 3, 1)), activation="relu", input_scale=[1.0]), ValueError, "for each of the 2 inputs"),
    (lambda: MLP.from_arrays([(np.ones((4, 1, 3, 3)), None)], activation="relu"), ValueError, "need the shape of the inputs"),
])
def test_what_does_not_fit_is_refused(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


# Convolutions from arrays.


def convolution(images, kernels, bias, stride, padding):
    """(n_images, n_channels, height, width) of (n_images, n_seen, ...) by (n_channels, n_seen, kh, kw) kernels."""
    images = np.pad(images, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    kh, kw = kernels.shape[2:]
    rows, columns = ((length - k) // stride + 1 for length, k in zip(images.shape[2:], (kh, kw)))
    found = np.empty((len(images), len(kernels), rows, columns))
    for y in range(rows):
        for x in range(columns):
            part = images[:, :, y * stride : y * stride + kh, x * stride : x * stride + kw]
            found[:, :, y, x] = np.tensordot(part, kernels, ([1, 2, 3], [1, 2, 3])) + bias
    return found


@pytest.mark.parametrize("way", ["out_in", "in_out"])
def test_convolutions_of_either_orientation_compute_as_given(way):
    rng = RNG(0)
    kernels, bias, dense = rng.normal(size=(3, 2, 3, 2)), rng.normal(size=3), rng.normal(size=(5, 3 * 2 * 3))
    layers = [Conv2d(3, (3, 2), stride=2, padding=1), Dense(5, bias=False)]
    images = rng.normal(size=(4, 2, 4, 5))
    found = np.maximum(convolution(images, kernels, bias, 2, 1), 0.0)
    assert found.shape == (4, 3, 2, 3)
    if way == "out_in":  # channel by channel
        given, expected = [(kernels, bias), (dense, None)], found.reshape(4, -1) @ dense.T
    else:  # position by position
        given = [(kernels.transpose(2, 3, 1, 0), bias), (dense.T, None)]
        expected = found.transpose(0, 2, 3, 1).reshape(4, -1) @ dense.T
    network = Network.from_arrays(given, layers, (2, 4, 5), orientation=None)
    np.testing.assert_allclose(network.logits(images.reshape(4, -1)), expected, rtol=0, atol=1e-12)


def test_a_length_is_convolved_as_given():
    rng = RNG(0)
    kernels, signal = rng.normal(size=(4, 2, 3)), rng.normal(size=(6, 2, 7))
    network = Network.from_arrays([(kernels, None)], [Conv1d(4, 3, activation="linear", bias=False)], (2, 7))
    expected = convolution(signal[:, :, None], kernels[:, :, None], np.zeros(4), 1, 0)[:, :, 0]
    np.testing.assert_allclose(network.logits(signal.reshape(6, -1)), expected.transpose(0, 2, 1).reshape(6, -1), rtol=0, atol=1e-12)


def test_kernels_that_do_not_fit_are_refused():
    layers = [Conv2d(3, 2), Dense(2)]
    with pytest.raises(ValueError, match="layer 1, Dense 2, has a bias; got none. Tell it by bias=False"):
        Network.from_arrays([(np.ones((3, 1, 2, 2)), np.ones(3)), (np.ones((2, 27)), None)], layers, (1, 4, 4))
    with pytest.raises(ValueError, match=r"the weights must have shapes \[\(3, 1, 2, 2\), \(2, 27\)\] \(out_in\) or"):
        Network.from_arrays([(np.ones((3, 1, 2, 2)), np.ones(3)), (np.ones((2, 28)), np.ones(2))], layers, (1, 4, 4))
    with pytest.raises(ValueError, match="the network has 2 layers with weights; got the weights of 1"):
        Network.from_arrays([(np.ones((3, 1, 2, 2)), np.ones(3))], layers, (1, 4, 4))


# Names.


@pytest.mark.parametrize(("names", "expected"), [
    (["10.weight", "2.bias", "0.weight", "0.bias", "2.weight"], [("0.weight", "0.bias"), ("2.weight", "2.bias"),
                                                               ("10.weight", None)]),
    (["fc1.weight", "fc1.bias", "fc2.weight"], [("fc1.weight", "fc1.bias"), ("fc2.weight", None)]),
    (["model/dense/kernel:0", "model/dense/bias:0", "model/dense_1/kernel:0"],
     [("model/dense/kernel:0", "model/dense/bias:0"), ("model/dense_1/kernel:0", None)]),
    (["W0", "b0", "W1", "b1"], [("W0", "b0"), ("W1", "b1")]),
    (["w_1", "b_1", "w_2"], [("w_1", "b_1"), ("w_2", None)]),
    (["layer_0", "layer_1"], [("layer_0", None), ("layer_1", None)]),
    (["weights_0", "bias_0"], [("weights_0", "bias_0")]),
    (["net.layers.0.weight", "net.layers.11.weight", "net.layers.2.weight", "net.layers.2.bias"],
     [("net.layers.0.weight", None), ("net.layers.2.weight", "net.layers.2.bias"), ("net.layers.11.weight", None)]),
    (["conv1.weight", "conv1.bias", "conv2.weight", "fc.weight"],
     [("conv1.weight", "conv1.bias"), ("conv2.weight", None), ("fc.weight", None)]),
])
def test_layers_are_told_by_names_in_the_order_of_numbers(names, expected):
    arrays = {name: np.zeros(3) if "b" in name.split("/")[-1].split(".")[-1][:1] else np.zeros((3, 3)) for name in names}
    assert [layer[:2] for layer in name_layers(arrays)] == expected


def test_arrays_without_names_follow_each_other():
    arrays = {"arr_0": np.zeros((3, 4)), "arr_1": np.zeros(4), "arr_10": np.zeros((2, 2)), "arr_2": np.zeros((4, 2))}
    assert [layer[:2] for layer in name_layers(arrays)] == [("arr_0", "arr_1"), ("arr_2", None), ("arr_10", None)]


def test_names_choose_and_order_layers():
    arrays = {"out.weight": np.zeros((2, 3)), "in.weight": np.zeros((3, 4)), "in.bias": np.zeros(3), "bn.weight": np.zeros(3)}
    with pytest.raises(ValueError, match=r"'bn.weight', of shape \(3,\), is neither the weights .*--names"):
        name_layers(arrays)
    assert [layer[:2] for layer in name_layers(arrays, ["in", "out.weight"])] == [("in.weight", "in.bias"), ("out.weight", None)]
    with pytest.raises(ValueError, match="there are no weights 'ot'; did you mean|there are no weights 'ot'; valid names"):
        name_layers(arrays, ["ot"])
    with pytest.raises(ValueError, match="holds no arrays"):
        name_layers({})


# Files.


def safetensors(tensors, metadata=None):
    """Bytes of a file with tensors (name, dtype, array)."""
    header, data = {} if metadata is None else {"__metadata__": metadata}, b""
    for name, dtype, array in tensors:
        raw = array.tobytes()
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def raw(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


GOOD = safetensors([("0.weight", "F32", np.arange(6, dtype="<f4").reshape(2, 3)), ("0.bias", "F64", np.arange(2.0)),
                    ("2.weight", "F16", np.ones((1, 2), dtype="<f2")), ("2.bias", "I32", np.array([7], dtype="<i4"))],
                   {"format": "pt"})


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(("dtype", "kind"), [("F64", "<f8"), ("F32", "<f4"), ("F16", "<f2"), ("I64", "<i8"), ("I32", "<i4"),
                                             ("I16", "<i2"), ("I8", "i1"), ("U64", "<u8"), ("U32", "<u4"), ("U16", "<u2"), ("U8", "u1")])
def test_numbers_of_each_type_are_read_exactly(dtype, kind, tmp_path):
    array = (RNG(0).normal(size=(3, 2)) * (1 if kind[-2] == "f" else 20)).__abs__().astype(kind)
    (tmp_path / "a.safetensors").write_bytes(safetensors([("w", dtype, array)]))
    found = read_safetensors(tmp_path / "a.safetensors")["w"]
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, array.astype(np.float64))


def test_bfloat16_is_the_upper_half_of_a_float(tmp_path):
    values = np.array([1.0, -2.5, 3.140625, 0.0, -0.0, 1e30], dtype="<f4")
    upper = (values.view("<u4") >> 16).astype("<u2")
    (tmp_path / "a.safetensors").write_bytes(safetensors([("w", "BF16", upper)]))
    expected = (upper.astype("<u4") << 16).view("<f4")
    np.testing.assert_array_equal(read_safetensors(tmp_path / "a.safetensors")["w"], expected)
    assert expected[:3].tolist() == [1.0, -2.5, 3.140625]


@pytest.mark.parametrize(("content", "message"), [
    (b"", "it has 0 bytes"),
    (b"\0" * 9, "it has 9 bytes"),
    (raw({}, length=2**63), "announce a header of 9223372036854775808 bytes"),
    (raw(b"{}" + b" " * MOST_HEADER), f"a header has at most {MOST_HEADER}"),
    (raw(b"[]"), "does not begin with {"),
    (raw(b"{\xff\xff"), "its header is not text"),
    (raw(b'{"a": ' + b"[" * 50_000), "nested too deeply|is no whole"),
    (raw(b'{"a": {"dtype": "F32", "dtype": "F32"}}'), "'dtype' is given twice"),
    (raw(b'{"a": 1, "a": 2}'), "'a' is given twice"),
    (raw(b'{"a": 1} {}'), "Extra data"),
    (raw({"__metadata__": {"a": 1}}), "__metadata__ must hold texts"),
    (raw({"__metadata__": "a"}), "__metadata__ must hold texts"),
    (raw({"a\nb": entry()}, b"\0" * 8), "the name of a tensor must be text on one line"),
    (raw({"a": [1]}), "must have dtype, shape and data_offsets"),
    (raw({"a": {**entry(), "more": 1}}, b"\0" * 8), "must have dtype, shape and data_offsets, and nothing else"),
    (raw({"a": entry("F8_E4M3", (8,))}, b"\0" * 8), "of the type 'F8_E4M3'; known are F64, .*Save it as F32"),
    (raw({"a": entry(["F32"])}, b"\0" * 8), "of the type"),
    (raw({"a": entry(shape=[2.0])}, b"\0" * 8), "must be a list of at most 8 lengths"),
    (raw({"a": entry(shape=[True, 2])}, b"\0" * 8), "must be a list of at most 8 lengths"),
    (raw({"a": entry(shape=[-2])}, b"\0" * 8), "must be a list of at most 8 lengths"),
    (raw({"a": entry(shape=[2] + [1] * 8)}, b"\0" * 8), "must be a list of at most 8 lengths"),
    (raw({"a": entry(shape=2)}, b"\0" * 8), "must be a list of at most 8 lengths"),
    (raw({"a": entry(shape=[10**30, 10**30])}, b"\0" * 8), "must take a number beyond 1e20 bytes"),
    (raw({"a": entry(offsets=[8, 0])}, b"\0" * 8), "must be a start and an end"),
    (raw({"a": entry(offsets=[0, 8, 9])}, b"\0" * 8), "must be a start and an end"),
    (raw({"a": entry(offsets=[0, 9])}, b"\0" * 9), "must take 8 bytes"),
    (raw({"a": entry()}, b"\0" * 7), "its tensors take 8 bytes; 7 follow"),
    (raw({"a": entry()}, b"\0" * 9), "its tensors take 8 bytes; 9 follow"),
    (raw({"a": entry(offsets=[4, 12])}, b"\0" * 12), "a begins at byte 4, where 0 is due: it leaves bytes unused"),
    (raw({"a": entry(), "b": entry(offsets=[4, 12])}, b"\0" * 12), "b begins at byte 4, where 8 is due: it overlaps"),
    (raw({"a": entry(), "b": entry()}, b"\0" * 8), "begins at byte 0, where 8 is due: it overlaps"),
    (raw({}, b"\0"), "its tensors take 0 bytes; 1 follow"),
])
def test_a_file_that_is_not_whole_is_refused(content, message, tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_safetensors(path)
    assert str(path) in str(caught.value)


def mutated(content, rng):
    """The bytes of a file with one to four things wrong."""
    content = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(content) + 1) if rng.random() < 0.3 else rng.randrange(min(len(content), 400) + 1)
        match rng.randrange(7):
            case 0: content[at : at + 1] = bytes([rng.randrange(256)])
            case 1: del content[at : at + rng.randint(1, 9)]
            case 2: content[at:at] = bytes(rng.randrange(256) for _ in range(rng.randint(1, 9)))
            case 3: content = content[:at]
            case 4: content[at:at] = content[max(0, at - rng.randint(1, 60)) : at]
            case 5: content[at : at + 1] = rng.choice([b"9" * rng.randint(1, 30), b"[" * 99, b"-1", b"1e9", b"NaN", b"\"", b"null"])
            case 6: content[:8] = struct.pack("<Q", rng.choice([0, 1, len(content), 2**32, 2**64 - 1, rng.randrange(400)]))
    return bytes(content)


def test_thousands_of_damaged_files_give_a_value_error_and_nothing_else(tmp_path):
    rng, refused, path = random.Random(7), 0, tmp_path / "a.safetensors"
    tracemalloc.start()
    for _ in range(5_000):
        path.write_bytes(mutated(GOOD, rng))
        try:
            read_safetensors(path)
        except ValueError as error:
            refused += 1
            assert str(error).startswith(f"{path} is no whole .safetensors file: ") and len(str(error)) < 1_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused > 4_000 and peak < 20e6  # some changes only touch a number


def test_damaged_archives_give_a_value_error_and_nothing_else(tmp_path):
    rng, path, refused = random.Random(7), tmp_path / "a.npz", 0
    np.savez(path, W0=np.ones((3, 2)), b0=np.ones(2))
    good = path.read_bytes()
    for _ in range(500):
        path.write_bytes(mutated(good, rng))
        try:
            read_weights(path)
        except ValueError:
            refused += 1
    assert refused > 300


def npy(array, shape=None):
    """Bytes of an array, with another shape in its head."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": array.dtype.str, "fortran_order": False, "shape": shape or array.shape})
    return file.getvalue() + array.tobytes()


@pytest.mark.parametrize(("members", "message"), [
    ({"a.npy": npy(np.ones(3), (10**12,))}, "has another length"),
    ({"a.npy": npy(np.array(["a", "b"]))}, "holds no numbers but <U1"),
    ({"a.npy": npy(np.ones(2) * 1j)}, "holds no numbers but complex128"),
    ({"archive/data.pkl": b"\x80\x02."}, "is one of PyTorch"),
    ({"a.txt": b"hello"}, "'a.txt' in it is no array"),
    ({"a.npy": b"hello"}, "holds no weights that can be imported"),
])
def test_archives_of_other_things_are_refused(members, message, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match=message):
        read_weights(tmp_path / "a.npz")


def test_an_archive_that_unpacks_to_a_thousand_times_its_size_is_refused(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", W0=np.zeros((1500, 1000)))
    with pytest.raises(ValueError, match="'W0.npy' would be 12000128 bytes, unpacked from a file of .*: these are no trained"):
        read_weights(tmp_path / "a.npz")


def test_pickled_objects_are_never_loaded(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.array([{1: 2}, None], dtype=object))
    with pytest.raises(ValueError, match="holds no numbers but object"):
        read_weights(tmp_path / "a.npz")


@pytest.mark.parametrize(("name", "start", "message"), [
    ("model.pt", b"PK\x03\x04", "torch.load.*safetensors.torch.save_file.*numpy.savez"),
    ("model.pth", b"\x80\x02", "torch.load.*safetensors.torch.save_file.*numpy.savez"),
    ("model.pkl", b"\x80\x04", "is a pickle, .*pickle.load.*numpy.savez"),
    ("model.h5", b"\x89HDF\r\n", "keras.models.load_model.*get_weights"),
    ("weights", b"\x89HDF\r\n\x1a\n", "keras.models.load_model"),
    ("weights", b"\x80\x04\x95", "whatever its name, is a pickle, which runs what is in it"),
    ("renamed.safetensors", b"\x80\x02\x8a\nl\xfc\x9cF\xf9", "whatever its name, is a pickle.*torch.load"),
    ("truncated.npz", b"PK\x03\x04 and then", "it is truncated or damaged"),
    ("weights.txt", b"1, 2, 3", "expected .npz or .safetensors"),
])
def test_files_of_others_are_refused_with_a_cure(name, start, message, tmp_path):
    (tmp_path / name).write_bytes(start)
    with pytest.raises(ValueError, match=message):
        read_weights(tmp_path / name)


# Networks from files.


def test_a_file_gives_the_network_of_its_arrays(tmp_path):
    layers = layers_of((5, 7, 3))
    tensors = [(f"{2 * k}.{role}", "F64", array) for k, layer in enumerate(turned(layers))
               for role, array in zip(("weight", "bias"), layer)]
    (tmp_path / "net.safetensors").write_bytes(safetensors(tensors[::-1]))
    found = import_network(tmp_path / "net.safetensors", activation="tanh")
    points = RNG(1).normal(size=(8, 5))
    np.testing.assert_allclose(found.network.logits(points), plain_logits(layers, ["tanh"], points), rtol=0, atol=1e-12)
    assert found.orientation == "out_in" and [layer.weights for layer in found.layers] == ["0.weight", "2.weight"]


def test_convolutions_are_told_by_their_axes(tmp_path):
    rng = RNG(0)
    np.savez(tmp_path / "net.npz", **{"conv1.weight": rng.normal(size=(4, 1, 3, 3)), "conv1.bias": rng.normal(size=4),
                                      "conv2.weight": rng.normal(size=(2, 4, 2, 2)), "fc.weight": rng.normal(size=(3, 18))})
    found = import_network(tmp_path / "net.npz", activation=["relu", "tanh", "softmax"],
                           convolving=Convolving((1, 8, 8), padding=(1, 0), pool=(2, 1)))
    assert found.network.layers == (Conv2d(4, 3, padding=1), AveragePool2d(2), Conv2d(2, 2, activation="tanh", bias=False),
                                    Dense(3, "softmax", bias=False))
    with pytest.raises(ValueError, match=r"do not make a network. As in_out: .*; as out_in: the weights must have shapes"):
        import_network(tmp_path / "net.npz", activation="relu", convolving=Convolving((1, 8, 8)))
    with pytest.raises(ValueError, match="padding must be one number, or one for each of the 2 convolutions"):
        import_network(tmp_path / "net.npz", activation="relu", convolving=Convolving((1, 8, 8), padding=(1, 2, 3)))
    with pytest.raises(ValueError, match="need the shape of the inputs"):
        import_network(tmp_path / "net.npz", activation="relu")


def test_a_file_that_fits_both_ways_is_to_be_told(tmp_path):
    np.savez(tmp_path / "net.npz", W0=np.ones((3, 3)), b0=np.ones(3))
    with pytest.raises(ValueError, match="fit both ways: tell the orientation"):
        import_network(tmp_path / "net.npz", activation="relu")
    assert import_network(tmp_path / "net.npz", activation="relu", orientation="in_out").network.sizes == (3, 3)
