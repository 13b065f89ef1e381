"""What electronics and devices do at read costs ROBUST networks: one effect at a time, on the same chips.

Each seed is a network of its own. A cost is the change of the robust share (points right on 95 % of the chips), and of the
5th percentile of the accuracy, against chips that lack nothing at read; intervals of 95 % are over seeds.

    python scripts/periphery_costs.py [--seeds N] [--chips N] [--points N] [--steps N] [--wires OHM]
"""

import argparse
from dataclasses import replace

import numpy as np
from options import whole
from robust_networks import change, points_of, train_seed

from tiocross import (
    PERIPHERY_6_BIT, PERIPHERY_8_BIT, TIO2, Converter, LineFailures, Nonlinearity, Periphery, ReadNoise, Sensing, transfer)
from tiocross.study.methods import ROBUST_TRAINING

OURS = "a choice for this table"
DEAD = LineFailures(0.0, 0.01, 1e-12, 1e-12, OURS)
ALL = replace(PERIPHERY_8_BIT, sensing=Sensing(gain_spread=0.03, offset=0.01))
ALL_DEVICE = replace(TIO2, read_noise=ReadNoise(0.01, OURS), nonlinearity=Nonlinearity(0.3, 0.2, OURS))


def on_device(**effects):
    """The card with further effects, the electronics ideal."""
    return replace(TIO2, **effects), None


def on_lines(**sensing):
    """The card, with what sensing does."""
    return TIO2, Periphery(sensing=Sensing(**sensing))


ROWS = {
    "sense offset 3 % of full scale": on_lines(offset=0.03),
    "sense offset 1 % of full scale": on_lines(offset=0.01),
    "gain spread 3 %": on_lines(gain_spread=0.03),
    "1 % of bit lines dead": on_device(lines=DEAD),
    "ADC on each line, 5 bit": (TIO2, Periphery(adc=Converter(5))),
    "ADC on each line, 6 bit": (TIO2, Periphery(adc=Converter(6))),
    "ADC on each line, 8 bit": (TIO2, Periphery(adc=Converter(8))),
    "ADC behind the subtraction, 5 bit": (TIO2, Periphery(adc=Converter(5), subtraction="analogue")),
    "DAC, 4 bit": (TIO2, Periphery(dac=Converter(4))),
    "sinh, v0 = 0.4 V": on_device(nonlinearity=Nonlinearity(0.4, 0.2, OURS)),
    "sinh, v0 = 0.3 V": on_device(nonlinearity=Nonlinearity(0.3, 0.2, OURS)),
    "read noise 1 %": on_device(read_noise=ReadNoise(0.01, OURS)),
    "read noise 5 %": on_device(read_noise=ReadNoise(0.05, OURS)),
    "PERIPHERY_8_BIT": (TIO2, PERIPHERY_8_BIT),
    "PERIPHERY_6_BIT": (TIO2, PERIPHERY_6_BIT),
    "8 bit, offset 1 %, gain 3 %, read noise 1 %, sinh 0.3 V": (ALL_DEVICE, ALL),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=whole(2), default=6, metavar="N", help="networks (default: %(default)s)")
    parser.add_argument("--chips", type=whole(1), default=500, metavar="N", help="of each network (default: %(default)s)")
    parser.add_argument("--points", type=whole(1), default=2_000, metavar="N", help="test points (default: %(default)s)")
    parser.add_argument("--steps", type=whole(1), default=ROBUST_TRAINING.n_steps, metavar="N",
                        help="of training (default: %(default)s)")
    parser.add_argument("--wires", type=float, default=0.0, metavar="OHM", help="of a wire segment (default: %(default)s)")
    arguments = parser.parse_args()
    points = points_of(arguments)
    networks = [train_seed(seed, TIO2, arguments.steps) for seed in range(arguments.seeds)]

    def judged(device, periphery):
        return np.array([judge(network, points, device, periphery, arguments) for network in networks])

    base = judged(TIO2, None)
    print(f"ROBUST on half moons, {arguments.seeds} networks, {arguments.chips} chips each, {len(points)} test points, "
          f"{arguments.wires:g} ohm")
    print(f"{'nothing at read':<58}{base[:, 0].mean():.3f}            5th percentile {base[:, 1].mean():.3f}")
    for name, row in ROWS.items():
        costs = judged(*row) - base
        print(f"{name:<58}{change(costs[:, 0], 4)}   {change(costs[:, 1], 4)}", flush=True)


def judge(network, points, device, periphery, arguments):
    """Robust share, and 5th percentile of the accuracy, of one network on the chips of one seed."""
    outcome = transfer(network, points, device=device, periphery=periphery, wire_resistance=arguments.wires,
                       n_transfers=arguments.chips, rng=np.random.default_rng(5))
    return (outcome.rates >= 0.95).mean(), np.quantile(outcome.accuracies, 0.05)


if __name__ == "__main__":
    main()
