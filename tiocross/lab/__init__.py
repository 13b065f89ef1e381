"""A chip on the table, real or simulated: the instrument protocol, programming, files."""
