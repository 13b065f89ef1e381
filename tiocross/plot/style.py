"""What all figures share: colours, dashes, markers, and figures without pyplot.

Colours are those of Okabe and Ito, safe for colour-blind readers; neighbours differ in lightness, lines in dash as well.
"""

import contextlib
import warnings
from collections.abc import Iterator

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

COLOURS = ("#000000", "#E69F00", "#0072B2", "#56B4E9", "#D55E00", "#CC79A7", "#009E73", "#F0E442")
BLACK, BLUE, VERMILION = COLOURS[0], COLOURS[2], COLOURS[4]
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 3)), (0, (1, 3)), (0, (3, 1)))
# settings of programs rather than of drawings; of these the user's stay
_OF_PROGRAMS = ("backend", "date.", "docstring.", "interactive", "keymap.", "macosx.", "savefig.directory", "timezone",
                "tk.", "toolbar", "webagg.")


@contextlib.contextmanager
def house_style() -> Iterator[None]:
    """Draw and save alike for everybody: within the block, or the function that it decorates, the user's settings are not.

    A ``matplotlibrc`` or ``rcParams`` with LaTeX texts, other sizes or other colours neither stops nor changes figures that
    are made and saved within. Afterwards the user's settings are as they were.

    Examples
    --------
    >>> import tempfile
    >>> from tiocross import plot
    >>> with plot.house_style(), tempfile.TemporaryDirectory() as folder:
    ...     figure, axes = plot.new_figure()
    ...     figure.savefig(f"{folder}/empty.pdf")
    >>> axes[0, 0].get_title()
    ''
    """
    with matplotlib.rc_context():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", matplotlib.MatplotlibDeprecationWarning)  # of settings that are about to go
            matplotlib.rcParams.update({name: value for name, value in matplotlib.rcParamsDefault.items()
                                        if not name.startswith(_OF_PROGRAMS)})
        yield


def new_figure(n_rows: int = 1, n_columns: int = 1, *, width: float = 6.4, height: float = 4.8) -> tuple[Figure, np.ndarray]:
    """A figure with a grid of axes, outside pyplot.

    Parameters
    ----------
    n_rows, n_columns : int, optional
        Rows and columns of axes (unitless).
    width, height : float, optional
        Size of the figure [inch].

    Returns
    -------
    tuple
        Figure, and ``(n_rows, n_columns)`` ndarray of Axes.

    Examples
    --------
    >>> from tiocross import plot
    >>> figure, axes = plot.new_figure(2, 3)
    >>> axes.shape
    (2, 3)
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(n_rows, n_columns, squeeze=False)
