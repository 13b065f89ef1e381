"""Networks of convolutions: against nested loops, their files, what does not fit."""

import json
import random
import pickle

import numpy as np
import pytest
from oracle import ACTIVATION_FORMULAS

from tiocross import AveragePool1d, AveragePool2d, Conv1d, Conv2d, Dense, MLP, Network
from tiocross.learning.effects import effects_of_weights
from tiocross.learning.layered import Network as Base
from tiocross.learning.steps import run_steps

RNG = np.random.default_rng


def pair(value, n):
    return value if isinstance(value, tuple) else (value,) * n


def convolved(image, array, layer):
    """(n_channels, *positions) sums of a convolution over an image (n_seen_channels, *lengths), place by place; a length is
    an image of height 1."""
    if image.ndim == 2:
        image = image[:, None]
    kernel, stride, padding = ((1,) * (2 - len(found)) + found if name != "padding" else (0,) * (2 - len(found)) + found
                               for name, found in (("kernel", layer.kernel), ("stride", layer.stride),
                                                   ("padding", layer.padding)))
    n_seen, height, width = image.shape
    weights = array[:-1].T.reshape(layer.n_channels, n_seen, *kernel)
    rows = (height + 2 * padding[0] - kernel[0]) // stride[0] + 1
    columns = (width + 2 * padding[1] - kernel[1]) // stride[1] + 1
    found = np.zeros((layer.n_channels, rows, columns))
    for j in range(layer.n_channels):
        for y in range(rows):
            for x in range(columns):
                total = array[-1, j]
                for c in range(n_seen):
                    for dy in range(kernel[0]):
                        for dx in range(kernel[1]):
                            at_y, at_x = y * stride[0] + dy - padding[0], x * stride[1] + dx - padding[1]
                            if 0 <= at_y < height and 0 <= at_x < width:
                                total += weights[j, c, dy, dx] * image[c, at_y, at_x]
                found[j, y, x] = total
    return found


