"""One kind of memristive cell.

`device` holds the records: the tuning window and what a write leaves behind, with a unit for every field. `writes` draws
chips from them, `tio2` is the published card with its sources, `files` reads and writes cards as JSON, and `calibration`
makes cards from measured data.
"""
