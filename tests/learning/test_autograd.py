"""Every operation of a Tensor: its value against NumPy, its pullback against a central difference in a random direction."""

import warnings

import numpy as np
import pytest

from tiocross import check_pullback as check
from tiocross.learning.activations import sigmoid
from tiocross.learning.tensor import Tensor, stop_gradient
from tiocross.learning.losses import binary_cross_entropy, softmax_cross_entropy

EPS = np.finfo(float).eps


def draw(*shape, seed=0):
    """Values of either sign with magnitudes in [0.3, 3], away from the kinks of abs and relu and from poles."""
    rng = np.random.default_rng([seed, *shape])
    return rng.choice([-1.0, 1.0], shape) * rng.uniform(0.3, 3.0, shape)


def draw_distinct(*shape):
    """Values that lie 0.1 apart, so that a step of 1e-5 cannot change which one is largest."""
    n_values = int(np.prod(shape))
    return (np.random.default_rng([1, *shape]).permutation(n_values).reshape(shape) - n_values / 2) * 0.1


def check_pullback(function, *arrays):
    check(function, *arrays, rng=np.random.default_rng(17))


def square_wrong_by(share):
    return lambda x: Tensor(x.value**2, (x,), lambda g: (g * 2 * (1 + share) * x.value,))


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e6])
def test_the_check_itself_catches_a_pullback_that_is_wrong_by_a_thousandth(scale):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        check(square_wrong_by(0.0), scale * draw(3, 4), rng=rng)
        with pytest.raises(ValueError, match="the gradient gives a slope of .* where the central difference gives"):
            check(square_wrong_by(0.001), scale * draw(3, 4), rng=rng)


def test_the_check_finds_a_parent_without_gradient_and_one_too_many():
    forgets = lambda x, y: Tensor(x.value * y.value, (x, y), lambda g: (g * y.value, None))  # noqa: E731
    with pytest.raises(ValueError, match="check the pullback"):
        check_pullback(forgets, draw(3, 4), draw(3, 4, seed=1))
    check_pullback(lambda x, y: x * 2.0, draw(3), draw(4))  # what plays no part has slope zero


def test_the_check_refuses_a_kink_and_what_is_no_tensor():
    with pytest.raises(ValueError, match="not smooth within 1e-05 of these values"):
        check_pullback(abs, [1e-9, 1e-9 + 1.0])
    with pytest.raises(TypeError, match="must give a Tensor; got a float"):
        check_pullback(lambda x: 1.0, [1.0])
    with pytest.raises(TypeError, match="rng must be a numpy.random.Generator"):
        check(abs, [1.0], rng=3)
    with pytest.raises(ValueError, match="step must be"):
        check(abs, [1.0], rng=np.random.default_rng(0), step=0.0)


# Arithmetic between tensors. Shapes: equal, stretched axes, leading batch axes on either side, scalars.

ARITHMETIC = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
}
SHAPE_PAIRS = [
    ((3, 4), (3, 4)),
    ((3, 4), (4,)),
    ((4,), (3, 4)),
    ((3, 1), (1, 4)),
    ((5, 3, 4), (3, 4)),
    ((3, 4), (2, 5, 3, 4)),
    ((5, 1, 4), (3, 1)),
    ((), (2, 3)),
    ((2, 3), ()),
    ((1, 1), (2, 5, 3)),
    ((2, 1, 3, 1), (5, 1, 4)),
]


@pytest.mark.parametrize("name", ARITHMETIC)
@pytest.mark.parametrize("first, second", SHAPE_PAIRS)
def test_arithmetic_of_two_tensors(name, first, second):
    operation, a, b = ARITHMETIC[name], draw(*first, seed=1), draw(*second, seed=2)
    np.testing.assert_array_equal(operation(Tensor(a), Tensor(b)).value, operation(a, b))
    check_pullback(operation, a, b)


@pytest.mark.parametrize("name", ARITHMETIC)
@pytest.mark.parametrize("first, second", SHAPE_PAIRS)
def test_arithmetic_with_a_constant_array_on_either_side(name, first, second):
    operation, a, constant = ARITHMETIC[name], draw(*first, seed=1), draw(*second, seed=2)
    np.testing.assert_array_equal(operation(Tensor(a), constant).value, operation(a, constant))
    np.testing.assert_array_equal(operation(constant, Tensor(a)).value, operation(constant, a))
    check_pullback(lambda x: operation(x, constant), a)
    check_pullback(lambda x: operation(constant, x), a)


