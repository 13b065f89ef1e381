"""What programming leaves behind on simulated chips, beside what was measured on real ones: a table, counts and a figure.

Every chip is an 8 x 8 array, programmed row by row to targets uniform in the window by write-verify; after each device all
those programmed before are read. Changes are cut at +-40 uS, as the measured ones are. Where the 95 % intervals of a
simulated and a measured figure do not meet, the simulation does not follow: these are marked and listed. Simulated
intervals resample chips; measured ones are order statistics, as if all samples were independent.

The table and the figure are those of the first seed. The counts are of all seeds, with targets uniform in the window and
with those that networks have: of those measured neither the order nor the targets are known. The last count is that of
the card TIO2_STATE under the assumption that arrays were written row by row to uniform targets.

    python scripts/write_disturb.py [--out DIR] [--chips N] [--seed N] [--seeds N]
"""

import argparse
from types import SimpleNamespace

import numpy as np
from fit_state_disturb import targets_of
from options import make_folder, whole

from tiocross import TIO2, TIO2_STATE, TIO2_SWITCHING, PulseScheme, SimulatedCrossbar, plot
from tiocross.devices.calibration.state import simulate_changes
from tiocross.intervals import half_width_of_mean
from tiocross.lab.characterisation import characterise
from tiocross.storage import replacing
from tiocross.units import percent, uS

SHAPE = (8, 8)
MEASURED = {1: 1259, 2: 1163, 3: 1070, 4: 994, 6: 855, 8: 746, 12: 568, 16: 429, 20: 337, 24: 264, 28: 201, 32: 159, 36: 112,
            40: 70, 43: 50}  # later writes: number of measured samples, Drolet et al., arXiv:2305.18495
LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
CUT = 40 * uS
N_RESAMPLED = 400
KINDS = {"uniform": "uniform targets", "network": "network-like targets", "by state": "TIO2_STATE, uniform targets"}


@plot.house_style()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="results/write_disturb", metavar="DIR", help="where it goes (default: %(default)s)")
    parser.add_argument("--chips", type=whole(2), default=100, metavar="N",
                        help="simulated chips, two for intervals (default: %(default)s)")
    parser.add_argument("--seed", type=whole(0), default=0, metavar="N", help="of the chips (default: %(default)s)")
    parser.add_argument("--seeds", type=whole(2), default=8, metavar="N",
                        help="seeds from that one on, for the counts (default: %(default)s)")
    arguments = parser.parse_args()
    folder = make_folder(parser, arguments.out)
    chips, comparison = compare("uniform", arguments.seed, arguments.chips)
    seeds = range(arguments.seed, arguments.seed + arguments.seeds)
    counts = {kind: np.array([followed(comparison if (kind, seed) == ("uniform", arguments.seed)
                                       else compare(kind, seed, arguments.chips)[1]) for seed in seeds])
              for kind in KINDS}
    report = "\n\n".join([format_tuning(chips), format_table(comparison), format_verdict(comparison),
                          format_counts(counts)]) + "\n"
    print(report, end="")
    with replacing(folder / "write_disturb.txt") as temporary:
        temporary.write_text(report, encoding="utf-8")
    figure = draw(chips, comparison)
    for kind in ("png", "pdf"):
        with replacing(folder / f"write_disturb.{kind}") as temporary:
            figure.savefig(temporary, dpi=120)
    print(f"results: {folder}")


def compare(kind, seed, n_chips):
    """Chips of a seed with targets of a kind, and the `Row` of each number of later writes."""
    if kind == "by state":
        chips = by_the_card(seed, n_chips)
    else:
        chips = [program_chip(seed, number, kind) for number in range(n_chips)]
    rng = np.random.default_rng(seed)
    return chips, {k: Row(k, chips, rng) for k in MEASURED}


def program_chip(seed, number, kind="uniform"):
    """One chip characterised."""
    rng = np.random.default_rng([seed, number])
    chip = SimulatedCrossbar(SHAPE, rng=rng)
    return characterise(chip, targets_of(kind, rng), PulseScheme())


