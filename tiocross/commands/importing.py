"""``tiocross import``: a network from trained weights of elsewhere."""

import re
from pathlib import Path

from tiocross.checks import as_count
from tiocross.commands.destinations import require_no_input
from tiocross.learning.importing import Convolving, import_network
from tiocross.storage import require_writable_file


def prepare(arguments):
    """The import that the command line asks for, made and ready to be written."""
    out = Path(arguments.out)
    require_writable_file(out)
    require_no_input(out, arguments.weights)
    if out.exists() and not arguments.overwrite:
        raise ValueError(f"{out} exists already; choose another with --out, or replace it with --overwrite")
    if arguments.input_scale is not None and not any(arguments.input_scale):
        raise ValueError("--input-scale 0 makes every input the same; give the factor that points are multiplied by")
    found = import_network(arguments.weights, activation=_single(arguments.activation), orientation=arguments.orientation,
                           names=arguments.names, convolving=_convolving(arguments),
                           input_offset=_single(arguments.input_offset), input_scale=_single(arguments.input_scale))
    return lambda: _write(found, arguments.weights, out)


def describe_import(found, source):
    """How a file of weights was understood, as text for people."""
    network = found.network
    ends = "outputs, inputs" if found.orientation == "out_in" else "inputs, outputs"
    lines = [f"{source}: {network}; {network.n_classes} classes", f"weights are {found.orientation}: ({ends})"]
    names = [*(step.activation for step in network.steps[:-1]), network.output]
    for k, (layer, step, activation) in enumerate(zip(found.layers, network.steps, names)):
        bias = "no bias" if layer.bias is None else f"bias {layer.bias}"
        kind = "" if step.seen is None else f", read at {len(step.seen)} positions"
        shape, (n_word_lines, n_outputs) = " x ".join(map(str, layer.arrays[0].shape)), network.shapes[k]
        lines.append(f"  layer {k}: {layer.weights} {shape}, {bias}: {n_word_lines} word lines, {n_outputs} outputs{kind}; "
                     f"then {activation}")
    return "\n".join(lines)


def _write(found, source, out):
    found.network.save(out)
    print(f"{describe_import(found, source)}\nthe network is in {out}; put it on chips with tiocross transfer {out} --data "
          f"..., or train it for them with tiocross train --from {out} --data ...")


def _single(values):
    """A list, or the one thing in it."""
    return values[0] if values is not None and len(values) == 1 else values


def _convolving(arguments):
    """What the command line says of convolutions."""
    numbers = {}
    for name, low in (("stride", 1), ("padding", 0), ("pool", 1)):
        numbers[name] = tuple(as_count(f"--{name}", value, low=low) for value in getattr(arguments, name))
    shape = arguments.input_shape
    if shape is None:
        if numbers != {"stride": (1,), "padding": (0,), "pool": (1,)}:
            raise ValueError("--stride, --padding and --pool are of convolutions: give --input-shape too, such as 1x28x28")
        return Convolving()
    if not re.fullmatch(r"[1-9][0-9]{0,8}(x[1-9][0-9]{0,8}){0,2}", shape):
        raise ValueError(f"--input-shape {shape!r} must be channels x length or channels x height x width, such as 1x28x28")
    return Convolving(tuple(map(int, shape.split("x"))), **numbers)
