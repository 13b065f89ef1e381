"""Adam, the optimiser."""

import numpy as np


class Adam:
    """Adam on one array, in place (Kingma and Ba, arXiv:1412.6980).

    Parameters
    ----------
    weights : ndarray
        Changed by `step` (unitless).
    weight_decay : float, optional
        Added to the gradient as weight_decay * weight (unitless).
    """

    def __init__(self, weights, *, weight_decay=0.0):
        self.weights = weights
        self.weight_decay = weight_decay
        self.n_steps = 0
        self._mean, self._square = np.zeros((2, *weights.shape))

    def step(self, grad, learning_rate):
        """One step against ``grad``.

        Parameters
        ----------
        grad : ndarray
            Gradient, of the shape of the weights (unitless).
        learning_rate : float
            Rate of this step (unitless).
        """
        self.n_steps += 1
        grad = grad + self.weight_decay * self.weights
        self._mean += 0.1 * (grad - self._mean)
        self._square += 0.001 * (grad * grad - self._square)
        mean = self._mean / (1 - 0.9**self.n_steps)
        square = self._square / (1 - 0.999**self.n_steps)
        self.weights -= learning_rate * mean / (np.sqrt(square) + 1e-8)
