"""``tiocross import``: what it prints, writes and refuses."""

import json
import struct

import numpy as np
import pytest

from tiocross import MLP, Network
from tiocross.commands.main import main

RNG = np.random.default_rng


def run(arguments, capsys):
    """Exit code, what is printed, the error."""
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = stop.code
    return code, *capsys.readouterr()


def save(path, seed=0):
    """Weights of a 4-3-2 perceptron as PyTorch saves them, and what they compute."""
    rng = RNG(seed)
    first, bias, second = rng.normal(size=(3, 4)), rng.normal(size=3), rng.normal(size=(2, 3))
    arrays = {"net.0.weight": first, "net.0.bias": bias, "net.2.weight": second}
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        header, data = {}, b""
        for name, array in arrays.items():
            end = len(data) + array.nbytes
            header[name] = {"dtype": "F64", "shape": list(array.shape), "data_offsets": [len(data), end]}
            data += array.tobytes()
        text = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return lambda points: np.maximum(points @ first.T + bias, 0.0) @ second.T


@pytest.mark.parametrize("name", ["weights.npz", "weights.safetensors"])
def test_a_network_is_written_that_computes_as_its_weights(name, tmp_path, capsys):
    compute, out = save(tmp_path / name), tmp_path / "network.npz"
    code, printed, error = run(["import", tmp_path / name, "--activation", "relu", "softmax", "--out", out], capsys)
    assert (code, error) == (0, "")
    network, points = MLP.load(out), RNG(1).normal(size=(9, 4))
    np.testing.assert_allclose(network.logits(points), compute(points), rtol=0, atol=1e-12)
    for text in ("MLP 4-3-2, relu units, layer 1 without bias, softmax output; 2 classes", "out_in: (outputs, inputs)",
                 "layer 0: net.0.weight 3 x 4, bias net.0.bias: 5 word lines, 3 outputs; then relu",
                 "layer 1: net.2.weight 2 x 3, no bias: 3 word lines, 2 outputs; then softmax", f"tiocross transfer {out}"):
        assert text in printed
    code, printed, _ = run(["describe", out], capsys)
    assert code == 0 and "layer 1: 3 word lines (no bias), 4 bit lines; largest weight" in printed
    code, printed, _ = run(["plan", out, "--out", tmp_path / "plan", "--array-shape", "8x8"], capsys)
    assert code == 0 and "(5, 6), (3, 4)" in printed


def test_a_convolution_is_written_with_what_weights_do_not_say(tmp_path, capsys):
    rng, out = RNG(0), tmp_path / "network.npz"
    np.savez(tmp_path / "cnn.npz", **{"conv.weight": rng.normal(size=(2, 1, 3, 3)), "fc.weight": rng.normal(size=(3, 8))})
    arguments = ["import", tmp_path / "cnn.npz", "--activation", "relu", "--input-shape", "1x4x4", "--padding", "1", "--pool",
                 "2", "--input-offset", "0.5", "--input-scale", "2", "--out", out]
    code, printed, error = run(arguments, capsys)
    assert (code, error) == (0, "")
    assert "Conv2d 2 of 3 x 3 padded by 1 x 1 relu without bias, AveragePool2d 2 x 2, Dense 3 without bias" in printed
    assert "layer 0: conv.weight 2 x 1 x 3 x 3, no bias: 9 word lines, 2 outputs, read at 16 positions; then relu" in printed
    network = Network.load(out)
    assert network.input_shape == (1, 4, 4) and set(network.input_offset) == {0.5} and set(network.input_scale) == {2.0}
    code, printed, _ = run(["describe", out], capsys)
    assert code == 0 and "read at 16 positions" in printed and "offset 0.5 for all, scale 2 for all" in printed
    code, _, error = run(arguments, capsys)
    assert code == 2 and "network.npz exists already; choose another with --out, or replace it with --overwrite" in error
    assert run([*arguments, "--overwrite"], capsys)[0] == 0


@pytest.mark.parametrize(("more", "message"), [
    (["--activation", "rely"], "did you mean 'relu'"),
    (["--activation", "relu", "relu"], "the last layer gives logits"),
    (["--activation", "relu", "--orientation", "torch"], "orientation 'torch' is unknown"),
    (["--activation", "relu", "--orientation", "in_out"], "they fit as 'out_in'"),
    (["--activation", "relu", "--names", "net.0", "net.1"], "there are no weights 'net.1'"),
    (["--activation", "relu", "--input-scale", "1", "2"], "one for each of the 4 inputs"),
    (["--activation", "relu", "--stride", "2"], "give --input-shape too"),
    (["--activation", "relu", "--input-shape", "1x"], "--input-shape '1x' must be channels x length"),
    (["--activation", "relu", "--input-shape", "5"], "do not make a network"),
    (["--activation", "relu", "--input-shape", "4", "--stride", "0"], "--stride must be at least 1"),
    ([], "--activation"),
])
def test_what_does_not_fit_is_one_line_and_nothing_written(more, message, tmp_path, capsys):
    save(tmp_path / "weights.npz")
    code, _, error = run(["import", tmp_path / "weights.npz", "--out", tmp_path / "network.npz", *more], capsys)
    assert code == 2 and message in error and len(error.splitlines()) == 1
    assert not (tmp_path / "network.npz").exists()


def test_other_files_are_refused_with_what_helps(tmp_path, capsys):
    save(tmp_path / "weights.npz")
    (tmp_path / "model.pt").write_bytes(b"PK\x03\x04")
    out = ["--activation", "relu", "--out", tmp_path / "network.npz"]
    code, _, error = run(["import", tmp_path / "model.pt", *out], capsys)
    assert code == 2 and "safetensors.torch.save_file" in error and len(error.splitlines()) == 1
    code, _, error = run(["describe", tmp_path / "weights.npz"], capsys)
    assert code == 2 and "tiocross import" in error
    code, _, error = run(["import", tmp_path / "weights.npz", "--activation", "relu", "--overwrite", "--out",
                          tmp_path / "weights.npz"], capsys)
    assert code == 2 and "would take the place of" in error
    MLP(2, 1, rng=RNG(0)).save(tmp_path / "ours.npz")
    code, _, error = run(["import", tmp_path / "ours.npz", *out], capsys)
    assert code == 2 and "it is a network of tiocross already: take it as it is" in error
    code, _, error = run(["import", tmp_path / "absent.npz", *out], capsys)
    assert code == 2 and "No such file" in error


@pytest.mark.parametrize(("options", "change", "message"), [
    (["--activation", "gelu"], {}, "activation 'gelu' is unknown; did you mean 'relu'?"),
    (["--activation", "relu"], {"net.0.bias": [1.0, np.nan, 2.0]}, "weights.npz: net.0.bias must be finite; got nan at index (1,)"),
    (["--activation", "relu"], {"net.0.bias": [1.0, 2.0]}, "and biases of lengths [2, None] do not follow on each other"),
    (["--activation", "relu", "--input-scale", "0"], {}, "--input-scale 0 makes every input the same"),
])
def test_the_error_names_what_is_wrong_and_nothing_else(options, change, message, tmp_path, capsys):
    save(tmp_path / "weights.npz")
    with np.load(tmp_path / "weights.npz") as archive:
        np.savez(tmp_path / "weights.npz", **{**archive, **change})
    code, _, error = run(["import", tmp_path / "weights.npz", *options, "--out", tmp_path / "network.npz"], capsys)
    assert code == 2 and message in error and "in_out" not in error and not (tmp_path / "network.npz").exists()
