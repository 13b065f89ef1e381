"""How to train: settings of a training, and the learning rate of each step."""

from dataclasses import dataclass, replace

import numpy as np

from tiocross.checks import as_count, as_number, require_name
from tiocross.learning.losses import Loss, MeanLoss
from tiocross.learning.optimisers import Adam, Optimiser

SCHEDULES = ("cosine", "constant")


@dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Parameters
    ----------
    n_steps : int
        Steps of the optimiser, unless ``n_epochs`` says how many (unitless).
    batch_size : int
        Points in a step, drawn without replacement within an epoch (unitless).
    n_chips : int
        Simulated chips in a step, where a technique simulates them (unitless).
    learning_rate : float
        Rate of the optimiser, at the start with a cosine schedule (unitless).
    schedule : str
        "cosine", falling to zero at the last step, or "constant".
    weight_decay : float
        Added to the gradient as weight_decay * weight, bias included, as in the paper's code (unitless).
    loss : MeanLoss, PointErrorRate or TailLoss
        What is lowered from ``loss_from`` on; before, the cross-entropy averaged over chips.
    loss_from : float
        Share of the steps after which ``loss`` takes over (unitless).
    scale_gradient_from : float or None
        Share of the steps after which gradients flow through the mapping's scale too: then a smaller largest weight, which
        makes every error of a device weigh less, is worth something. None for never. From the start it tends to end in a
        straight line: the boundary must have bent before (unitless).
    optimiser : type
        `Adam` or `Momentum`, or another subclass of `Optimiser`.
    n_epochs : float or None
        How often training goes through all points; then the number of steps follows from the number of points (unitless).
    """

    n_steps: int = 2000
    batch_size: int = 256
    n_chips: int = 8
    learning_rate: float = 0.1
    schedule: str = "cosine"
    weight_decay: float = 0.0
    loss: object = MeanLoss()
    loss_from: float = 0.3
    scale_gradient_from: float | None = None
    optimiser: type[Optimiser] = Adam
    n_epochs: float | None = None

    def __post_init__(self):
        for name in ("n_steps", "batch_size", "n_chips"):
            as_count(name, getattr(self, name))
        as_number("learning_rate", self.learning_rate, low=0.0)
        as_number("weight_decay", self.weight_decay, low=0.0)
        require_name("schedule", self.schedule, SCHEDULES)
        if not isinstance(self.loss, Loss):
            raise TypeError(f"loss must be a Loss, such as MeanLoss(), PointErrorRate() or TailLoss(); got {self.loss!r}")
        as_number("loss_from", self.loss_from, low=0.0, high=1.0)
        if not (isinstance(self.optimiser, type) and issubclass(self.optimiser, Optimiser)):
            raise TypeError(f"optimiser must be a class such as Adam or Momentum; got {self.optimiser!r}")
        if self.scale_gradient_from is not None:
            as_number("scale_gradient_from", self.scale_gradient_from, low=0.0, high=1.0)
        if self.n_epochs is not None and as_number("n_epochs", self.n_epochs, low=0.0) == 0.0:
            raise ValueError("n_epochs must be above zero, or None where n_steps says how long to train; got 0")

    @classmethod
    def fine_tuning(cls, n_epochs: float = 10.0, learning_rate: float = 0.005, n_chips: int = 8) -> "TrainingSettings":
        """Settings for a few epochs from weights that were trained before: a small rate, so that they are adapted, not lost.

        Parameters
        ----------
        n_epochs : float, optional
            How often to go through all points (unitless).
        learning_rate : float, optional
            Rate of `Adam`: about what a weight moves in a step, at the start (unitless).
        n_chips : int, optional
            Simulated chips in a step (unitless).
        """
        return cls(n_epochs=n_epochs, learning_rate=learning_rate, n_chips=n_chips)

    def for_points(self, n_points: int) -> "TrainingSettings":
        """The same settings with the number of steps that a number of training points makes of ``n_epochs``.

        Parameters
        ----------
        n_points : int
            Training points (unitless).
        """
        if self.n_epochs is None:
            return self
        per_epoch = -(-n_points // self.batch_size)
        return replace(self, n_steps=max(1, round(self.n_epochs * per_epoch)), n_epochs=None)


def rate_at(step, settings):
    """Learning rate of a step, the first being 0."""
    if settings.schedule == "constant":
        return settings.learning_rate
    return settings.learning_rate * 0.5 * (1 + np.cos(np.pi * step / settings.n_steps))
