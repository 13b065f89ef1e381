"""A check of gradient rules against central differences, for those who write an operation or a technique."""

from collections.abc import Callable

import numpy as np

from tiocross.checks import as_finite, as_number, kind_of, require_generator
from tiocross.learning.tensor import Tensor

_ROUNDINGS = 100  # of the sums inside a function, in units of eps times what it adds up
_COARSEST = 1e-4  # largest tolerance, relative to what the function adds up, that still tells something


def check_pullback(function: Callable[..., Tensor], *values: np.ndarray, rng: np.random.Generator,
                   step: float = 1e-5) -> None:
    """Compare the gradient of a function of tensors with a central difference along a random direction.

    Parameters
    ----------
    function : callable
        Takes one Tensor for each of ``values`` and gives a Tensor of any shape.
    *values : array_like
        Where to take the gradient, in the unit that the function takes [any].
    rng : numpy.random.Generator
        Draws the direction, and the weights with which the outputs are summed to one number F.
    step : float, optional
        Step h along the direction, relative to the size of each value (unitless).

    Raises
    ------
    ValueError
        If gradient and difference disagree, or the function is not smooth over a step, for example at the kink of `abs`.

    Notes
    -----
    The difference D(h) = (F(x + h d) - F(x - h d)) / (2 h) has two errors. That of the step is h^2 F''' / 6, a third of
    |D(2 h) - D(h)|. That of rounding is some eps S / h, with S the sum of the magnitudes of the terms of F. The tolerance is
    |D(2 h) - D(h)| + 100 eps S / h. A rule that is wrong by a thousandth fails.

    Examples
    --------
    >>> import numpy as np
    >>> from tiocross import check_pullback
    >>> check_pullback(lambda w: abs(w).max(axis=-1) ** 2, [[0.3, -0.7], [1.2, 0.4]], rng=np.random.default_rng(7))
    """
    require_generator(rng)
    step = as_number("step", step, low=1e-12, high=0.1)
    arrays = [as_finite(f"value {k}", value) for k, value in enumerate(values)]
    tensors = [Tensor(array) for array in arrays]
    output = function(*tensors)
    if not isinstance(output, Tensor):
        raise TypeError(f"the function must give a Tensor; got {kind_of(output)}")
    weights = rng.uniform(0.5, 1.5, output.shape) * rng.choice([-1.0, 1.0], output.shape)
    (output * weights).sum().backward()
    directions = _draw_directions(arrays, rng)
    slope = sum(float((tensor.grad * direction).sum()) for tensor, direction in zip(tensors, directions)
                if tensor.grad is not None)

    def difference(h):
        ahead, behind = ([Tensor(array + move * direction) for array, direction in zip(arrays, directions)]
                         for move in (h, -h))
        return float(((function(*ahead).value - function(*behind).value) * weights).sum()) / (2 * h)

    near, far = difference(step), difference(2 * step)
    size = float(np.abs(output.value * weights).sum())
    rounding = _ROUNDINGS * np.finfo(float).eps * size / step
    if abs(far - near) > rounding + _COARSEST * max(size, abs(near)):
        raise ValueError(f"the function is not smooth within {step:g} of these values: differences over one and two steps "
                         f"are {near:.6g} and {far:.6g}; move the values away from kinks, or take a smaller step")
    if not abs(slope - near) <= abs(far - near) + rounding:
        raise ValueError(f"the gradient gives a slope of {slope:.10g} where the central difference gives {near:.10g} +- "
                         f"{abs(far - near) + rounding:.2g}; check the pullback")


def _draw_directions(arrays, rng):
    """Directions of length 1 together, each in the scale of its array."""
    draws = [rng.standard_normal(array.shape) for array in arrays]
    length = np.sqrt(sum(float((draw**2).sum()) for draw in draws))
    return [draw / length * (np.sqrt((array**2).mean()) or 1.0) for draw, array in zip(draws, arrays)]
