"""Reverse-mode differentiation of NumPy expressions: each value beside its pullback.

A `Tensor` holds a value and knows how to send a gradient back to the tensors it was made of. Arithmetic broadcasts as
NumPy does, so leading axes are batch: a network evaluated with weights of shape (n_chips, n_inputs, n_outputs) runs on
n_chips perturbed copies in one pass. `abs`, arithmetic, indexing, `reshape` and `sum` behave on a Tensor as on an
ndarray, which is why the functions that map and program chips serve training unchanged.
"""

import itertools
from operator import attrgetter

import numpy as np

_SERIALS = itertools.count()
_serial = attrgetter("serial")


class Tensor:
    """A value in a differentiable expression.

    Parameters
    ----------
    value : array_like
        The number or array (unitless here; carries whatever unit the expression has).
    parents : tuple of Tensor, optional
        What it was computed from (unitless).
    pullback : callable, optional
        Takes the gradient with respect to ``value`` and returns one gradient per parent, or None (unitless).

    Attributes
    ----------
    grad : ndarray or None
        Gradient of the scalar on which `backward` was called (unitless).
    """

    __array_ufunc__ = None  # ndarray + Tensor comes to Tensor.__radd__
    __slots__ = ("value", "grad", "parents", "pullback", "serial")

    def __init__(self, value, parents=(), pullback=None):
        self.value = np.asarray(value, dtype=np.float64)
        self.grad = None
        self.parents = parents
        self.pullback = pullback
        self.serial = next(_SERIALS)

    @property
    def shape(self):
        """Shape of the value (unitless)."""
        return self.value.shape

    @property
    def ndim(self):
        """Number of axes of the value (unitless)."""
        return self.value.ndim

    def __repr__(self):
        return f"Tensor({self.value!r})"

    def backward(self):
        """Fill ``grad`` of every tensor this scalar depends on.

        Raises
        ------
        ValueError
            If the value is not a single number.
        """
        if self.value.size != 1:
            raise ValueError(f"backward starts from a scalar; got shape {self.shape}")
        order = _in_order_of_creation(self)
        for tensor in order:
            tensor.grad = None
        self.grad = np.ones(self.shape)
        for tensor in reversed(order):
            if tensor.pullback is not None and tensor.grad is not None:
                for parent, grad in zip(tensor.parents, tensor.pullback(tensor.grad)):
                    if grad is not None:
                        grad = _reduce_to(grad, parent.shape)
                        parent.grad = grad if parent.grad is None else parent.grad + grad

    # Arithmetic. Constants may be plain arrays or numbers; no gradient is computed for them.

    def __add__(self, other):
        return _binary(np.add, self, other, lambda g, a, b: g, lambda g, a, b: g)

    __radd__ = __add__

    def __sub__(self, other):
        return _binary(np.subtract, self, other, lambda g, a, b: g, lambda g, a, b: -g)

    def __rsub__(self, other):
        return _binary(np.subtract, other, self, lambda g, a, b: g, lambda g, a, b: -g)

    def __mul__(self, other):
        return _binary(np.multiply, self, other, lambda g, a, b: g * b, lambda g, a, b: g * a)

    __rmul__ = __mul__

    def __truediv__(self, other):
        return _binary(np.divide, self, other, lambda g, a, b: g / b, lambda g, a, b: -g * a / (b * b))

    def __rtruediv__(self, other):
        return _binary(np.divide, other, self, lambda g, a, b: g / b, lambda g, a, b: -g * a / (b * b))

    def __neg__(self):
        return Tensor(-self.value, (self,), lambda g: (-g,))

    def __matmul__(self, other):
        return _matmul(self, other)

    def __rmatmul__(self, other):
        return _matmul(other, self)

    def __abs__(self):
        return Tensor(np.abs(self.value), (self,), lambda g: (g * np.sign(self.value),))

    def __pow__(self, exponent):
        return Tensor(self.value**exponent, (self,), lambda g: (g * exponent * self.value ** (exponent - 1),))

    # Shapes.

    def __getitem__(self, index):
        def pull(g):
            full = np.zeros(self.shape)
            np.add.at(full, index, g)
            return (full,)

        def pull_basic(g):
            full = np.zeros(self.shape)
            full[index] = g
            return (full,)

        return Tensor(self.value[index], (self,), pull_basic if _is_basic(index) else pull)

    def reshape(self, *shape):
        """The same values in another shape (unitless)."""
        return Tensor(self.value.reshape(*shape), (self,), lambda g: (g.reshape(self.shape),))

    def sum(self, axis=None):
        """Sum over one or more axes, or all (unitless)."""

        def pull(g):
            return (np.broadcast_to(g if axis is None else np.expand_dims(g, axis), self.shape),)

        return Tensor(self.value.sum(axis=axis), (self,), pull)

    def mean(self, axis=None):
        """Mean over one or more axes, or all (unitless)."""
        total = self.sum(axis)
        return total * (total.value.size / self.value.size)

    def max(self, axis=None):
        """Largest element over one or more axes, or all; its gradient is shared equally among ties (unitless)."""
        largest = self.value.max(axis=axis, keepdims=True)
        hit = self.value == largest
        share = hit / hit.sum(axis=axis, keepdims=True)

        def pull(g):
            return (share * (g if axis is None else np.expand_dims(g, axis)),)

        return Tensor(largest.reshape(self.value.max(axis=axis).shape), (self,), pull)

    # Nonlinearities.

    def sigmoid(self):
        """1 / (1 + exp(-x)), without overflow (unitless)."""
        y = sigmoid(self.value)
        return Tensor(y, (self,), lambda g: (g * y * (1 - y),))

    def tanh(self):
        """Hyperbolic tangent (unitless)."""
        y = np.tanh(self.value)
        return Tensor(y, (self,), lambda g: (g * (1 - y * y),))

    def relu(self):
        """max(x, 0); the gradient at 0 is 0 (unitless)."""
        on = self.value > 0
        return Tensor(self.value * on, (self,), lambda g: (g * on,))


