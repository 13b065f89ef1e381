"""Classes that many copies of a large network give to the same points, by matrix products in single precision.

The first layer of many copies is one product, because all see the same points; deeper layers are a product each.

Rounding must not decide. A product of n terms in single precision adds n rounding errors, each at most u = 2**-24 of the
sum so far, which is at most |x| |w| by Cauchy and Schwarz. They are as good as independent, of mean zero (Higham and Mary,
SIAM J. Sci. Comput. 41, A2815 (2019), doi:10.1137/18M1226312): their sum scatters by less than sqrt(n) u |x| |w|. So the
errors of all units of a layer have a norm e of at most

    e = c (sqrt(n) + 4) u |x| |W|_F + |W|_2 e',

where e' is the norm of the errors of what it sees, |W|_F the Frobenius norm of its weights, |W|_2 their spectral norm, here
bounded by the fourth root of the sum of squares of W W^T, and c = 8 a margin: a chance of 1e-15 for normal errors, and sums
so far are in fact much smaller than |x| |W|. An activation passes errors on times its steepest slope, and adds a few u.
Points where the largest output leads by less than the bound are decided again in double precision, one sum after the other.
"""

from typing import NamedTuple

import numpy as np

from tiocross.learning.activations import find_activation
from tiocross.learning.network import classify
from tiocross.transfers.products_kernel import activate_curved, classify_outputs, sum_inputs

_UNIT = 2.0**-24  # of rounding, in single precision
_MARGIN = 8.0
_LEAST_SQUARE = 1e-30  # sums of squares count as no less: smaller ones lose digits, or vanish, in single precision
_MOST_SIGNALS = 2_000_000  # of a layer of some copies at some points, in memory together: most stay in the cache
_POINTS_AT_ONCE = 1_024
_CURVED, _CLIPPED = 0, 1  # kinds of activations


