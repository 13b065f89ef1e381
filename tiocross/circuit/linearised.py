"""A transfer matrix as a linear function of its conductances, and linear least squares within a window.

J is never formed: dT_ij / dG_kl is the product of two device voltages, so a product with J is one of two small matrices.
"""

import numpy as np

_MOST_FACES, _MOST_PRODUCTS = 20, 100  # sets of devices inside the window, directions for each
_FINEST = 1e-7  # steepest descent, relative to the residual's length, that is not made smaller
_SHORTEST = 1e-6  # share of a direction below which it leads nowhere


class LinearisedMatrix:
    """What is left to the targets as a linear function, residual + J step, of a step of the conductances.

    Parameters
    ----------
    inputs : (n_word_lines, n_devices) ndarray
        Device voltages when each word line is driven alone, times the gain [V].
    outputs : (n_bit_lines, n_devices) ndarray
        Device voltages when each bit line is held at -1 V alone [V].
    along : (n_word_lines, n_bit_lines) ndarray or None
        Direction that a free gain takes up, of length 1 (unitless).
    residual : (n_word_lines, n_bit_lines) ndarray
        Of no step [S].
    lower, upper : (n_word_lines, n_bit_lines) ndarray
        Ends of the steps [S].

    Attributes
    ----------
    gradient : (n_word_lines, n_bit_lines) ndarray
        J^T residual [S].
    curvature : (n_word_lines, n_bit_lines) ndarray
        Diagonal of J^T J, above zero (unitless).
    """

    def __init__(self, inputs, outputs, along, residual, lower, upper):
        self.inputs, self.outputs, self.along, self.residual = inputs, outputs, along, residual
        self.lower, self.upper = lower, upper
        curvature = (inputs**2).sum(axis=0) * (outputs**2).sum(axis=0)
        if along is not None:
            own = ((along @ outputs) * inputs).sum(axis=0)
            curvature = np.maximum(curvature - own**2, 1e-3 * curvature)
        self.curvature = np.maximum(curvature, 1e-30 * curvature.max()).reshape(residual.shape)
        self.gradient = self.pull(residual)

    def push(self, step):
        """Change of the residual, J step [S]."""
        return self._without_gain((self.inputs * step.ravel()) @ self.outputs.T)

    def pull(self, residual):
        """J^T residual [S]."""
        return ((self._without_gain(residual) @ self.outputs) * self.inputs).sum(axis=0).reshape(residual.shape)

    def descent(self, step, gradient):
        """Steepest descent from a step that the window leaves, in units in which the curvature of each device is 1 [S]."""
        return np.sqrt(self.curvature) * (np.clip(step - gradient / self.curvature, self.lower, self.upper) - step)

    def _without_gain(self, residual):
        return residual if self.along is None else residual - self.along * (self.along * residual).sum()


def solve_in_box(model, damping, enough):
    """Step that minimises the squared length of the linear residual, damped, between its ends.

    Parameters
    ----------
    model : LinearisedMatrix
        The linear problem (unitless).
    damping : float
        Added to J^T J, times its diagonal (unitless).
    enough : float
        Steepest descent at which to end [S].

    Returns
    -------
    step : (n_word_lines, n_bit_lines) ndarray
        The step [S].
    square : float
        What it makes of the squared length [S^2].

    Notes
    -----
    Conjugate gradients with devices at an end of their window held there, a step along the path bent by the window, and
    again. Where that path leads nowhere, steepest descent along its own bent path does.
    """
    step, residual = np.zeros_like(model.residual), model.residual
    square = (residual**2).sum()
    for _ in range(_MOST_FACES):
        gradient = model.pull(residual) + damping * model.curvature * step
        if np.linalg.norm(model.descent(step, gradient)) <= max(enough, _FINEST * np.sqrt(square)):
            break
        held = (step <= model.lower) & (gradient > 0) | (step >= model.upper) & (gradient < 0)
        direction = _minimise_on_face(model, -gradient, ~held, damping, 0.5 * enough)
        found = (_follow(model, step, direction, gradient, square, damping)
                 or _follow(model, step, -gradient / model.curvature, gradient, square, damping))
        if found is None:
            break
        step, residual, square = found
    return step, square


def _follow(model, step, direction, gradient, square, damping):
    """Step, residual and damped square after enough of a descent along a path bent by the window; None if there is none."""
    length = 1.0
    while length > _SHORTEST:
        trial = np.clip(step + length * direction, model.lower, model.upper)
        residual = model.residual + model.push(trial)
        lower = (residual**2).sum() + damping * (model.curvature * trial**2).sum()
        if lower <= square + 2e-4 * (gradient * (trial - step)).sum() and lower < square:
            return trial, residual, lower
        length *= 0.5
    return None


def _minimise_on_face(model, force, free, damping, enough):
    """Direction, zero where not free, that minimises the damped squares; conjugate gradients, scaled by the curvature."""
    direction = np.zeros_like(force)
    force = np.where(free, force, 0.0)
    scaled = force / model.curvature
    search, power = scaled, (force * scaled).sum()
    for _ in range(_MOST_PRODUCTS):
        if power <= enough**2:
            break
        pushed, damped = model.push(search), damping * model.curvature * search
        stiffness = (pushed**2).sum() + (search * damped).sum()
        if stiffness == 0:
            break
        direction = direction + power / stiffness * search
        force = force - power / stiffness * np.where(free, model.pull(pushed) + damped, 0.0)
        scaled = force / model.curvature
        power, before = (force * scaled).sum(), power
        search = scaled + (power / before) * search
    return direction
