"""A chip on the table, real or simulated: instruments, write-verify, plans, logs, measured tables."""
