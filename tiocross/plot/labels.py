"""Names beside lines and points, moved apart where they would touch."""

import numpy as np


def keep_apart(heights, gap, low=-np.inf, high=np.inf):
    """The heights nearest to those wanted that keep their order, lie ``gap`` apart and, if there is room, in [low, high].

    Least squares under the order, by pooling neighbours that would come too near (pool adjacent violators)."""
    order = np.argsort(heights, kind="stable")
    steps = gap * np.arange(len(order))
    pools = []  # (mean, size)
    for height in np.asarray(heights, dtype=float)[order] - steps:
        pools.append((height, 1))
        while len(pools) > 1 and pools[-1][0] < pools[-2][0]:
            (first, n_first), (second, n_second) = pools[-2:]
            pools[-2:] = [((first * n_first + second * n_second) / (n_first + n_second), n_first + n_second)]
    pooled = np.repeat([mean for mean, _ in pools], [size for _, size in pools])
    placed = np.empty(len(order))
    placed[order] = np.clip(pooled, low, max(high - steps[-1], low)) + steps
    return placed


def name_line_ends(axes, heights, names, colours, *, gap, fontsize):
    """Write names right of the axes at the heights where their lines end, ``gap`` apart; heights are shares of the axes'."""
    for name, colour, height in zip(names, colours, keep_apart(heights, gap)):
        axes.annotate(name, (1.02, height), xycoords="axes fraction", va="center", fontsize=fontsize, color=colour,
                      annotation_clip=False)
