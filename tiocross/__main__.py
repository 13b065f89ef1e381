"""The command ``tiocross``, also as ``python -m tiocross``."""

import os


def run():
    """Run the command line and end the process."""
    # Work is shared out by chip and by network; threads of the linear algebra on top would only get in its way. They are
    # fixed when NumPy is first loaded, so this comes before everything else, and only here: a library must not do it.
    for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    # The command and its processes draw to files, alike for everybody: neither a notebook's backend, which they may lack,
    # nor the user's settings of matplotlib can stop or change a figure.
    os.environ.update(MPLBACKEND="agg", MATPLOTLIBRC=os.devnull)
    try:
        from tiocross.commands.main import run_and_exit
    except KeyboardInterrupt:  # while NumPy is loading
        os.write(2, b"\ninterrupted\n")
        os._exit(130)
    run_and_exit()


if __name__ == "__main__":
    run()
