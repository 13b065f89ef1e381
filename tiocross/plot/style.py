"""What all figures share: colours, dashes, markers, and figures without pyplot.

Colours are those of Okabe and Ito, safe for colour-blind readers; neighbours differ in lightness, lines in dash as well.
"""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

COLOURS = ("#000000", "#E69F00", "#0072B2", "#56B4E9", "#D55E00", "#CC79A7", "#009E73", "#F0E442")
BLACK, BLUE, VERMILION = COLOURS[0], COLOURS[2], COLOURS[4]
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 3)), (0, (1, 3)), (0, (3, 1)))


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
