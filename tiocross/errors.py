"""The errors that can come with correct input; everything else is a ``ValueError`` or ``TypeError``."""


class ConvergenceError(RuntimeError):
    """A circuit was not solved to the wanted accuracy.

    Attributes
    ----------
    n_sweeps : int
        Sweeps done (unitless).
    unbalanced : float
        Largest Kirchhoff residual left at a node [A].
    uncertainty : float
        Bound on the error of any bit-line current that the residuals leave open [A].
    """

    def __init__(self, message, *, n_sweeps, unbalanced, uncertainty):
        super().__init__(message)
        self.n_sweeps = n_sweeps
        self.unbalanced = unbalanced
        self.uncertainty = uncertainty

    def __reduce__(self):
        return _rebuild_convergence_error, (self.args[0], self.n_sweeps, self.unbalanced, self.uncertainty)


def _rebuild_convergence_error(message, n_sweeps, unbalanced, uncertainty):
    return ConvergenceError(message, n_sweeps=n_sweeps, unbalanced=unbalanced, uncertainty=uncertainty)


class UnitError(RuntimeError):
    """A unit of work failed, or its worker was lost again and again; the message names the unit, its cause follows."""
