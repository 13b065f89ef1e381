"""The machine room behind `solve`: which solver takes which circuit, and their compiled kernels."""
