"""A chip on the table, real or simulated.

`instrument` is the protocol that a chip has to answer; `simulated` answers it with the devices of `switching`.
`write_verify` says what to do after a reading, `programming` does it for a device or an array, `report` and `log` keep
what happened, and `characterisation` measures what programming does to the devices. `plans` says what to write where.
`tables` and `resistance_maps` read and write measured files.
"""