def affine(signal, array):
    """signal @ weights + bias, the weighing of a layer, as one operation.

    Parameters
    ----------
    signal : (..., n_points, n_inputs) Tensor or ndarray
        What drives the layer (unitless).
    array : (..., n_inputs + 1, n_outputs) Tensor
        Weights with the bias as the last row (unitless).

    Returns
    -------
    (..., n_points, n_outputs) Tensor
        Weighed sums (unitless).
    """
    inputs = signal.value if isinstance(signal, Tensor) else signal
    weights, bias = array.value[..., :-1, :], array.value[..., -1:, :]

    def pull_array(g):
        return np.concatenate([np.swapaxes(inputs, -1, -2) @ g, g.sum(axis=-2, keepdims=True)], axis=-2)

    value = inputs @ weights
    value += bias
    if not isinstance(signal, Tensor):
        return Tensor(value, (array,), lambda g: (pull_array(g),))
    return Tensor(value, (signal, array), lambda g: (g @ np.swapaxes(weights, -1, -2), pull_array(g)))


def hold(tensor, held):
    """The same values, but no gradient flows where ``held`` is true.

    Parameters
    ----------
    tensor : Tensor
        What to pass on (unitless).
    held : bool ndarray
        Where the gradient stops; may add leading axes, over which the value is then repeated (unitless).

    Returns
    -------
    Tensor
        ``tensor`` broadcast against ``held``.
    """
    shape = np.broadcast_shapes(tensor.shape, held.shape)
    return Tensor(np.broadcast_to(tensor.value, shape), (tensor,), lambda g: (np.where(held, 0.0, g),))


def sigmoid(x):
    """1 / (1 + exp(-x)) of an ndarray, without overflow.

    Parameters
    ----------
    x : ndarray
        Argument (unitless).

    Returns
    -------
    ndarray
        Values in [0, 1] (unitless).
    """
    y = np.negative(x, out=np.empty(np.shape(x)))
    np.minimum(y, 700.0, out=y)  # exp overflows beyond 709
    np.exp(y, out=y)
    y += 1.0
    return np.reciprocal(y, out=y)


def _binary(operation, a, b, pull_a, pull_b):
    """Tensor of ``operation(a, b)`` where either may be a constant, for which no gradient is computed."""
    a_value = a.value if isinstance(a, Tensor) else a
    b_value = b.value if isinstance(b, Tensor) else b
    value = operation(a_value, b_value)
    if not isinstance(b, Tensor):
        return Tensor(value, (a,), lambda g: (pull_a(g, a_value, b_value),))
    if not isinstance(a, Tensor):
        return Tensor(value, (b,), lambda g: (pull_b(g, a_value, b_value),))
    return Tensor(value, (a, b), lambda g: (pull_a(g, a_value, b_value), pull_b(g, a_value, b_value)))


def _matmul(a, b):
    if min(np.ndim(getattr(operand, "value", operand)) for operand in (a, b)) < 2:
        raise ValueError("a matrix product of tensors needs two axes or more on each side; write a vector as (1, n)")
    return _binary(np.matmul, a, b, lambda g, a, b: g @ np.swapaxes(b, -1, -2), lambda g, a, b: np.swapaxes(a, -1, -2) @ g)


def _reduce_to(grad, shape):
    """Sum a gradient over the axes along which its tensor was broadcast."""
    if grad.shape == shape:
        return grad
    grad = grad.sum(axis=tuple(range(grad.ndim - len(shape))))
    stretched = tuple(k for k, n in enumerate(shape) if n == 1 and grad.shape[k] != 1)
    return grad.sum(axis=stretched, keepdims=True) if stretched else grad


def _in_order_of_creation(root):
    """Every tensor that ``root`` depends on, oldest first: parents always come before what was made of them."""
    found, stack = {id(root): root}, [root]
    while stack:
        for parent in stack.pop().parents:
            if id(parent) not in found:
                found[id(parent)] = parent
                stack.append(parent)
    return sorted(found.values(), key=_serial)


def _is_basic(index):
    parts = index if isinstance(index, tuple) else (index,)
    return all(part is None or part is Ellipsis or isinstance(part, (int, slice)) for part in parts)