def by_the_card(seed, n_chips):
    """What the write disturb by state of the card does to as many chips, read as the simulated chips are."""
    rng, model = np.random.default_rng([seed, 1]), TIO2_SWITCHING
    targets = rng.uniform(TIO2.g_min, TIO2.g_max, (n_chips, *SHAPE))
    later, changes = simulate_changes(TIO2_STATE.disturb, targets, rng, read_noise=model.read_noise,
                                      read_step=model.read_step / model.read_voltage)
    return [SimpleNamespace(n_later_writes=later, changes=each) for each in changes]


def followed(comparison):
    """At how many quantiles, and at how many medians, the simulation follows."""
    apart = np.array([row.apart for row in comparison.values()])
    return (~apart).sum(), (~apart[:, LEVELS.index(0.5)]).sum()


class Row:
    """One number of later writes: quantiles [S] simulated and measured, each with the ends of its 95 % interval."""

    def __init__(self, k, chips, rng):
        groups = [chip.changes[chip.n_later_writes == k] for chip in chips]
        kept = [group[np.abs(group) <= CUT] for group in groups]
        inside = np.concatenate(kept)
        self.beyond, self.std = 1 - len(inside) / sum(map(len, groups)), inside.std()
        self.simulated = np.quantile(inside, LEVELS)
        resampled = [np.quantile(np.concatenate([kept[c] for c in rng.integers(len(kept), size=len(kept))]), LEVELS)
                     for _ in range(N_RESAMPLED)]
        self.low, self.high = np.quantile(resampled, [0.025, 0.975], axis=0)
        self.table = TIO2.disturb.changes[np.flatnonzero(TIO2.disturb.n_later_writes == k)[0]]
        levels = np.array(LEVELS)
        away = 1.96 * np.sqrt(levels * (1 - levels) / MEASURED[k])
        self.measured, self.measured_low, self.measured_high = (self.quantiles(levels + by) for by in (0, -away, away))

    def quantiles(self, levels):
        return np.interp(levels, TIO2.disturb.probabilities, self.table)

    @property
    def apart(self):
        return (self.measured_high < self.low) | (self.measured_low > self.high)

    @property
    def measured_std(self):
        """Of the law that is linear between the quantiles of the table."""
        widths, low, high = np.diff(TIO2.disturb.probabilities), self.table[:-1], self.table[1:]
        mean = (widths * (low + high) / 2).sum()
        return np.sqrt((widths * (low**2 + low * high + high**2) / 3).sum() - mean**2)


def format_tuning(chips):
    errors = np.concatenate([chip.programmed / chip.targets - 1 for chip in chips])
    outcomes = np.concatenate([chip.report.outcomes.ravel() for chip in chips])
    n_pulses = np.concatenate([chip.report.n_pulses[chip.report.outcomes == "converged"] for chip in chips])
    names, counts = np.unique(outcomes, return_counts=True)
    return "\n".join([
        f"{len(chips)} chips of {SHAPE[0]} x {SHAPE[1]}: " + ", ".join(f"{n} {name}" for name, n in zip(names, counts)),
        f"pulses a device: median {np.median(n_pulses):.0f}, 95 % within {np.quantile(n_pulses, 0.95):.0f}",
        f"error when tuned: mean {errors.mean() / percent:.2f} %, std {errors.std() / percent:.2f} %, "
        f"largest {np.abs(errors).max() / percent:.2f} %; measured offset {TIO2.tuning.offset_mean / percent:.2f} %, spread "
        f"{TIO2.tuning.spread_intercept / percent:.2f} %"])


def format_table(comparison):
    lines = ["change after k later writes [uS], simulated / measured; * where their 95 % intervals do not meet",
             "  k" + "".join(f"{100 * level:>12.0f} % " for level in LEVELS) + "  sim. beyond 40 uS"]
    for k, row in comparison.items():
        cells = [f"{s / uS:>6.1f} /{m / uS:>6.1f}{'*' if apart else ' '}"
                 for s, m, apart in zip(row.simulated, row.measured, row.apart)]
        lines.append(f"{k:>3}" + "".join(cells) + f"{row.beyond / percent:>12.1f} %")
    return "\n".join(lines)


