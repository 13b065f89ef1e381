"""A chip on the table, real or simulated.

`instrument` is the protocol that a chip has to answer; `simulated` answers it with the devices of `switching`.
`write_verify` says what to do after a reading, `tuning` does it for a device and `passes` for an array, `programming`
checks what it is asked for and `safety` switches outputs off at every end, `suspicion` and `floating` notice instruments
that cannot be right, `report` and `log` keep what happened, and `characterisation` measures what programming does to the
devices. `plans` says what to write where. `tables` and `resistance_maps` read and write measured files.
"""
