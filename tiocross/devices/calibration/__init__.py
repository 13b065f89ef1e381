"""From measured data to a device card with intervals.

`card` puts the fits together: `tuning` (conductances wanted and reached), `disturb` (changes after later writes) and
`faults` (maps of devices that do not answer). `fit` is the record that each of them gives.
"""
