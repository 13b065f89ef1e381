"""The transfer matrix near some conductances, and the step within a window that brings it nearest to what is wanted.

dT_ij / dG_kl = u_kl(i) a_kl(j), with u(i) the device voltages when 1 V drives word line i alone, a(j) those when -1 V is at
the bottom end of bit line j alone. The matrix J of these derivatives is never formed: a product with it is one of two
matrices of devices by lines. In large arrays it is less. What a device (k, l) changes reaches (i, j) mainly along its
bit line l to word line i and then along that to bit line j:

    (J x)_ij = sum_l a_il(j) / a_il(l) sum_k u_kl(i) a_kl(l) x_kl

is exact for k = i and for l = j; elsewhere both factors are small.
"""

import numpy as np

from tiocross.circuit.adjoint import find_line_voltages

_RTOL = 1e-6  # of the device voltages, which only lead there
_MOST_FACES, _MOST_PRODUCTS = 20, 100  # of a linear problem: sets of devices inside the window, directions for each
_FINEST = 1e-7  # steepest descent, relative to the residual's length, that is not made smaller
_SHORTEST = 1e-6  # share of a direction below which it leads nowhere


class Derivatives:
    """J at a crossbar's conductances, ``exact`` or nearly, corrected by what steps have really changed (Broyden)."""

    def __init__(self, crossbar, exact):
        self._found = (_Derivatives if exact else _NearDerivatives)(crossbar)
        self.curvature, self._learned = self._found.curvature, []

    def push(self, step):
        """J step [S]."""
        return sum((missed * (along * step).sum() for along, missed in self._learned), self._found.push(step))

    def pull(self, residual):
        """J^T residual [S]."""
        return sum((along * (missed * residual).sum() for along, missed in self._learned), self._found.pull(residual))

    def learn(self, step, change):
        """The step has changed the matrix by ``change`` [S]."""
        weighted = self.curvature * step
        square = (weighted * step).sum()
        if square > 0:
            self._learned.append((weighted / square, change - self.push(step)))


class _Derivatives:
    """Exact ones."""

    def __init__(self, crossbar):
        inputs, outputs = find_line_voltages(crossbar, _RTOL)
        self.curvature = _sum_of_squares(inputs) * _sum_of_squares(outputs)
        self._inputs, self._outputs = inputs.reshape(len(inputs), -1), outputs.reshape(len(outputs), -1)

    def push(self, step):
        """J step [S]."""
        return (self._inputs * step.ravel()) @ self._outputs.T

    def pull(self, residual):
        """J^T residual [S]."""
        return ((residual @ self._outputs) * self._inputs).sum(axis=0).reshape(residual.shape)


class _NearDerivatives:
    """Near ones, in a time that grows with the third power of the lines, not with the fourth."""

    def __init__(self, crossbar):
        inputs, outputs = find_line_voltages(crossbar, _RTOL, np.float32)
        self.curvature = _sum_of_squares(inputs) * _sum_of_squares(outputs)
        own = np.einsum("lkl->kl", outputs)
        self._own = np.maximum(own, 1e-6 * own.max())
        outputs /= self._own
        self._inputs = np.ascontiguousarray(inputs.transpose(2, 0, 1))  # of each bit line, from word line to word line
        self._outputs = np.ascontiguousarray(outputs.transpose(1, 0, 2))  # of each word line, from bit line to bit line

    def push(self, step):
        """J step [S]."""
        step = step.astype(np.float32)
        at_line = _along_columns(self._inputs, self._own * step.astype(np.float32))
        return _along_rows(self._outputs, at_line).astype(float)

    def pull(self, residual):
        """J^T residual [S]."""
        at_line = _along_rows(_turned(self._outputs), residual.astype(np.float32))
        return (self._own * _along_columns(_turned(self._inputs), at_line)).astype(float)


def _sum_of_squares(voltages):
    return np.einsum("ikl,ikl->kl", voltages, voltages).astype(float)


def _along_columns(matrices, values):
    """Each column of ``values`` times its own matrix."""
    return (matrices @ np.ascontiguousarray(values.T)[..., None])[..., 0].T


def _along_rows(matrices, values):
    return (matrices @ values[..., None])[..., 0]


def _turned(matrices):
    return matrices.swapaxes(-1, -2)


