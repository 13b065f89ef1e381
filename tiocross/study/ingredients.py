"""Training techniques and adaptations by name, with the strengths that the tables use: what recipes are put together from.

Strengths of the literature's methods are choices of ours. Where a method knows no device, its noise is as large as what
tuning and write disturb do to a weight of the published card on 8 x 8 arrays, about 5 % of the largest weight.
"""

from tiocross.checks import require_name
from tiocross.transfers.adaptation import RETRAINING, Adaptation
from tiocross.transfers.wires import WiresInLoop
from tiocross.learning.literature import (
    CensoredNoise,
    FaultDropConnect,
    GaussianNoise,
    LipschitzPenalty,
    LogNormalNoise,
)
from tiocross.learning.sharpness import SharpnessAware
from tiocross.learning.techniques import ConductanceDropout, NoiseInjection, RangePenalty

RANGE_STRENGTH = 1e-4
WIRES_TRAINED_FOR = 10.0  # [ohm] of a segment
_SPREAD = 0.05  # of a weight on a chip, relative to the largest of its layer


def _fault_drop_connect(device):
    """A weight stands on two devices, so it is hit twice as often as each of them."""
    stuck = device.stuck
    return FaultDropConnect(2 * stuck.probability_lrs, 2 * stuck.probability_hrs) if stuck else FaultDropConnect(0.0, 0.0)


TECHNIQUES = {
    "noise": NoiseInjection,
    "dropout": ConductanceDropout,
    "range": lambda device: RangePenalty(RANGE_STRENGTH),
    "gaussian": lambda device: GaussianNoise(_SPREAD, clip=2.5),
    "censored": lambda device: CensoredNoise(_SPREAD, bound=1.0),
    "lognormal": lambda device: LogNormalNoise(0.3),
    "lipschitz": lambda device: LipschitzPenalty(0.3, strength=1e-3),
    "drop-connect": _fault_drop_connect,
    "sharpness": lambda device: SharpnessAware(1.0, device),
    "wires": lambda device: WiresInLoop(WIRES_TRAINED_FOR),
}

ADAPTATIONS = {
    "ordered": Adaptation(sensitive_last=True),  # nothing is known of the chip: the order is the same for all
    "placed": Adaptation(map_known=True, sensitive_last=True),
    "retrained": Adaptation(map_known=True, sensitive_last=True, retraining=RETRAINING),
    "layer by layer": Adaptation(map_known=True, sensitive_last=True, retraining=RETRAINING, layer_by_layer=True),
    "gain": Adaptation(refit="gain"),
    "refitted": Adaptation(refit="output"),
}
MOST_CHIPS = {"placed": 5_000, "retrained": 500, "layer by layer": 200, "gain": 5_000, "refitted": 5_000}  # others take long


def make_techniques(names, device):
    """Techniques for training.

    Parameters
    ----------
    names : tuple of str
        Any of ``TECHNIQUES`` (unitless).
    device : Device
        What they simulate or guard against (unitless).

    Returns
    -------
    list
        One technique for each name.

    Raises
    ------
    ValueError
        If a name is unknown.
    """
    for name in names:
        require_name("technique", name, TECHNIQUES)
    return [TECHNIQUES[name](device) for name in names]