class ProductClassifier:
    """Points arranged for many copies of a network, of which steps and input encoding count, not the weights."""

    def __init__(self, network, points):
        self._steps = network.steps
        self._points = network.encode(points)
        self._layers = [_Layer(step) for step in self._steps]
        self._is_dense = all(step.seen is None and step.pooled is None for step in self._steps)
        n_points = self.n_points = len(self._points)
        widest = max(layer.widest(array) for layer, array in zip(self._layers, network.arrays))
        at_once = min(n_points, _POINTS_AT_ONCE, max(16, _MOST_SIGNALS // widest))
        self._blocks = [slice(first, min(first + at_once, n_points)) for first in range(0, n_points, at_once)]
        self._at_once = max(1, _MOST_SIGNALS // (at_once * widest))  # copies
        self.scratch_bytes = 12 * self._at_once * at_once * widest
        self._norms = np.sqrt((self._points**2).sum(axis=1))
        single = self._points.astype(np.float32)
        if self._is_dense:  # features of a point in a column, with a one for the bias
            single = np.concatenate([single, np.ones((n_points, 1), dtype=np.float32)], axis=1)
            self._inputs = [np.ascontiguousarray(single[block].T) for block in self._blocks]
        else:
            self._inputs = [single[block] for block in self._blocks]
        self.n_bytes = self._points.nbytes + sum(inputs.nbytes for inputs in self._inputs)

    def classify(self, arrays):
        """(n_copies, n_points) uint8 classes, as `MLP.predict` gives them, for the weights of each layer,
        (n_copies, n_inputs + 1, n_outputs), bias last."""
        classes = np.empty((len(arrays[0]), self.n_points), dtype=np.uint8)
        for first in range(0, len(classes), self._at_once):
            some = slice(first, first + self._at_once)
            self._classify([array[some] for array in arrays], classes[some])
        return classes

    def _classify(self, arrays, classes):
        with np.errstate(over="ignore", invalid="ignore"):
            single = [array.astype(np.float32) for array in arrays]
            sizes = [_sizes_of(array, k, len(arrays)) for k, array in enumerate(single)]
        near = np.empty(classes.shape, dtype=np.uint8)
        if self._is_dense:
            single[0] = single[0].transpose(0, 2, 1).reshape(-1, single[0].shape[1])  # (copies x outputs, inputs + 1)
            single[1:] = [np.ascontiguousarray(array.transpose(0, 2, 1)) for array in single[1:]]
        for block, inputs in zip(self._blocks, self._inputs):
            errors = _Errors(self._norms[block])
            with np.errstate(over="ignore", invalid="ignore"):  # what is no number is decided again
                run = self._run_dense if self._is_dense else self._run_by_copy
                outputs = run(single, inputs, sizes, errors)
                bounds = errors.of_outputs(self._layers[-1], sizes[-1], outputs.shape[1])
            here, flags = (np.empty((len(classes), outputs.shape[2]), dtype=np.uint8) for _ in range(2))
            scratch = np.empty((2, outputs.shape[2]), dtype=np.float32)
            classify_outputs(outputs, np.ascontiguousarray(bounds, dtype=np.float32), scratch, here, flags)
            classes[:, block], near[:, block] = here, flags
        for copy in np.flatnonzero(near.any(axis=1)):
            points = np.flatnonzero(near[copy])
            classes[copy, points] = classify(self._in_double([array[copy] for array in arrays], self._points[points]))

    def _run_dense(self, arrays, inputs, sizes, errors):
        """(n_copies, n_outputs, n_points) outputs."""
        last = len(arrays) - 1
        for k, (layer, array, size) in enumerate(zip(self._layers, arrays, sizes)):
            if k == 0:
                signal = (array @ inputs).reshape(len(size.frobenius), -1, inputs.shape[1])
            else:
                signal = np.matmul(array[..., :-1], signal)
                signal += array[..., -1:]
            if k < last:
                layer.activate(signal)
                errors.pass_on(layer, size, signal.shape[1], lambda: np.sqrt(np.einsum("cup,cup->cp", signal, signal)))
        return signal

    def _run_by_copy(self, arrays, inputs, sizes, errors):
        """The same for networks whose kernels are reused over positions: copy by copy."""
        last, found, norms, n_units = len(arrays) - 1, [], [], []
        gathered = self._steps[0].gather(inputs)
        for own in zip(*arrays):
            signal, n_units = gathered, []
            for k, (step, layer, array) in enumerate(zip(self._steps, self._layers, own)):
                seen = step.gather(signal) if k else signal
                signal = (seen.reshape(-1, seen.shape[-1]) @ array[:-1] + array[-1]).reshape(len(inputs), -1)
                if k < last:
                    layer.activate(signal)
                signal = step.average(signal)
                norms.append(np.sqrt((signal**2).sum(axis=1)))
                n_units.append(signal.shape[1])
            found.append(signal.T)
        norms = np.stack(norms).reshape(len(found), last + 1, -1)
        for k in range(last):
            errors.pass_on(self._layers[k], sizes[k], n_units[k], lambda k=k: norms[:, k])
        return np.ascontiguousarray(np.stack(found))

    def _in_double(self, arrays, signal):
        """(n_points, n_outputs) outputs of one copy, each sum added up in one order."""
        for step, array in zip(self._steps, arrays):
            seen = step.gather(signal)
            rows = seen.reshape(-1, seen.shape[-1])
            padded = np.zeros((-(-len(rows) // 4) * 4, rows.shape[1]))
            padded[: len(rows)] = rows
            sums = np.empty((len(padded), array.shape[1]))
            sum_inputs(padded, np.ascontiguousarray(array, dtype=np.float64), sums)
            signal = step.average(find_activation(step.activation).value(sums[: len(rows)].reshape(len(signal), -1)))
        return signal


class _Layer:
    """What of a step counts for rounding, and its activation in single precision."""

    def __init__(self, step):
        self._activation = activation = find_activation(step.activation)
        is_curved = activation.kind == _CURVED
        ends = (activation.low, activation.high)
        if is_curved:
            ends = (activation.shift - activation.gain, activation.shift + activation.gain)
        self.slope = activation.gain**2 if is_curved else 1.0
        self.largest = max(map(abs, ends))  # output of a unit
        self.is_exact = activation.kind == _CLIPPED
        self.n_positions = 1 if step.seen is None else len(step.seen)
        self.spread = 1.0 if step.seen is None else _most_often(step.seen) ** 0.5  # of errors, over positions
        self.pooling = None if step.pooled is None else (_most_often(step.pooled) / step.pooled.shape[1]) ** 0.5

    def widest(self, array):
        """Most signals of a point in memory, for (n_inputs + 1, n_outputs) weights."""
        return self.n_positions * (max(array.shape) if self.n_positions > 1 else array.shape[1])

    def activate(self, sums):
        """Activated sums, in place."""
        activation = self._activation
        if activation.kind == _CURVED:
            activate_curved(sums.reshape(-1), np.float32(activation.gain), np.float32(activation.shift))
        elif activation.kind == _CLIPPED:
            if activation.low > -np.inf:
                np.maximum(sums, np.float32(activation.low), out=sums)
            if activation.high < np.inf:
                np.minimum(sums, np.float32(activation.high), out=sums)
        else:
            np.logaddexp(sums, np.float32(0.0), out=sums)


class _Sizes(NamedTuple):
    """Of the weights of a layer of many copies: number of inputs; Frobenius norm, spectral norm or more, largest norm of an
    output's weights, (n_copies, 1) each; the second None for the first layer, and for the last, where it is not needed."""

    n_inputs: int
    frobenius: np.ndarray
    spectral: np.ndarray | None
    largest: np.ndarray


def _sizes_of(array, layer, n_layers):
    """`_Sizes` of (n_copies, n_inputs + 1, n_outputs) weights of single precision."""
    squares = np.maximum(np.einsum("cij,cij->cj", array, array, dtype=np.float32), _LEAST_SQUARE)
    spectral = None
    if 0 < layer < n_layers - 1:
        turned = array.transpose(0, 2, 1)
        gram = array @ turned if array.shape[1] < array.shape[2] else turned @ array
        spectral = np.sqrt(np.maximum(np.linalg.norm(gram, axis=(1, 2)), _LEAST_SQUARE**0.5))[:, None]
    return _Sizes(array.shape[1] - 1, np.sqrt(squares.sum(axis=1))[:, None], spectral, np.sqrt(squares.max(axis=1))[:, None])


class _Errors:
    """Bounds of the errors of the signals of many copies at some points, (n_copies, n_points), layer by layer."""

    def __init__(self, norms):
        self._norms, self._errors, self._n_points = norms, 0.0, len(norms)

    def pass_on(self, layer, sizes, n_units, norms):
        """Go through a layer that gives ``n_units`` signals; ``norms()`` finds their norms where nothing bounds them."""
        self._errors = layer.slope * self._of_sums(layer, sizes, sizes.frobenius, sizes.spectral)
        self._norms = layer.largest * n_units**0.5 if layer.largest < np.inf else norms()
        if not layer.is_exact:
            self._errors = self._errors + 8.0 * _UNIT * (self._norms + n_units**0.5)
        if layer.pooling is not None:
            self._errors = layer.pooling * self._errors + 8.0 * _UNIT * self._norms

    def of_outputs(self, layer, sizes, n_outputs):
        """Bounds of the difference of two outputs, or of a single one."""
        found = (2.0 if n_outputs > 1 else 1.0) * self._of_sums(layer, sizes, sizes.largest, sizes.largest)
        return np.broadcast_to(found, (len(found), self._n_points))

    def _of_sums(self, layer, sizes, weights, passed_on):
        seen = np.sqrt((layer.spread * self._norms) ** 2 + layer.n_positions)
        own = _MARGIN * _UNIT * ((sizes.n_inputs + 1) ** 0.5 + 4.0) * weights * seen
        return own if passed_on is None else own + passed_on * layer.spread * self._errors


def _most_often(indices):
    """How often the most frequent index occurs; -1 does not count."""
    return float(np.bincount(indices[indices >= 0]).max(initial=1))