@pytest.mark.parametrize("name", ARITHMETIC)
@pytest.mark.parametrize("constant", [2, -0.7, np.float64(1.3), np.int64(3)], ids=["int", "float", "float64", "int64"])
def test_arithmetic_with_a_number_on_either_side(name, constant):
    operation, a = ARITHMETIC[name], draw(3, 4)
    assert isinstance(operation(constant, Tensor(a)), Tensor)  # NumPy must not take over the operation
    np.testing.assert_array_equal(operation(constant, Tensor(a)).value, operation(constant, a))
    check_pullback(lambda x: operation(x, constant), a)
    check_pullback(lambda x: operation(constant, x), a)


@pytest.mark.parametrize("name", ARITHMETIC)
def test_arithmetic_of_a_tensor_with_itself(name):
    operation = ARITHMETIC[name]
    if name in ("subtract", "divide"):  # x - x and x / x are constant: the two contributions cancel exactly
        x = Tensor(draw(2, 3))
        operation(x, x).sum().backward()
        np.testing.assert_allclose(x.grad, 0.0, atol=4 * EPS / 0.3)
    else:
        check_pullback(lambda x: operation(x, x), draw(2, 3))


def test_negation():
    a = draw(2, 5)
    np.testing.assert_array_equal((-Tensor(a)).value, -a)
    check_pullback(lambda x: -x, a)


def test_absolute_value_away_from_and_at_its_kink():
    a = draw(2, 5)
    np.testing.assert_array_equal(abs(Tensor(a)).value, np.abs(a))
    check_pullback(abs, a)
    x = Tensor([-2.0, 0.0, 3.0])
    abs(x).sum().backward()
    np.testing.assert_array_equal(x.grad, [-1.0, 0.0, 1.0])


@pytest.mark.parametrize("exponent", [1, 2, 3, -1, -2])
def test_whole_powers_of_either_sign(exponent):
    a = draw(2, 5)
    np.testing.assert_array_equal((Tensor(a) ** exponent).value, a**exponent)
    check_pullback(lambda x: x**exponent, a)


@pytest.mark.parametrize("exponent", [0.5, 1.7, -0.5, -1.5])
def test_broken_powers_of_positive_values(exponent):
    a = np.abs(draw(2, 5))
    np.testing.assert_array_equal((Tensor(a) ** exponent).value, a**exponent)
    check_pullback(lambda x: x**exponent, a)


def test_square_at_zero_has_gradient_zero():
    x = Tensor([0.0, 2.0])
    (x**2).sum().backward()
    np.testing.assert_array_equal(x.grad, [0.0, 4.0])


# Shapes.

BASIC = {
    "row": np.s_[1],
    "last row": np.s_[-1],
    "slice": np.s_[1:],
    "every second": np.s_[..., 0::2],
    "backwards": np.s_[::-1, 2],
    "one element": np.s_[1, 0, 3],
    "tuple with slices": np.s_[0, 1:3, ::3],
    "new axis": np.s_[..., None],
    "new axes inside": np.s_[:, None, 1, None],
    "all but the last": np.s_[..., :-1, :],
    "nothing": np.s_[0:0],
}
FANCY = {
    "list with repeats": [1, 0, 1, 1],
    "two arrays": (np.array([0, 1, 1]), np.array([2, 2, 0])),
    "boolean array": np.arange(2 * 3 * 4).reshape(2, 3, 4) % 3 == 0,
    "array beside an ellipsis": (..., np.array([3, 3, 1])),
}


@pytest.mark.parametrize("name", [*BASIC, *FANCY])
def test_indexing(name):
    index, a = {**BASIC, **FANCY}[name], draw(2, 3, 4)
    np.testing.assert_array_equal(Tensor(a)[index].value, a[index])
    check_pullback(lambda x: x[index], a)


def test_gradient_of_an_element_picked_twice_counts_twice():
    x = Tensor([5.0, 7.0])
    x[[0, 0, 1]].sum().backward()
    np.testing.assert_array_equal(x.grad, [2.0, 1.0])