def format_verdict(comparison):
    n_apart = sum(int(row.apart.sum()) for row in comparison.values())
    lines = [f"it does not follow at {n_apart} of {len(comparison) * len(LEVELS)} places (simulated less measured, uS):"]
    for place, level in enumerate(LEVELS):
        found = [f"k = {k}: {(row.simulated[place] - row.measured[place]) / uS:+.1f}" for k, row in comparison.items()
                 if row.apart[place]]
        lines.append(f"  {100 * level:>3.0f} %: {', '.join(found) or 'nowhere'}")
    return "\n".join(lines)


def format_counts(counts):
    n_seeds = len(counts["uniform"])
    lines = [f"it follows, {n_seeds} seeds: mean with 95 % interval, least to most"]
    for kind, found in counts.items():
        means, halves = found.mean(axis=0), half_width_of_mean(found)
        parts = [f"{mean:.1f} +- {half:.1f} of {total} {what} ({least} to {most})" for mean, half, total, what, least, most
                 in zip(means, halves, (len(MEASURED) * len(LEVELS), len(MEASURED)), ("quantiles", "medians"),
                        found.min(axis=0), found.max(axis=0))]
        lines.append(f"  {KINDS[kind]:<28} {', '.join(parts)}; by seed {' '.join(map(str, found[:, 0]))}")
    return "\n".join(lines)


def draw(chips, comparison):
    figure, axes = plot.new_figure(1, 3, width=13.5, height=4.4)
    draw_quantiles(axes[0, 0], comparison)
    draw_spreads(axes[0, 1], comparison)
    errors = np.concatenate([chip.programmed / chip.targets - 1 for chip in chips]) / percent
    axes[0, 2].hist(errors, bins=np.linspace(-1.25, 1.25, 51), color=plot.COLOURS[3])
    axes[0, 2].set(xlabel="error of the last reading when tuned (%)", ylabel="devices", title="tuning within 1 %")
    figure.suptitle(f"{len(chips)} simulated chips of {SHAPE[0]} x {SHAPE[1]}, programmed row by row. Measured: quantile "
                    "table of Drolet et al. Bands and bars: 95 %.", fontsize=10)
    return figure


def draw_quantiles(axes, comparison):
    later = list(comparison)
    for place, level in enumerate(LEVELS):
        simulated, low, high, measured, measured_low, measured_high = (
            np.array([getattr(row, part)[place] for row in comparison.values()]) / uS
            for part in ("simulated", "low", "high", "measured", "measured_low", "measured_high"))
        colour = plot.COLOURS[(4, 1, 2, 0, 2, 1, 4)[place]]
        axes.fill_between(later, low, high, color=colour, alpha=0.25, linewidth=0)
        axes.plot(later, simulated, color=colour, linewidth=1.4)
        axes.errorbar(later, measured, [measured - measured_low, measured_high - measured], color=colour, linestyle="none",
                      marker="o", markersize=3.5, elinewidth=0.7)
        axes.annotate(f"{100 * level:.0f} %", (later[-1], simulated[-1]), xytext=(8, 0), textcoords="offset points",
                      fontsize=8, va="center", color=colour)
    axes.set(xscale="log", xlabel="later writes k", ylabel="change of conductance (µS)", xlim=(0.85, 64),
             title="quantiles; lines: simulated, dots: measured")
    axes.set_xticks([1, 2, 4, 8, 16, 32], ["1", "2", "4", "8", "16", "32"])
    axes.minorticks_off()


def draw_spreads(axes, comparison):
    later = np.array(list(comparison), dtype=float)
    stds, measured = (np.array([getattr(row, name) for row in comparison.values()]) / uS
                      for name in ("std", "measured_std"))
    axes.loglog(later, stds, color=plot.COLOURS[2], label="simulated")
    axes.loglog(later, measured, "o", markersize=4, color=plot.COLOURS[0], label="measured")
    axes.loglog(later, 6.6 * later**0.28, "--", color="0.5", label="6.6 uS k^0.28")
    axes.set(xlabel="later writes k", ylabel="standard deviation (µS)", title="spread of the changes within 40 uS")
    axes.set_xticks([1, 2, 4, 8, 16, 32], ["1", "2", "4", "8", "16", "32"])
    axes.set_yticks([5, 10, 20], ["5", "10", "20"])
    axes.minorticks_off()
    axes.legend(fontsize=8)


if __name__ == "__main__":
    main()
