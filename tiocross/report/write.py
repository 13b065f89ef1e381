"""The page of a results folder: which kind of folder it is, and the file."""

from pathlib import Path

from tiocross.checks import as_path
from tiocross.report import calibrations, effects, programs, studies
from tiocross.storage import read_json, require_writable_file, save_text

REPORT = "report.html"


def write_report(folder: str | Path) -> Path:
    """Write a page for people into a finished results folder.

    Parameters
    ----------
    folder : str or Path
        What ``tiocross experiment``, ``compare``, ``calibrate``, ``effects`` or ``program`` wrote.

    Returns
    -------
    Path
        The page, ``report.html`` in the folder. It appears whole or not at all, in place of an earlier one. It needs no
        network and no script.

    Raises
    ------
    ValueError
        If the folder holds no finished results, or they are damaged, or it cannot be written to; nothing is written.

    Examples
    --------
    >>> import tempfile
    >>> from tiocross import write_report
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_report(folder)
    Traceback (most recent call last):
    ValueError: ... holds no finished results of tiocross experiment, compare, calibrate or program
    """
    path, text = require_report(folder)
    save_text(path, text)
    return path


def require_report(folder):
    """Where the page of a results folder goes, and its text; ValueError if there is nothing to tell or no place for it."""
    folder = as_path("folder", folder)
    try:
        text = _make(folder)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"the results in {folder} are damaged, or of another version of tiocross: "
                         f"{type(error).__name__} {error}") from error
    require_writable_file(folder / REPORT)
    return folder / REPORT, text


def _make(folder):
    if (folder / "programming.json").exists():
        return programs.make_page(read_json(folder / "programming.json"), folder)
    if (folder / "calibration.json").exists():
        return calibrations.make_page(read_json(folder / "calibration.json"), folder)
    if (folder / "effects.json").exists():
        return effects.make_page(read_json(folder / "effects.json"), folder)
    if (folder / "run.json").exists():
        raise ValueError(f"the programming run in {folder} is not finished; go on with tiocross program and --resume")
    if not (folder / "summary.json").exists() or not (folder / "provenance.json").exists():
        raise ValueError(f"{folder} holds no finished results of tiocross experiment, compare, calibrate or program")
    summary, provenance = (read_json(folder / name) for name in ("summary.json", "provenance.json"))
    if not summary["rows"]:
        raise ValueError(f"the run in {folder} was stopped before its first row was finished: there is nothing to tell")
    return studies.make_page(summary["study"], summary, provenance, folder)
