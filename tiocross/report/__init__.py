"""One page for people from a finished results folder: ``report.html``, which needs no network and no script.

`write_report` tells what kind of folder it is and writes the page beside the results. Each kind has a module that says what
stands on its page; `page` has the parts of any page.
"""
