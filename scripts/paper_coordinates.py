"""The paper's pair of networks in its authors' coordinates and on physical devices.

The authors' simulation (Drolet et al., arXiv:2305.18495) puts each device of a pair in [-400, 400] uS. There, and only
there, its headline numbers can be compared: 18.5 % of the test points right on at least 95 % of the transfers for the
regular network, 79.5 % for the hardware-aware one. This script trains both networks in those coordinates and transfers
them under both mappings, without wires.

    python scripts/paper_coordinates.py [--data DIR] [--seeds N] [--transfers N] [--steps N]
"""

import argparse
from dataclasses import dataclass

import numpy as np
from options import whole

from tiocross import (
    MLP, TIO2, ConductanceDropout, DifferentialPairs, Layout, NoiseInjection, TrainingSettings, arrange, tasks, transfer,
)
from tiocross.learning.training import train_many
from tiocross.mapping.layout import Block, layer_shapes

SIZES = (2, 8, 1)
RECIPES = {  # name: (techniques, weight decay); the published code never runs its range regularisation
    "regular": ([], 0.0),
    "hardware-aware": ([NoiseInjection(), ConductanceDropout()], 1e-4),
}


@dataclass(frozen=True)
class SignedCoordinates(DifferentialPairs):
    """The authors' coordinates: a device of a pair lies in [g_min - g_max, g_max - g_min] and is no conductance.

    Weights and bias of a layer have a scale each; the output bias stays in software. The last layer is known by its
    ``n_output_lines`` word lines, its inputs.
    """

    digital_output_bias: bool = True
    n_output_lines: int = SIZES[-2]

    has_partners = False
    is_physical = False

    def span(self, device):
        """Twice the window: from one end of the coordinates to the other [S]."""
        return 2 * (device.g_max - device.g_min)

    def conductances(self, weights, device, scale):
        """Coordinates [S] of the pairs that carry ``weights``, from g_min - g_max on."""
        return super().conductances(weights, device, scale) - device.g_max

    def scale_groups(self, n_word_lines):
        """The weights and, in all layers but the last, the bias."""
        return [n_word_lines] if n_word_lines == self.n_output_lines else [n_word_lines - 1, 1]


def arrange_signed(sizes=SIZES):
    """Layout in the authors' coordinates: weights, biases and the two polarities are arrays of their own."""
    mapping = SignedCoordinates(n_output_lines=sizes[-2])
    shapes, blocks = layer_shapes(sizes, mapping), []
    for layer, (n_word_lines, n_bit_lines) in enumerate(shapes):
        groups = np.split(np.arange(n_word_lines), np.cumsum(mapping.scale_groups(n_word_lines))[:-1])
        for rows in groups:
            for polarity in (0, 1):
                columns = np.arange(polarity, n_bit_lines, 2)
                blocks.append(Block(layer, len(blocks), (len(rows), len(columns)), rows, columns, np.arange(len(rows)),
                                    np.arange(len(columns))))
    return Layout(tuple(blocks), tuple(shapes), mapping)


LAYOUTS = {"signed": arrange_signed(), "pairs": arrange(SIZES)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder with moons_*.csv (default: the shipped set)")
    parser.add_argument("--seeds", type=whole(1, 10_000), default=6)
    parser.add_argument("--transfers", type=whole(1), default=20_000)
    parser.add_argument("--steps", type=whole(1), default=40_000, help="the authors' 10 000 epochs have 40 000 (default)")
    arguments = parser.parse_args()
    try:
        moons = tasks.load_moons(arguments.data)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print(f"{len(moons.test)} test points ({moons.source}), {arguments.transfers} chips, {arguments.seeds} seeds, no wires")
    print("mean +- spread over seeds; the paper: regular 0.185, hardware-aware 0.795\n")
    print(f"{'network':16}{'mapping':10}{'nominal':>18}{'mean':>18}{'5th percentile':>18}{'robust 95 %':>18}")
    for name, (techniques, weight_decay) in RECIPES.items():
        networks = train_pair_member(moons, techniques, weight_decay, arguments)
        for mapping, layout in LAYOUTS.items():
            outcomes = [transfer(network, moons.test, device=TIO2, n_transfers=arguments.transfers, layout=layout,
                                 rng=np.random.default_rng([seed, 1])) for seed, network in enumerate(networks)]
            columns = ([outcome.nominal_accuracy for outcome in outcomes],
                       [outcome.accuracies.mean() for outcome in outcomes],
                       [np.percentile(outcome.accuracies, 5) for outcome in outcomes],
                       [(outcome.rates >= 0.95).mean() for outcome in outcomes])
            cells = (f"{np.mean(column):.3f} +- {np.std(column, ddof=len(column) > 1):.3f}".rjust(18) for column in columns)
            print(f"{name:16}{mapping:10}" + "".join(cells))


def train_pair_member(moons, techniques, weight_decay, arguments):
    """One network a seed; one simulated chip a step, as in the authors' code."""
    rngs = [np.random.default_rng([seed, 0]) for seed in range(arguments.seeds)]
    settings = TrainingSettings(n_steps=arguments.steps, n_chips=1, schedule="constant", weight_decay=weight_decay)
    return train_many([MLP(*SIZES, rng=rng) for rng in rngs], moons.train, techniques, device=TIO2,
                      layout=LAYOUTS["signed"], rngs=rngs, settings=settings)


if __name__ == "__main__":
    main()
