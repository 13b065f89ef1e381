"""Networks of one recipe, trained from one start or from several, of which the best is kept.

What is best is told by training points on simulated chips of their own: neither test points nor the chips that judge.
"""

import numpy as np

from tiocross.learning.literature import duplicate_units
from tiocross.learning.network import MLP
from tiocross.learning.training import train_many
from tiocross.transfers.chips import Chips
from tiocross.transfers.judging import judge_chips
from tiocross.transfers.summary import robust_fraction
from tiocross.transfers.wires import WiresInLoop

_CHIPS = 500  # that choose between starts


def train_starts(recipe, dataset, device, *, rngs, settings, sizes=None, on_progress=None):
    """Trained networks of a recipe, one for each generator, ready to be put on chips; ``sizes`` are layer sizes in place of
    the recipe's."""
    n_starts, layout = len(recipe.activations), recipe.layout(sizes or recipe.sizes_for(dataset), device)
    sources = [_split(rng, n_starts) for rng in rngs]
    groups = [[None] * n_starts for _ in rngs]
    kinds = list(dict.fromkeys(recipe.activations))
    for n_done, kind in enumerate(kinds):  # networks trained together share an activation
        places = [(k, start) for k in range(len(rngs)) for start in range(n_starts) if recipe.activations[start] == kind]
        chance = [sources[k][start] for k, start in places]
        networks = [start_network(recipe, dataset, rng, activation=kind, sizes=sizes) for rng in chance]
        progress = _progress_of_part(on_progress, n_done * settings.n_steps, len(kinds) * settings.n_steps)
        trained = train_many(networks, dataset, recipe.techniques, device=device, layout=layout, rngs=chance,
                             settings=settings, on_progress=progress)
        for (k, start), network in zip(places, trained):
            groups[k][start] = finish_network(recipe, network)
    return [group[0] if n_starts == 1 else choose_start(recipe, group, dataset, device, rng=rng)
            for group, rng in zip(groups, rngs)]


def choose_start(recipe, networks, dataset, device, *, rng):
    """The network that is right on at least 95 % of 500 simulated chips at most points; of equal ones the first.

    The chips are the same for each, laid out as the recipe says, with the wires that it trains for."""
    wires = sum(technique.wire_resistance for technique in recipe.techniques if isinstance(technique, WiresInLoop))
    seed, shares = int(rng.integers(2**63)), []
    for network in networks:
        chips = Chips(network, device, layout=recipe.layout(network.sizes, device), wire_resistance=wires,
                      rng=np.random.default_rng(seed))
        shares.append(robust_fraction(judge_chips(dataset, chips, n_transfers=_CHIPS).rates, 0.95))
    return networks[int(np.argmax(shares))]


def _split(rng, n_starts):
    """Generators for several starts; a single one is the generator itself."""
    return [rng] if n_starts == 1 else [np.random.default_rng(int(seed)) for seed in rng.integers(2**63, size=n_starts)]


def _progress_of_part(on_progress, n_before, n_all):
    """``on_progress`` of one training among several."""
    return None if on_progress is None else lambda done, total: on_progress(n_before + done, n_all)


def start_network(recipe, dataset, rng, *, activation, sizes=None):
    """An untrained network of a recipe; the dataset sets the range of the inputs."""
    network = MLP(*(sizes or recipe.sizes_for(dataset)), rng=rng, activation=activation)
    if recipe.centred:
        network.centre_inputs(dataset)
    return network


def finish_network(recipe, network):
    """What a trained network is before it is put on chips."""
    for technique in recipe.techniques:
        network = technique.finish(network)
    return duplicate_units(network, recipe.copies) if recipe.copies > 1 else network
