"""Tangents of devices: those of the kernel are those of the laws, and its hyperbolic functions are right."""

import numpy as np
import pytest

from tiocross import AbsolutePolynomial, Asymmetric, Cubic, Polynomial, Sinh, Tabulated
from tiocross.circuit.pairs import Pair, in_series
from tiocross.circuit.solvers.tangents import Form, Tangents, follow_tangents
from tiocross.circuit.solvers.tangents_kernel import _hyperbolic
from tiocross.jit import kernel
from tiocross.vectors import LANES, load, store, two_to

SHAPE = (5, 11)
EACH = np.random.default_rng(1).uniform(0.2, 0.4, SHAPE)
KNOWN = [Sinh(0.3), Sinh(EACH), Cubic(2.0), Polynomial(0.8, 1.0), Polynomial(-1.7, np.full(SHAPE, 1.0)),
         Polynomial(0.0, 0.0), AbsolutePolynomial(1e-5, 2e-5), Asymmetric(Sinh(0.3), Sinh(EACH)),
         Asymmetric(None, Cubic(1.0)), Asymmetric(Sinh(0.2), None), Asymmetric(None, None),
         Asymmetric(Polynomial(0.1, 0.2), AbsolutePolynomial(0.0, 1e-5))]
CURVE = Tabulated([-0.5, -0.1, 0.2, 0.7], [-1e-4, -1e-5, 4e-5, 5e-5])
OTHERS = [CURVE, Asymmetric(Sinh(0.3), Cubic(1.0)), Asymmetric(None, CURVE)]


def state(law, scale):
    """Tangents of 5 x 11 devices, some of them open, and node voltages on rows of 20 with rubbish behind."""
    rng = np.random.default_rng(0)
    g = rng.uniform(1e-4, 5e-4, SHAPE)
    g[1, 2] = g[4, 10] = 0.0
    if isinstance(law, tuple):
        others = np.where(rng.random(SHAPE) < 0.1, 0.0, 10 ** rng.uniform(-8, -3, SHAPE))
        g, law = in_series(g, others), Pair(g, others, *law)
    pool = np.full(7 + 2 * SHAPE[0] * 20, np.nan)
    nodes = [pool[start : start + 100].reshape(5, 20)[:, :11] for start in (3, 105)]
    for values in nodes:
        values[:] = rng.uniform(-scale, scale, SHAPE)
    return Tangents(Form(g, law)), g, law, pool, nodes[1] - nodes[0]


@pytest.mark.parametrize("scale", [1e-9, 0.1, 2.0, 1e3])
@pytest.mark.parametrize("law", [*KNOWN, *OTHERS, (None, Sinh(0.1)), (Sinh(EACH), CURVE), (CURVE, Polynomial(0.8, 1.0)),
                                 (Cubic(2.0), Asymmetric(CURVE, None)), (Sinh(0.3), None)])
def test_tangents_are_those_of_the_law_also_where_the_curve_rises_far_above_the_last(law, scale):
    tangents, g, law, pool, u = state(law, scale)
    last = g, np.zeros(SHAPE)
    for _ in range(2):  # from straight lines, then from the tangents found
        found = tangents.take(pool, 3, 105, 20)
        tangents.move_on()
        following = np.empty(SHAPE), np.empty(SHAPE)
        expected = follow_tangents(g, law, u, last, following)
        kept = np.abs(following[0]) < 1e100  # beyond, the kernel gives up before NumPy does
        rounding = 1e-12 * np.abs(following[0] * u)[kept].max()  # what is injected is a difference of two currents
        if np.isfinite(expected).all() and max(expected) < 1e100:
            np.testing.assert_allclose(found, expected, rtol=1e-10, atol=rounding)
        for values, wanted in zip((tangents.slope, tangents.injected), following):
            np.testing.assert_allclose(tangents.form.crop(values)[kept], wanted[kept], rtol=1e-11, atol=rounding)
        beyond = np.ones(tangents.form.padded, bool)
        beyond[:5, :11] = False
        for values in (tangents.slope, tangents.injected):
            assert (values.reshape(tangents.form.padded)[beyond] == 0).all()
        last = tuple(map(tangents.form.crop, (tangents.slope, tangents.injected)))


def test_laws_that_the_kernel_knows_go_to_it_and_one_parameter_for_all_is_passed_once():
    assert all(Form(np.full(SHAPE, 1e-4), law).known is not None for law in KNOWN)
    assert all(Form(np.full(SHAPE, 1e-4), law).known is None for law in OTHERS)
    assert Form(np.full(SHAPE, 1e-4), Sinh(0.3)).known[2].size == 4


def hyperbolic_errors(found, x):
    exact = np.sinh(x.astype(np.longdouble)), np.cosh(x.astype(np.longdouble))
    return [float(np.abs(values / true - 1).max() / 2.0**-52) for values, true in zip(found, exact)]


def arguments(n):
    rng = np.random.default_rng(0)
    return rng.choice([-1.0, 1.0], n) * 10 ** rng.uniform(-12, np.log10(299.0), n)


def test_hyperbolic_functions_are_right_to_a_few_units_in_the_last_place():
    x = arguments(40_000)
    found = getattr(_hyperbolic, "py_func", _hyperbolic)(x.reshape(-1, LANES))  # functions of vectors work on arrays
    assert max(hyperbolic_errors([values.ravel() for values in found], x)) < 3.0
    assert (two_to(np.arange(-1022.0, 1024.0)) == 2.0 ** np.arange(-1022, 1024)).all()


@pytest.mark.slow
def test_compiled_hyperbolic_functions_have_the_same_bits():
    @kernel
    def fill_in(x, sines, cosines):
        for j in range(0, len(x), LANES):
            first, second = _hyperbolic(load(x, j))
            store(sines, j, first)
            store(cosines, j, second)

    x = arguments(1_000_000)
    found = np.empty_like(x), np.empty_like(x)
    fill_in(x, *found)
    assert max(hyperbolic_errors(found, x)) < 3.0
    expected = getattr(_hyperbolic, "py_func", _hyperbolic)(x.reshape(-1, LANES))
    np.testing.assert_array_equal(found[0], expected[0].ravel())
    np.testing.assert_array_equal(found[1], expected[1].ravel())
