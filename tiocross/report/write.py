"""The page of a results folder: which kind of folder it is, and the file."""

from pathlib import Path

from tiocross.report import programs, studies
from tiocross.storage import read_json, save_text

REPORT = "report.html"
PROGRAMMING = "programming.json"  # in the folder of a finished programming run


def write_report(folder: str | Path) -> Path:
    """Write a page for people into a finished results folder.

    Parameters
    ----------
    folder : str or Path
        What ``tiocross experiment`` or ``tiocross compare`` wrote.

    Returns
    -------
    Path
        The page, ``report.html`` in the folder; it appears whole or not at all, and an earlier one is replaced.

    Raises
    ------
    ValueError
        If the folder holds no finished results, or they are damaged; nothing is written.
    """
    folder = Path(folder)
    path = folder / REPORT
    save_text(path, make_report(folder))
    return path


def make_report(folder):
    """Text of the page of a results folder."""
    if (folder / PROGRAMMING).exists():
        return programs.make_page(read_json(folder / PROGRAMMING), folder)
    summary, provenance = (read_json(folder / name) for name in ("summary.json", "provenance.json"))
    kind = summary.get("study") or ("compare" if "compare" in provenance.get("arguments", [])[:1] else "experiment")
    return studies.make_page(kind, summary, provenance, folder)
