"""Optimisers: how a step follows from a gradient.

An optimiser is a subclass of `Optimiser`. It is made with the array of weights that it changes in place, and its one method
`step` takes a gradient of the same shape and the learning rate of this step. What it remembers between steps is its own.
"""

import numpy as np

_MEAN_GAIN = 0.1  # 1 - beta_1 of Adam: weight of the present gradient in the mean
_SQUARE_GAIN = 0.001  # 1 - beta_2: weight of the present square
_FLOOR = 1e-8  # epsilon of Adam: keeps a weight without gradient where it is
_MOMENTUM = 0.9


class Optimiser:
    """Changes ``weights`` in place; ``weight_decay`` times the weights is added to every gradient."""

    def __init__(self, weights, *, weight_decay=0.0):
        self.weights = weights
        self.weight_decay = weight_decay

    def step(self, gradient: np.ndarray, learning_rate: float) -> None:
        """One step against ``gradient``, of the shape of the weights."""
        raise NotImplementedError

    def _decayed(self, gradient):
        return gradient + self.weight_decay * self.weights


class Adam(Optimiser):
    """A step of about the learning rate for each weight, whatever the size of its gradient.

    Parameters
    ----------
    weights : ndarray
        Changed in place by `step` (unitless).
    weight_decay : float, optional
        Added to the gradient as weight_decay * weight (unitless).

    References
    ----------
    Kingma and Ba, arXiv:1412.6980.
    """

    def __init__(self, weights, *, weight_decay=0.0):
        super().__init__(weights, weight_decay=weight_decay)
        self._n_steps = 0
        self._mean, self._square = np.zeros((2, *weights.shape))
        self._scratch = np.empty((2, *weights.shape))

    def step(self, gradient: np.ndarray, learning_rate: float) -> None:
        """w -= learning_rate m / (sqrt(v) + 1e-8), with m and v running means of the gradient and of its square."""
        self._n_steps += 1
        gradient = self._decayed(gradient)
        change, root = self._scratch
        np.multiply(np.subtract(gradient, self._mean, out=change), _MEAN_GAIN, out=change)
        self._mean += change
        np.subtract(np.multiply(gradient, gradient, out=change), self._square, out=change)
        change *= _SQUARE_GAIN
        self._square += change
        np.divide(self._square, 1 - (1 - _SQUARE_GAIN) ** self._n_steps, out=root)
        np.sqrt(root, out=root)
        root += _FLOOR
        np.divide(self._mean, 1 - (1 - _MEAN_GAIN) ** self._n_steps, out=change)
        change *= learning_rate
        change /= root
        self.weights -= change


class Momentum(Optimiser):
    """Gradient descent with a heavy ball.

    Parameters
    ----------
    weights : ndarray
        Changed in place by `step` (unitless).
    weight_decay : float, optional
        Added to the gradient as weight_decay * weight (unitless).

    References
    ----------
    Polyak, USSR Computational Mathematics and Mathematical Physics 4 (1964) 1, doi:10.1016/0041-5553(64)90137-5.
    """

    def __init__(self, weights, *, weight_decay=0.0):
        super().__init__(weights, weight_decay=weight_decay)
        self._velocity = np.zeros_like(weights)

    def step(self, gradient: np.ndarray, learning_rate: float) -> None:
        """v = 0.9 v + gradient, then w -= learning_rate v."""
        self._velocity *= _MOMENTUM
        self._velocity += self._decayed(gradient)
        self.weights -= learning_rate * self._velocity
