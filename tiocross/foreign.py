"""Files that people have but tiocross does not read, known by their first bytes, and what to do about them."""

_FOREIGN = {  # first bytes: what such a file is, and the cure
    b"\x89PNG": ("a picture", ""), b"%PDF": ("a PDF", ""), b"\xd0\xcf\x11\xe0": ("an old Excel workbook", "save it as CSV"),
    b"\x89HDF": ("an HDF5 or MATLAB file", "export it as CSV"), b"MATLAB": ("a MATLAB file", "export it as CSV"),
    b"\x93NUMPY": ("a NumPy array", "write it with write_conductance_csv"), b"\x1f\x8b": ("a gzip file", "unpack it"),
    b"\xff\xfe": ("text in UTF-16", "save it as 'CSV UTF-8'"), b"\xfe\xff": ("text in UTF-16", "save it as 'CSV UTF-8'"),
}
_DOCUMENTS = {b"xl/": "an Excel workbook", b"content.xml": "an OpenDocument file", b"word/": "a Word file"}


def foreign_kind(content):
    """What the bytes of a file are, and the cure; "" for what may be one of ours, or text."""
    if content.startswith(b"PK"):
        return next((f"{what}; save the sheet as CSV" for name, what in _DOCUMENTS.items() if name in content), "")
    found = next((words for sign, words in _FOREIGN.items() if content.startswith(sign)), ())
    return "; ".join(filter(None, found))