def averaged(image, layer):
    size, stride = (1,) * (2 - len(layer.size)) + layer.size, (1,) * (2 - len(layer.stride)) + layer.stride
    rows, columns = ((length - s) // step + 1 for length, s, step in zip(image.shape[1:], size, stride))
    found = np.zeros((len(image), rows, columns))
    for c in range(len(image)):
        for y in range(rows):
            for x in range(columns):
                part = [image[c, y * stride[0] + dy, x * stride[1] + dx] for dy in range(size[0]) for dx in range(size[1])]
                found[c, y, x] = sum(part) / len(part)
    return found


def loop_logits(network, point):
    """Logits of one point by loops over places."""
    signal = ((point - network.input_offset) * network.input_scale).reshape(network.input_shape)
    arrays, weighted = iter(network.arrays), [layer for layer in network.layers if hasattr(layer, "activation")]
    for layer in network.layers:
        if isinstance(layer, (AveragePool1d, AveragePool2d)):
            signal = averaged(signal, layer)
            continue
        array = next(arrays)
        if isinstance(layer, Dense):
            flat = signal if signal.ndim == 1 else signal.transpose(*range(1, signal.ndim), 0).ravel()
            signal = flat @ array[:-1] + array[-1]
        else:
            signal = convolved(signal, array, layer)
        if layer is not weighted[-1]:
            signal = ACTIVATION_FORMULAS[layer.activation](signal)
    return signal.transpose(*range(1, signal.ndim), 0).ravel()


CASES = {
    "plain": ([Conv2d(3, 2), Dense(4)], (1, 4, 5)),
    "stride and padding": ([Conv2d(3, (3, 2), stride=(2, 1), padding=(1, 0), activation="tanh"), Dense(2)], (2, 5, 4)),
    "two and a pool": ([Conv2d(3, 3, padding=1), AveragePool2d(2), Conv2d(2, 2, activation="sigmoid", bias=False),
                        Dense(5, "hardtanh"), Dense(3, "softmax", bias=False)], (1, 6, 7)),
    "pools that overlap": ([Conv2d(2, 2), AveragePool2d((3, 2), stride=(1, 2)), AveragePool2d(2, 1), Dense(2)], (1, 7, 6)),
    "length": ([Conv1d(3, 3, stride=2, padding=1, activation="softplus"), AveragePool1d(2), Dense(1, "sigmoid")], (2, 9)),
    "no dense layer": ([Conv2d(4, 3), Conv2d(5, 2, activation="linear"), AveragePool2d(2)], (2, 5, 5)),
    "dense only": ([Dense(4, "relu", bias=False), Dense(2)], (3,)),
}


def make(name, seed=0):
    """A network with biases and an input encoding that are not trivial."""
    rng = RNG(seed)
    network = Network(*CASES[name], rng=rng)
    for array, step in zip(network.arrays, network.steps):
        array[-1] = rng.normal(size=array.shape[1]) * step.has_bias
    network.input_offset, network.input_scale = rng.normal(size=network.sizes[0]), rng.uniform(0.5, 2, network.sizes[0])
    return network


@pytest.mark.parametrize("name", CASES)
def test_logits_are_those_of_nested_loops(name):
    network = make(name)
    points = RNG(1).normal(size=(4, network.sizes[0]))
    expected = np.array([loop_logits(network, point) for point in points])
    assert network.logits(points).shape == (4, network.sizes[-1])
    # Sums of at most 60 terms in another order, four layers deep: a hundred roundings of numbers up to 10.
    np.testing.assert_allclose(network.logits(points), expected, rtol=0, atol=1e-12)


def test_shapes_are_those_of_one_position_and_sizes_those_of_all():
    network = make("two and a pool")
    assert [array.shape for array in network.arrays] == [(10, 3), (13, 2), (9, 5), (6, 3)]
    assert list(network.shapes) == [(10, 3), (12, 2), (9, 5), (5, 3)]
    assert [shape.has_bias for shape in network.shapes] == [True, False, True, False]
    assert network.sizes == (42, 27, 8, 5, 3) and network.n_classes == 3 and network.output == "softmax"
    assert not network.is_plain and isinstance(network, Base)


def test_copies_in_one_pass_equal_one_by_one():
    copies = [make("two and a pool", seed) for seed in range(3)]
    inputs = RNG(1).normal(size=(5, 42))
    together = run_steps(copies[0].steps, [np.stack(arrays) for arrays in zip(*(copy.arrays for copy in copies))], inputs)
    for found, copy in zip(together, copies):
        np.testing.assert_allclose(found, run_steps(copy.steps, copy.arrays, inputs), rtol=0, atol=1e-13)


def test_many_points_are_taken_some_at_a_time(monkeypatch):
    network = make("plain")
    points = RNG(1).normal(size=(9, 20))
    whole = network.logits(points)
    monkeypatch.setattr("tiocross.learning.layered._VALUES_AT_ONCE", 100)
    np.testing.assert_allclose(network.logits(points), whole, rtol=0, atol=1e-13)
    assert network.logits(points[:0]).shape == (0, 4)


@pytest.mark.parametrize("name", CASES)
def test_effects_are_those_of_changing_each_weight(name):
    network, step = make(name), 1e-6
    network.input_offset[:], network.input_scale[:] = 0.0, 1.0
    points = RNG(3).normal(size=(3, network.sizes[0]))
    effects = network.effects(points)
    assert [effect.shape for effect in effects] == [array.shape for array in network.arrays]
    for k, array in enumerate(network.arrays):
        for place in [(0, 0), (len(array) // 2, array.shape[1] - 1), (len(array) - 1, 0)]:
            ends = []
            for move in (-step, step):
                moved = [other.copy() for other in network.arrays]
                moved[k][place] += move
                ends.append(run_steps(network.steps, moved, points))
            change = np.abs(ends[1] - ends[0]).sum(axis=1).mean() / (2 * step)
            # Central differences: their error is of the order of step^2, rounding of 1e-16 / step = 1e-10, times a few.
            np.testing.assert_allclose(effects[k][place], change, rtol=1e-6, atol=1e-7)


def test_effects_do_not_depend_on_how_many_points_are_taken_at_once(monkeypatch):
    network = make("two and a pool")
    inputs = RNG(3).normal(size=(7, 42))
    whole = effects_of_weights(network.steps, network.arrays, inputs)
    monkeypatch.setattr("tiocross.learning.effects._VALUES_AT_ONCE", 1)
    for found, expected in zip(effects_of_weights(network.steps, network.arrays, inputs), whole):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_files_copies_and_pickles_hold_all_of_it(name, tmp_path):
    network = make(name)
    network.save(tmp_path / "network.npz")
    points = RNG(1).normal(size=(3, network.sizes[0]))
    for other in (Network.load(tmp_path / "network.npz"), network.copy(), pickle.loads(pickle.dumps(network))):
        assert repr(other) == repr(network) and other.architecture == network.architecture
        assert [a.tobytes() for a in other.arrays] == [a.tobytes() for a in network.arrays]
        np.testing.assert_array_equal(other.logits(points), network.logits(points))
    with pytest.raises(ValueError, match="holds no MLP but a Network .*; read it with Network.load"):
        MLP.load(tmp_path / "network.npz")


def test_network_load_takes_perceptrons_of_both_formats(tmp_path):
    plain = MLP(2, 3, 1, rng=RNG(0))
    mixed = MLP.from_arrays([(np.ones((4, 2)), None), (np.ones((3, 4)), np.ones(3))], activation=["tanh", "softmax"])
    for network, mark in ((plain, "tiocross network 1"), (mixed, "tiocross network 2")):
        network.save(tmp_path / "network.npz")
        with np.load(tmp_path / "network.npz") as file:
            assert str(file["format"]) == mark
        for kind in (Network, MLP):
            loaded = kind.load(tmp_path / "network.npz")
            assert type(loaded) is MLP and repr(loaded) == repr(network)


def write(path, network, **changes):
    network.save(path)
    with np.load(path) as file:
        content = {name: file[name] for name in file.files} | changes
    np.savez(path, **{name: value for name, value in content.items() if value is not None})


def architecture(**changes):
    content = json.loads(make("plain").architecture)
    return np.array(json.dumps(content | changes))


@pytest.mark.parametrize(("changes", "message"), [
    ({"architecture": None}, "'architecture' is missing"),
    ({"architecture": np.array("{" * 100_000)}, "its architecture is none|too long"),
    ({"architecture": np.array("[" * 20_000)}, "its architecture is none: it is nested too deeply"),
    ({"architecture": np.array("[1, 2]")}, "it must hold kind, input_shape and layers"),
    ({"architecture": architecture(kind="Tree")}, "a network is one of Network, MLP; got 'Tree'"),
    ({"architecture": architecture(kind=["MLP"])}, "damaged"),
    ({"architecture": architecture(kind="MLP")}, "the layers of an MLP are dense"),
    ({"architecture": architecture(layers=[{"layer": "Dance", "n_outputs": 3}])}, "a layer must be one of Dense, Conv1d"),
    ({"architecture": architecture(layers=[{"layer": ["Dense"], "n_outputs": 3}])}, "damaged"),
    ({"architecture": architecture(layers=[{"layer": "Dense", "n_outputs": 3, "colour": 1}])}, "damaged.*colour"),
    ({"architecture": architecture(layers=[{"layer": "Dense", "n_outputs": 3, "activation": [1]}])}, "damaged"),
    ({"architecture": architecture(input_shape=[1, 10**9, 10**9])}, "at most 4194304 inputs"),
    ({"architecture": architecture(input_shape=[1, 2000, 2000])}, "its layers need weights of shapes|larger than"),
    ({"architecture": architecture(input_shape=[1, 2000, 2000], layers=[{"layer": "Conv2d", "n_channels": 2, "kernel": 3, "activation": "linear"}])},
     "33554432 can be handled"),
    ({"architecture": architecture(input_shape=["1", 4, 5])}, "must be a whole number"),
    ({"layer_0": np.zeros((3, 3))}, "its layers need weights of shapes"),
    ({"layer_0": np.zeros((300, 300))}, "'layer_0' is larger than 2 such layers has it"),
    ({"layer_1": None}, "'layer_1' is missing or does not belong there"),
    ({"layer_2": np.zeros((3, 3))}, "'layer_2' is missing or does not belong there"),
    ({"input_scale": np.zeros(3)}, "input_offset and input_scale do not have 20 entries"),
    ({"format": np.array("tiocross network 3")}, "it lacks the mark"),
])
def test_damaged_files_are_refused(tmp_path, changes, message):
    write(tmp_path / "network.npz", make("plain"), **changes)
    with pytest.raises(ValueError, match=message) as caught:
        Network.load(tmp_path / "network.npz")
    assert str(tmp_path / "network.npz") in str(caught.value)


def test_hundreds_of_damaged_architectures_give_a_value_error_and_nothing_else(tmp_path):
    rng, refused, good = random.Random(7), 0, make("two and a pool")
    for _ in range(150):
        text = good.architecture
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(text))
            new = rng.choice(["9", "-", "[", "]", "{", "\"", "null", "true", "1e400", "NaN", "Dense", "relu", ",", ".5", "\u2028"])
            text = text[:at] + new + text[at + rng.randint(0, 3) :]
        write(tmp_path / "network.npz", good, architecture=np.array(text))
        try:
            Network.load(tmp_path / "network.npz")
        except ValueError as error:
            refused += 1
            assert str(error).startswith(f"{tmp_path / 'network.npz'} is damaged: ")
    assert refused > 110


def test_a_bias_in_the_file_of_a_layer_without_is_refused(tmp_path):
    network = make("dense only")
    write(tmp_path / "network.npz", network, layer_0=network.arrays[0] + 1.0)
    with pytest.raises(ValueError, match="layer 0 of the network has no bias"):
        Network.load(tmp_path / "network.npz")


@pytest.mark.parametrize(("build", "kind", "message"), [
    (lambda: Network([], (2,), rng=RNG(0)), TypeError, "layers must be a list such as"),
    (lambda: Network([Dense(2), 3], (2,), rng=RNG(0)), TypeError, "a layer must be one of Dense, .*; got 3"),
    (lambda: Network([AveragePool2d(2), Dense(2)], (1, 4, 4), rng=RNG(0)), ValueError, "AveragePool2d 2 x 2 first"),
    (lambda: Network([Conv2d(2, 5), Dense(2)], (1, 4, 4), rng=RNG(0)), ValueError, "the kernel is larger"),
    (lambda: Network([Conv2d(2, 2), Dense(2)], (1, 4), rng=RNG(0)), ValueError, r"needs inputs of shape \(n_channels, height"),
    (lambda: Network([Conv1d(2, 2), Dense(2)], (4,), rng=RNG(0)), ValueError, r"needs inputs of shape \(n_channels, length"),
    (lambda: Network([Dense(4, "relu"), Conv1d(2, 2), Dense(2)], (4,), rng=RNG(0)), ValueError, "it gets \\(4,\\)"),
    (lambda: Network([Conv2d(2, 2), AveragePool2d(4), Dense(2)], (1, 4, 4), rng=RNG(0)), ValueError, "does not fit on 3 x 3"),
    (lambda: Network([Conv2d(64, 3), Dense(2)], (16, 500, 500), rng=RNG(0)), ValueError, "33554432 can be handled"),
    (lambda: Network([Dense(2, "relu")], (4,), rng=RNG(0)), ValueError, "the last layer gives logits"),
    (lambda: Network([Dense(2, "softmax"), Dense(2)], (4,), rng=RNG(0)), ValueError, "activation 'softmax' is unknown"),
    (lambda: Network([Dense(2, "sigmoid")], (4,), rng=RNG(0)), ValueError, "a sigmoid output is for two classes"),
    (lambda: Network([Dense(2)], 4, rng=RNG(0)), TypeError, r"input_shape must be \(n_inputs,\)"),
    (lambda: Network([Dense(2)], (1, 2, 3, 4), rng=RNG(0)), TypeError, r"input_shape must be \(n_inputs,\)"),
    (lambda: Network([Dense(2)], (4,), rng=7), TypeError, "numpy.random.Generator"),
    (lambda: Conv2d(2, 3, padding=3), ValueError, "padding must be smaller than the kernel"),
    (lambda: Conv2d(2, (3, 3, 3)), ValueError, "kernel must be one number, or 2 of them"),
    (lambda: Conv2d(2, 0), ValueError, "kernel must be at least 1"),
    (lambda: Conv2d(2, 3, activation="rely"), ValueError, "did you mean 'relu'"),
    (lambda: Dense(2, bias=1), TypeError, "bias must be True or False"),
    (lambda: make("plain").with_arrays([np.zeros((5, 3))]), ValueError, "arrays must have shapes"),
    (lambda: make("plain").with_arrays([np.zeros((5, 4)), np.zeros((37, 4))]), ValueError, "arrays must have shapes|must have"),
    (lambda: make("dense only").with_arrays([np.ones((4, 4)), np.ones((5, 2))]), ValueError, "layer 0 of the network has no bias"),
    (lambda: make("plain").logits(np.zeros((2, 21))), ValueError, "points must have 20 features"),
])
def test_what_does_not_fit_is_refused(build, kind, message):
    with pytest.raises(kind, match=message):
        build()