def test_gradient_of_overlapping_slices_adds_up():
    x = Tensor(draw(4))
    (x[:3] * x[1:]).sum().backward()
    expected = [x.value[1], x.value[0] + x.value[2], x.value[1] + x.value[3], x.value[2]]
    np.testing.assert_array_equal(x.grad, expected)


@pytest.mark.parametrize("shape", [(4, 6), (2, -1), (24,), (-1,), (2, 3, 1, 4)])
def test_reshape(shape):
    a = draw(2, 3, 4)
    np.testing.assert_array_equal(Tensor(a).reshape(*shape).value, a.reshape(*shape))
    np.testing.assert_array_equal(Tensor(a).reshape(shape).value, a.reshape(shape))
    check_pullback(lambda x: x.reshape(*shape), a)


AXES = [None, 0, 1, -1, (0, 2), (-2, -1), (0, 1, 2)]


@pytest.mark.parametrize("axis", AXES)
def test_sum(axis):
    a = draw(2, 3, 4)
    np.testing.assert_array_equal(Tensor(a).sum(axis=axis).value, a.sum(axis=axis))
    check_pullback(lambda x: x.sum(axis=axis), a)


@pytest.mark.parametrize("axis", AXES)
def test_max_without_ties(axis):
    a = draw_distinct(2, 3, 4)
    np.testing.assert_array_equal(Tensor(a).max(axis=axis).value, a.max(axis=axis))
    check_pullback(lambda x: x.max(axis=axis), a)


def test_max_shares_its_gradient_equally_among_ties():
    a = np.array([[4.0, 1.0, 4.0, 4.0], [2.0, 3.0, 3.0, 0.0], [4.0, 5.0, 1.0, 2.0]])
    rows = Tensor(a)
    (rows.max(axis=1) * np.array([3.0, 10.0, 1.0])).sum().backward()
    np.testing.assert_allclose(rows.grad, [[1, 0, 1, 1], [0, 5, 5, 0], [0, 1, 0, 0]], rtol=2 * EPS)
    columns = Tensor(a)
    columns.max(axis=0).sum().backward()
    np.testing.assert_array_equal(columns.grad, [[0.5, 0, 1, 1], [0, 0, 0, 0], [0.5, 1, 0, 0]])
    whole = Tensor(np.full((2, 3), 7.0))
    whole.max().backward()
    np.testing.assert_allclose(whole.grad, 1 / 6, rtol=2 * EPS)


def test_shape_and_number_of_axes_are_those_of_the_value():
    x = Tensor(np.arange(6).reshape(3, 2))
    assert (x.shape, x.ndim, x.value.dtype) == ((3, 2), 2, np.float64)


# The sigmoid of an array.


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_sigmoid_of_an_array_keeps_its_shape_and_its_symmetry(shape):
    x = draw(*shape) * 5
    y = sigmoid(x)
    assert y.shape == shape
    # sigmoid(x) + sigmoid(-x) = 1; each of the two carries a few roundings of numbers below 1.
    np.testing.assert_allclose(y + sigmoid(-x), 1.0, rtol=0, atol=4 * EPS)


@pytest.mark.parametrize("kind", [np.int64, np.float32])
def test_sigmoid_takes_other_kinds_of_numbers(kind):
    np.testing.assert_allclose(sigmoid(np.array([-2, 0, 3], dtype=kind)), 1 / (1 + np.exp([2.0, 0.0, -3.0])), rtol=4 * EPS)


# Losses.


def naive_binary_loss(z, y):
    p = 1 / (1 + np.exp(-z[..., 0]))
    return -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()


def naive_softmax_loss(z, y):
    p = np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)
    y = np.broadcast_to(y, np.broadcast_shapes(y.shape, z.shape[:-1]))
    p = np.broadcast_to(p, (*y.shape, z.shape[-1]))
    return -np.log(np.take_along_axis(p, y[..., None], axis=-1)).mean()


