"""``tiocross report``: the page of a results folder, made again from what stands in it."""

from tiocross.report.write import require_report, write_report


def prepare(arguments):
    """The page of the folder that the command line names, ready to be written."""
    require_report(arguments.folder)
    return lambda: print(f"the report is {write_report(arguments.folder)}")
