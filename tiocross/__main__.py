"""``python -m tiocross``."""

from tiocross.cli import run_and_exit

if __name__ == "__main__":
    run_and_exit()
