"""Circuits as netlists of SPICE programs, written and read."""