class LinearisedMatrix:
    """What is left to the targets near a point, as a function of a step of the conductances: its square is that of the
    residual + 2 gradient step + (J step)^2.

    ``along`` (M, N): direction that a free ``gain`` takes up, of length 1, or None. ``ends``: lowest and highest step (M, N)
    [S]. ``gradient`` is half of that of the square [S], ``curvature`` the diagonal of J^T J, above zero. J may not be quite
    that of the gradient: a direction in which the square is ``flat``, relative to single devices, is none.
    """

    def __init__(self, derivatives, gain, along, residual, gradient, ends, flat):
        self.flat = flat
        self._derivatives, self._gain, self._along = derivatives, gain, along
        self.gradient, self.square = gradient, (residual**2).sum()
        self.lower, self.upper = ends
        curvature = gain**2 * derivatives.curvature
        if along is not None:
            own = gain * derivatives.pull(along)
            curvature = np.maximum(curvature - own**2, 1e-3 * curvature)
        self.curvature = np.maximum(curvature, 1e-30 * curvature.max())

    def push(self, step):
        """Change of the residual, J step [S]."""
        return self._without_gain(self._gain * self._derivatives.push(step))

    def pull(self, residual):
        """J^T residual [S]."""
        return self._gain * self._derivatives.pull(self._without_gain(residual))

    def descent(self, step, gradient):
        """Steepest descent from a step that the window leaves, in units in which the curvature of each device is 1 [S]."""
        return np.sqrt(self.curvature) * (np.clip(step - gradient / self.curvature, self.lower, self.upper) - step)

    def change(self, step, pushed):
        """Of the square, by a step with its J step [S^2]."""
        return 2.0 * (self.gradient * step).sum() + (pushed**2).sum()

    def _without_gain(self, residual):
        return residual if self._along is None else residual - self._along * (self._along * residual).sum()


def solve_in_box(model, damping, enough):
    """Step within its ends that minimises the squared residual, damped, until the steepest descent [S] is small ``enough``;
    and by how much that square shrinks [S^2]. Conjugate gradients with devices at an end of their window held there, a step
    along the path bent by the window, and again. Where that path leads nowhere, steepest descent along its own does."""
    step, pushed, change = np.zeros_like(model.gradient), 0.0, 0.0
    for _ in range(_MOST_FACES):
        gradient = model.gradient + damping * model.curvature * step
        if step.any():
            gradient += model.pull(pushed)
        if np.linalg.norm(model.descent(step, gradient)) <= max(enough, _FINEST * np.sqrt(max(model.square + change, 0.0))):
            break
        held = (step <= model.lower) & (gradient > 0) | (step >= model.upper) & (gradient < 0)
        direction, flat = _minimise_on_face(model, -gradient, ~held, damping, 0.5 * enough)
        found = (_follow(model, step, direction, gradient, change, damping)
                 or _follow(model, step, -gradient / model.curvature, gradient, change, damping))
        if found is not None:
            step, pushed, change = found
        if found is None or flat:
            break
    return step, -change


def _follow(model, step, direction, gradient, change, damping):
    """Step, J step and damped change after enough of a descent along a path bent by the window; None if there is none."""
    length = 1.0
    while length > _SHORTEST:
        trial = np.clip(step + length * direction, model.lower, model.upper)
        pushed = model.push(trial)
        lower = model.change(trial, pushed) + damping * (model.curvature * trial**2).sum()
        if lower <= change + 2e-4 * (gradient * (trial - step)).sum() and lower < change:
            return trial, pushed, lower
        length *= 0.5
    return None


def _minimise_on_face(model, force, free, damping, enough):
    """Direction, zero where not free, that minimises the damped squares, and whether another one, left out, is so flat that
    the model knows nothing of it; conjugate gradients, scaled by the curvature."""
    direction = np.zeros_like(force)
    force = np.where(free, force, 0.0)
    scaled = force / model.curvature
    search, power = scaled, (force * scaled).sum()
    for _ in range(_MOST_PRODUCTS):
        if power <= enough**2:
            break
        pushed, damped = model.push(search), damping * model.curvature * search
        stiffness = (pushed**2).sum() + (search * damped).sum()
        if stiffness <= model.flat * (model.curvature * search**2).sum():
            return direction, True
        direction = direction + power / stiffness * search
        force = force - power / stiffness * np.where(free, model.pull(pushed) + damped, 0.0)
        scaled = force / model.curvature
        power, before = (force * scaled).sum(), power
        search = scaled + (power / before) * search
    return direction, False
