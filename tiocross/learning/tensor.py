"""Reverse-mode differentiation of NumPy expressions: each value beside its pullback.

A `Tensor` holds a value and knows how to send a gradient back to the tensors it was made of. Arithmetic broadcasts as
NumPy does, so leading axes are batch: one expression serves one network or many perturbed copies of it. `abs`, arithmetic,
indexing, `reshape` and `sum` behave on a Tensor as on an ndarray. That is why the functions that map and program chips
serve training unchanged. What is not here is written as an operation of its own, ``Tensor(value, parents, pullback)``, and
checked with `gradient_check.check_pullback`; the network itself is one (`layers.run_copies`).
"""

import itertools
from operator import attrgetter

import numpy as np

_SERIALS = itertools.count()
_serial = attrgetter("serial")


class Tensor:
    """A value, what it was computed from, and the rule that sends gradients back there.

    ``pullback`` takes the gradient by ``value`` and returns one gradient for each of ``parents``, or None. After `backward`
    of a scalar, ``grad`` holds the gradient of that scalar by this value. Values are of double precision, or of single
    precision where they come so.
    """

    __array_ufunc__ = None  # ndarray + Tensor comes to Tensor.__radd__
    __slots__ = ("value", "grad", "parents", "pullback", "serial")

    def __init__(self, value, parents=(), pullback=None):
        value = np.asarray(value)
        self.value = value if value.dtype == np.float32 else np.asarray(value, dtype=np.float64)
        self.grad = None
        self.parents = parents
        self.pullback = pullback
        self.serial = next(_SERIALS)

    @property
    def shape(self):
        """Shape of the value."""
        return self.value.shape

    @property
    def ndim(self):
        """Number of axes of the value."""
        return self.value.ndim

    def __repr__(self):
        return f"Tensor({self.value!r})"

    def backward(self):
        """Fill ``grad`` of every tensor that this scalar depends on."""
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

    def __abs__(self):
        return Tensor(np.abs(self.value), (self,), lambda g: (g * np.sign(self.value),))

    def __pow__(self, exponent):
        return Tensor(self.value**exponent, (self,), lambda g: (g * exponent * self.value ** (exponent - 1),))

    # Shapes.

    def __getitem__(self, index):
        add = _put if _is_basic(index) else np.add.at  # an index array may pick an element twice

        def pull(g):
            full = np.zeros(self.shape)
            add(full, index, g)
            return (full,)

        return Tensor(self.value[index], (self,), pull)

    def reshape(self, *shape):
        """The same values in another shape."""
        return Tensor(self.value.reshape(*shape), (self,), lambda g: (g.reshape(self.shape),))

    def sum(self, axis=None):
        """Sum over one or more axes, or all."""

        def pull(g):
            return (np.broadcast_to(g if axis is None else np.expand_dims(g, axis), self.shape),)

        return Tensor(self.value.sum(axis=axis), (self,), pull)

    def max(self, axis=None):
        """Largest element over one or more axes, or all; its gradient is shared equally among ties."""
        largest = self.value.max(axis=axis, keepdims=True)
        hit = self.value == largest
        share = hit / hit.sum(axis=axis, keepdims=True)

        def pull(g):
            return (share * (g if axis is None else np.expand_dims(g, axis)),)

        return Tensor(largest.reshape(self.value.max(axis=axis).shape), (self,), pull)


def stop_gradient(tensor, held):
    """The same values, broadcast against the bool array ``held``; no gradient flows where ``held`` is true."""
    shape = np.broadcast_shapes(tensor.shape, held.shape)
    return Tensor(np.broadcast_to(tensor.value, shape), (tensor,), lambda g: (np.where(held, 0.0, g),))


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


def _put(full, index, values):
    full[index] = values
