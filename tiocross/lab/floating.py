"""What a reading with floating lines is off by: current through other devices counts as that of the one being read."""

import warnings

import numpy as np

from tiocross.units import percent


def floating_readings(conductances):
    """What each device (n_word_lines, n_bit_lines) [S] shows when it is read alone, the other lines floating, without wires.

    Ohmic devices: 1 / R between the ends of the device's two lines, from the pseudo-inverse of the Laplacian matrix."""
    m, n = conductances.shape
    laplacian = np.zeros((m + n, m + n))
    laplacian[:m, m:] = -conductances
    laplacian[m:, :m] = -conductances.T
    np.fill_diagonal(laplacian, -laplacian.sum(axis=1))
    inverse = np.linalg.pinv(laplacian, hermitian=True)
    own = np.diagonal(inverse)
    resistances = own[:m, None] + own[None, m:] - 2.0 * inverse[:m, m:]
    return np.where(conductances > 0, 1.0 / np.where(conductances > 0, resistances, 1.0), np.nan)


def warn_of_floating(instrument, targets, tolerance):
    """RuntimeWarning with the error of readings if the instrument says that it reads with floating lines."""
    if getattr(instrument, "read_scheme", None) != "floating":
        return
    known = np.nan_to_num(targets)  # others may be there too: the errors are the least that there will be
    errors = (floating_readings(known) / np.where(known > 0, known, np.nan) - 1.0)[known > 0]
    if errors.size and errors.max() > tolerance:
        warnings.warn(f"the instrument reads with floating lines: with every target met, readings are by "
                      f"{np.median(errors) / percent:.0f} % (median) to {errors.max() / percent:.0f} % too high, as current "
                      f"takes ways through other devices; the tolerance is {tolerance / percent:g} %. What is tuned then is "
                      "the reading, not the device. Read with the other lines at 0 V; a whole map read with floating lines "
                      "is put right by read_crossbar(..., unselected='floating')",
                      RuntimeWarning, stacklevel=3)
