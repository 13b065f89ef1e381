"""What of a run is finished, on disk, so that a run that was killed goes on where it was.

Networks, as trained, lie beside the arrays of the ledger; a line there says that one is whole and what it cost. Rows,
values that were tried and points of curves stand in the ledger, rows with the rates and accuracies that figures need.
"""

from tiocross.learning.network import Network
from tiocross.ledger import Ledger

_LEDGER = "finished.jsonl"


class Finished:
    """The ledger of a run in its results folder; ``identity`` says which run it is."""

    def __init__(self, folder, identity, *, resume):
        self._ledger = Ledger(ledger_path(folder), identity, resume=resume)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        self._ledger.close()

    def forget(self):
        """Remove the ledger: the results are complete."""
        self._ledger.remove()

    def networks(self, recipes, seeds):
        """Networks of recipes that train alike, one for each seed, and the seconds of one core that each took; None unless
        all are there."""
        records = [self._ledger.get(_key("network", recipe.name, seed)) for recipe in recipes for seed in seeds]
        if None in records:
            return None
        try:
            networks = [Network.load(self._network_path(recipes[0], seed)) for seed in seeds]
        except (OSError, ValueError):  # somebody took it away
            return None
        return networks, records[0][0]["core_seconds"]

    def keep_network(self, trained):
        """Keep a `Trained` network, once."""
        key = _key("network", trained.recipe.name, trained.seed)
        if key not in self._ledger:
            trained.network.save(self._network_path(trained.recipe, trained.seed))
            self._ledger.add(key, {"core_seconds": trained.core_seconds})

    def _network_path(self, recipe, seed):
        return self._ledger.path.with_suffix("") / f"{file_name(recipe.name)}_seed{seed}.npz"

    def row(self, recipe, seed, wire_resistance):
        """A row of ``summary.json`` and the arrays ``rates`` and ``accuracies``; None if it is not finished."""
        return self._ledger.get(_key("row", recipe.name, seed, wire_resistance))

    def keep_row(self, judged):
        """Keep a `Judged` row, once."""
        self.keep(("row", judged.recipe.name, judged.seed, judged.wire_resistance), judged.row, **judged.outcome._asdict())

    def record(self, *words):
        """What `keep` kept under these words; None if nothing."""
        found = self._ledger.get(_key(*words))
        return None if found is None else found[0]

    def keep(self, words, record, **arrays):
        """Keep a record, once, under the words of a key."""
        if _key(*words) not in self._ledger:
            self._ledger.add(_key(*words), record, arrays)


class Nothing:
    """In place of `Finished` where nothing is kept."""

    def networks(self, recipes, seeds):
        """None: no network is there."""

    def row(self, recipe, seed, wire_resistance):
        """None: no row is there."""

    def record(self, *words):
        """None: nothing is there."""

    def keep(self, words, record, **arrays):
        """Nothing is kept."""


def ledger_path(folder):
    """The ledger's file in a results folder."""
    return folder / _LEDGER


def file_name(name):
    """File name for a recipe: letters and digits joined by single underscores."""
    return "_".join("".join(letter if letter.isalnum() else " " for letter in name).split())


def _key(*words):
    return ", ".join(map(str, words))
