"""Verdicts counted as they come: by chip, by point, by class.

A verdict says whether a chip is right at a point. It adds to the sum of the point over the chips of the chip's group, and to
the sum of the chip over the points of the point's group, so that neither needs to be kept. Points are in the order in which
they are dealt out to groups: point k belongs to group k % n_point_groups.

symbol       shape                          meaning
classes      (C, P) uint8                   class that each chip gives to each point
labels       (P,) uint8                     class that is right
first        int                            group of the first chip; the next one belongs to the next group
by_chips     (n_chip_groups, P) unsigned    in and out: how often each point was right on a group of chips
by_points    (C, n_point_groups) unsigned   in and out: at how many points of a group each chip is right
confusion    (n_classes, n_classes) int64   in and out: how often a point of a class was given another; for two classes
                                            nothing is added, because the other counts say it

All numbers are counts.
"""

from tiocross.jit import kernel


@kernel
def count_verdicts(classes, labels, first, by_chips, by_points, confusion):
    """Add to the counts; returns the number of wrong answers by class that were added."""
    n_chips, n_points = classes.shape
    n_groups = by_points.shape[1]
    n_wrong = 0
    for c in range(n_chips):
        chips = by_chips[(first + c) % by_chips.shape[0]]
        points = by_points[c]
        given = classes[c]
        for p in range(n_points):  # loops of one sum each vectorise
            chips[p] += given[p] == labels[p]
        for start in range(0, n_points, n_groups):
            some = given[start : start + n_groups]
            wanted = labels[start : start + n_groups]
            for k in range(len(some)):
                points[k] += some[k] == wanted[k]
        if confusion.shape[0] > 2:
            for p in range(n_points):
                if given[p] != labels[p]:
                    confusion[labels[p], given[p]] += 1
                    n_wrong += 1
    return n_wrong