LOSSES = {
    "binary": (binary_cross_entropy, naive_binary_loss, 1),
    "softmax": (softmax_cross_entropy, naive_softmax_loss, 3),
}
# (leading axes and points of the logits, shape of the labels)
LOSS_SHAPES = {
    "one network": ((5,), (5,)),
    "copies share labels": ((4, 5), (5,)),
    "networks with labels of their own": ((2, 4, 5), (2, 1, 5)),
    "labels of each copy": ((2, 4, 5), (2, 4, 5)),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("case", LOSS_SHAPES)
def test_losses(name, case):
    loss, naive, n_outputs = LOSSES[name]
    leading, label_shape = LOSS_SHAPES[case]
    z = draw(*leading, n_outputs)
    y = np.random.default_rng(3).integers(0, max(2, n_outputs), label_shape)
    # log(1 - p) with p up to 0.95 loses a factor 20 against the stable form.
    np.testing.assert_allclose(loss(Tensor(z), y).value, naive(z, y), rtol=100 * EPS)
    check_pullback(lambda logits: loss(logits, y), z)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_where_the_labels_bring_leading_axes_of_their_own(name):
    # "Leading axes broadcast": here they stretch the logits, so the mean runs over more terms than there are logits.
    loss, naive, n_outputs = LOSSES[name]
    z, y = draw(5, n_outputs), np.random.default_rng(3).integers(0, max(2, n_outputs), (3, 5))
    np.testing.assert_allclose(loss(Tensor(z), y).value, naive(z, y), rtol=100 * EPS)
    check_pullback(lambda logits: loss(logits, y), z)


def test_binary_loss_of_huge_logits_is_their_distance_from_the_right_side():
    z = Tensor(np.array([[-1000.0], [1000.0], [-1000.0], [1000.0]]))
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        loss = binary_cross_entropy(z, np.array([0, 1, 1, 0]))
        loss.backward()
    assert loss.value == (0 + 0 + 1000 + 1000) / 4
    np.testing.assert_allclose(z.grad[:, 0], [0, 0, -0.25, 0.25], rtol=0, atol=1e-300)


def test_softmax_loss_of_huge_logits_is_their_distance_from_the_largest():
    z = Tensor(np.array([[1000.0, -1000.0, 0.0], [-1000.0, 1000.0, 0.0]]))
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        loss = softmax_cross_entropy(z, np.array([0, 0]))
        loss.backward()
    assert loss.value == (0 + 2000) / 2
    np.testing.assert_allclose(z.grad, [[0, 0, 0], [-0.5, 0.5, 0]], rtol=0, atol=1e-300)


def test_softmax_loss_ignores_a_common_shift_of_the_logits():
    z, y = draw(4, 3), np.array([0, 2, 1, 1])
    # Shifted by 2^10 exactly: the logits lose 10 bits, 2^10 eps.
    shifted = softmax_cross_entropy(Tensor(z + 1024.0), y).value
    np.testing.assert_allclose(shifted, softmax_cross_entropy(Tensor(z), y).value, rtol=0, atol=4 * 1024 * EPS)


# Stopped gradients.


def test_hold_passes_values_and_stops_gradients():
    held = np.array([[True, False, False], [False, False, True]])
    x = Tensor(draw(2, 3))
    y = stop_gradient(x, held)
    np.testing.assert_array_equal(y.value, x.value)
    weights = draw(2, 3, seed=5)
    (y * y * weights).sum().backward()
    np.testing.assert_array_equal(x.grad[held], 0.0)
    np.testing.assert_allclose(x.grad[~held], (2 * x.value * weights)[~held], rtol=4 * EPS)


def test_hold_repeats_values_over_the_leading_axes_of_the_mask():
    held = np.random.default_rng(2).random((4, 2, 3)) < 0.5
    x = Tensor(draw(2, 3))
    y = stop_gradient(x, held)
    assert y.shape == (4, 2, 3)
    np.testing.assert_array_equal(y.value, np.stack([x.value] * 4))
    weights = draw(4, 2, 3, seed=5)
    (y * weights).sum().backward()
    np.testing.assert_allclose(x.grad, (weights * ~held).sum(axis=0), rtol=0, atol=4 * 3 * EPS)  # at most 4 terms below 3


def test_hold_of_a_stretched_axis_stops_only_what_is_held():
    held = np.array([[False, True, True], [True, True, True]])
    x = Tensor(draw(2, 1))
    stop_gradient(x, held).sum().backward()
    np.testing.assert_array_equal(x.grad, [[1.0], [0.0]])


def test_hold_stops_one_path_and_leaves_the_other():
    x = Tensor([2.0, 3.0])
    (stop_gradient(x, np.array([True, True])) * x).sum().backward()  # d(c x)/dx with c = x held
    np.testing.assert_array_equal(x.grad, [2.0, 3.0])


# The backward pass.


def test_backward_twice_gives_the_same_gradient_and_not_its_double():
    x = Tensor(draw(2, 3))
    y = x * x + 1.0
    y = y * y
    loss = y.sum()
    loss.backward()
    first = x.grad.copy(), y.grad.copy()
    loss.backward()
    np.testing.assert_array_equal(x.grad, first[0])
    np.testing.assert_array_equal(y.grad, first[1])


def test_backward_from_a_second_scalar_forgets_the_first():
    x = Tensor([1.0, 2.0])
    y = x * 3.0
    y.sum().backward()
    (y * y).sum().backward()
    np.testing.assert_array_equal(x.grad, 18 * x.value)


def test_shared_subexpressions_collect_every_contribution():
    def diamond(x):
        shared = x * x
        return shared * shared ** 2 + shared / (abs(shared) + 1.0) - shared

    check_pullback(diamond, draw(2, 3))


def test_a_tensor_used_early_and_late_is_pulled_back_once_with_the_whole_gradient():
    n_pulls = []

    def counted(x):
        return Tensor(x.value * 2, (x,), lambda g: (n_pulls.append(1), g * 2)[1:])

    x = Tensor([1.5])
    early = counted(x)
    late = ((early + 1.0) * early + early).sum()
    late.backward()
    assert len(n_pulls) == 1
    assert x.grad == 2 * (2 * early.value + 2)


def test_what_the_scalar_does_not_depend_on_gets_no_gradient():
    x, unused = Tensor([1.0, 2.0]), Tensor([3.0, 4.0])
    x.sum().backward()
    assert unused.grad is None


def test_a_pullback_may_return_none_for_a_parent():
    x, constant = Tensor([1.0, 2.0]), Tensor([3.0, 4.0])
    Tensor((x.value * constant.value).sum(), (x, constant), lambda g: (g * constant.value, None)).backward()
    np.testing.assert_array_equal(x.grad, [3.0, 4.0])
    assert constant.grad is None


def test_a_long_chain_needs_no_recursion():
    x = Tensor([0.5])
    y = x
    for _ in range(20_000):
        y = y + x
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, [20_001.0])


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1)])
def test_backward_starts_from_any_single_number(shape):
    x = Tensor(np.full(shape, 3.0))
    (x * x).backward()
    np.testing.assert_array_equal(x.grad, np.full(shape, 6.0))


