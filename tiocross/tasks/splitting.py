"""How labelled points are divided into parts: stratified, with equal points never on two sides."""

import numpy as np


def number_groups(points):
    """(n_points,) number of the group that each point belongs to: points that are equal in every feature form one."""
    return np.unique(points + 0.0, axis=0, return_inverse=True)[1].reshape(-1)


def split_groups(labels, groups, shares, rng):
    """(n_points,) number of the part of each point. ``shares`` say how much of each class every part gets; a group, which
    counts for the class of its first point, is never divided. Every part gets a group of every class that has enough."""
    part = np.empty(len(labels), dtype=int)
    names, first, sizes = np.unique(groups, return_index=True, return_counts=True)
    chosen = np.empty(len(names), dtype=int)
    for label in np.unique(labels[first]):
        here = np.flatnonzero(labels[first] == label)
        here = here[rng.permutation(len(here))]
        here = here[np.argsort(-sizes[here], kind="stable")]  # large groups first: small ones fill up what they leave
        chosen[here] = _fill(sizes[here], np.asarray(shares, dtype=float))
    part[:] = chosen[np.searchsorted(names, groups)]
    return part


def _fill(sizes, shares):
    """Part of each of the groups of one class: whichever still lacks most of what it is to get."""
    wanted = np.maximum(np.round(shares * sizes.sum()), shares > 0)
    wanted[0] = sizes.sum() - wanted[1:].sum()
    parts, counts = np.empty(len(sizes), dtype=int), np.zeros(len(shares))
    for k, size in enumerate(sizes):
        lacking = (wanted - counts) / np.maximum(wanted, 1)
        empty = (counts == 0) & (shares > 0)
        if empty.sum() >= len(sizes) - k:  # no more groups than parts without any
            lacking = np.where(empty, lacking, -np.inf)
        parts[k] = int(np.argmax(lacking))
        counts[parts[k]] += size
    return parts
