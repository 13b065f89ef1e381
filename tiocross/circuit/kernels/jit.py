"""The jit options of every kernel."""

import numba

# nogil: a lab program's other threads go on. error_model: no branch before each division, which would stop
# vectorisation; no kernel divides by zero (conductances are >= 0, the ladders' pivots are >= 1).
OPTIONS = {"nogil": True, "error_model": "numpy"}


def kernel(function):
    """Compile ``function`` on first call, cached between processes where a place to cache can be written."""
    try:
        return numba.njit(cache=True, **OPTIONS)(function)
    except RuntimeError:  # no writable place for the cache: compile anew in every process
        return numba.njit(**OPTIONS)(function)
