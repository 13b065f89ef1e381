"""Networks of one recipe, trained from one start or from several, of which the best is kept.

What is best is told by training points on simulated chips of their own: neither test points nor the chips that judge.
"""

import numpy as np

from tiocross.transfers.chips import SimulatedChips
from tiocross.study.ingredients import make_techniques
from tiocross.transfers.summary import robust_fraction
from tiocross.transfers.judging import judge_chips
from tiocross.learning.literature import duplicate_units
from tiocross.learning.network import MLP
from tiocross.learning.training import train_many

_CHIPS = 500  # that choose between starts


def train_starts(recipe, dataset, device, *, rngs, settings, sizes=None, on_progress=None):
    """Trained networks of a recipe, one for each generator.

    Parameters
    ----------
    recipe : Recipe
        What to train (unitless).
    dataset : Dataset
        Training points (unitless).
    device : Device
        What the techniques simulate, and the chips that choose between starts (unitless).
    rngs : list of numpy.random.Generator
        Sources of chance (unitless).
    settings : TrainingSettings
        Of the training (unitless).
    sizes : tuple of int, optional
        Layer sizes in place of the recipe's (unitless).
    on_progress : callable, optional
        As in `train` (unitless).

    Returns
    -------
    list of MLP
        The networks, ready to be put on chips.
    """
    techniques, n_starts = make_techniques(recipe.techniques, device), len(recipe.activations)
    sources = [_split(rng, n_starts) for rng in rngs]
    groups = [[None] * n_starts for _ in rngs]
    kinds = list(dict.fromkeys(recipe.activations))
    for n_done, kind in enumerate(kinds):  # networks trained together share an activation
        places = [(k, start) for k in range(len(rngs)) for start in range(n_starts) if recipe.activations[start] == kind]
        chance = [sources[k][start] for k, start in places]
        networks = [start_network(recipe, dataset, rng, activation=kind, sizes=sizes) for rng in chance]
        trained = train_many(networks, dataset, techniques, rngs=chance, settings=settings,
                             on_progress=_later(on_progress, n_done * settings.n_steps, len(kinds) * settings.n_steps))
        for (k, start), network in zip(places, trained):
            groups[k][start] = finish_network(recipe, network, techniques)
    wires = sum(getattr(technique, "wire_resistance", 0.0) for technique in techniques)  # those that are trained for
    return [group[0] if n_starts == 1 else choose_start(group, dataset, device, rng=rng, wire_resistance=wires)
            for group, rng in zip(groups, rngs)]


def choose_start(networks, dataset, device, *, rng, wire_resistance=0.0):
    """The network that is right on at least 95 % of 500 simulated chips at most points; of equal ones the first.

    Parameters
    ----------
    networks : list of MLP
        To choose from (unitless).
    dataset : Dataset
        Training points (unitless).
    device : Device
        What the chips are made of (unitless).
    rng : numpy.random.Generator
        Seeds the chips, the same for each (unitless).
    wire_resistance : float, optional
        Of one wire segment of the chips [ohm].

    Returns
    -------
    MLP
        The chosen one.
    """
    seed, shares = int(rng.integers(2**63)), []
    for network in networks:
        chips = SimulatedChips(network, device, wire_resistance=wire_resistance, rng=np.random.default_rng(seed))
        outcome = judge_chips(network, dataset, chips, n_transfers=_CHIPS)
        shares.append(robust_fraction(outcome.rates, 0.95))
    return networks[int(np.argmax(shares))]


def _split(rng, n_starts):
    """Generators for several starts; a single one is the generator itself."""
    return [rng] if n_starts == 1 else [np.random.default_rng(int(seed)) for seed in rng.integers(2**63, size=n_starts)]


def _later(on_progress, n_before, n_all):
    """``on_progress`` of one training among several."""
    return None if on_progress is None else lambda done, total: on_progress(n_before + done, n_all)


def start_network(recipe, dataset, rng, *, activation, sizes=None):
    """An untrained network of a recipe.

    Parameters
    ----------
    recipe : Recipe
        How it will be trained (unitless).
    dataset : Dataset
        Training points, which set the range of the inputs (unitless).
    rng : numpy.random.Generator
        Draws the start weights (unitless).
    activation : str
        Of the hidden units (unitless).
    sizes : tuple of int, optional
        Layer sizes in place of the recipe's (unitless).

    Returns
    -------
    MLP
        The network.
    """
    network = MLP(*(sizes or recipe.sizes_for(dataset)), rng=rng, activation=activation)
    if recipe.centred:
        network.centre_inputs(dataset)
    return network


def finish_network(recipe, network, techniques):
    """What a trained network is before it is put on chips.

    Parameters
    ----------
    recipe : Recipe
        How it was trained (unitless).
    network : MLP
        The trained network (unitless).
    techniques : list
        What it was trained with; one that has ``finish`` is asked (unitless).

    Returns
    -------
    MLP
        The network to put on chips.
    """
    for technique in techniques:
        if hasattr(technique, "finish"):
            network = technique.finish(network)
    return duplicate_units(network, recipe.copies) if recipe.copies > 1 else network
