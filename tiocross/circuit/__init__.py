"""Volts and amperes: the crossbar record, biasing, exact solution, transfer matrices and their adjoint.

Knows neither weights nor gradients of a loss. Solvers are behind the door `solvers`."""
