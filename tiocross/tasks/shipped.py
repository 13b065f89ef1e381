"""Four small public data sets that tiocross ships: iris, wine, breast cancer, digits of 8 x 8 pixels."""

import gzip

from tiocross.checks import require_name
from tiocross.sheets import sheet_of_text
from tiocross.tasks.dataset import Task
from tiocross.tasks.files import shipped_folder
from tiocross.tasks.tables import points_of_sheet

SHIPPED = ("iris", "wine", "breast cancer", "digits")
SPLIT_SEED = 2_026  # of all four


def load(name: str) -> Task:
    """A public data set that tiocross ships, split once and for all.

    Parameters
    ----------
    name : str
        "iris" (150 flowers, 4 features, 3 species), "wine" (178 wines, 13, 3 cultivars), "breast cancer" (569 tumours, 30,
        malignant or benign) or "digits" (1 797 handwritten digits, 64 pixels, 10).

    Returns
    -------
    Task
        60 % of each class to train with, 20 % to validate and 20 % to judge by, split with seed 2026, as `Task.from_arrays`
        does it.

    Raises
    ------
    ValueError
        If the name is unknown.

    References
    ----------
    UCI Machine Learning Repository: doi 10.24432/C56C76, C5PC7J, C5DW2B and C50P49, CC BY 4.0; see ``data/README.md``.

    Examples
    --------
    >>> from tiocross import tasks
    >>> task = tasks.load("iris")
    >>> task.class_names, len(task.train), len(task.test)
    (('setosa', 'versicolor', 'virginica'), 90, 30)
    """
    require_name("data set", name, SHIPPED)
    path = shipped_folder() / f"{name.replace(' ', '_')}.csv.gz"
    sheet = sheet_of_text(path, gzip.decompress(path.read_bytes()).decode("utf-8"))
    values, labels, names = points_of_sheet(sheet)
    return Task.from_arrays(values, labels, seed=SPLIT_SEED, source=sheet.comments[0][1].removeprefix("#").strip(),
                            feature_names=names)