@pytest.mark.parametrize("shape", [(2,), (3, 1), (0,)])
def test_backward_refuses_what_is_not_a_scalar(shape):
    with pytest.raises(ValueError, match=rf"scalar; got shape \({shape[0]},"):
        (Tensor(np.ones(shape)) * 2.0).backward()


def test_the_gradient_of_the_scalar_itself_is_one():
    loss = Tensor([2.0, 3.0]).sum()
    loss.backward()
    assert loss.grad == 1.0


def test_operations_leave_the_arrays_they_were_given():
    a, b = draw(2, 3, seed=1), draw(2, 3, seed=2)
    before = a.copy(), b.copy()
    x = Tensor(a)
    (abs((x + b) * b - x / b) ** 2).sum().backward()
    np.testing.assert_array_equal(a, before[0])
    np.testing.assert_array_equal(b, before[1])


def test_a_network_of_all_operations_has_the_right_gradient():
    rng = np.random.default_rng(4)
    inputs, labels = rng.uniform(-1, 1, (6, 3)), rng.integers(0, 4, 6)

    def loss(first, second):
        logits = (first[..., None, :, :] * inputs[:, :, None]).sum(axis=-2) / (1.0 + second**2)
        return softmax_cross_entropy(logits, labels) + (abs(first).max(axis=(-2, -1)) ** 2).sum() * 0.1

    check_pullback(loss, draw_distinct(2, 3, 4), draw(2, 6, 4))


def test_gradients_come_without_warnings_for_values_of_any_size():
    # Underflow to zero is right and must stay silent, while overflow and NaN would be raised by the settings of the suite.
    x = Tensor(np.array([[-740.0, 0.0, 740.0]]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        softmax_cross_entropy(x * 1.0, np.array([1])).backward()
    np.testing.assert_allclose(x.grad, [[0.0, -1.0, 1.0]], rtol=0, atol=1e-300)
