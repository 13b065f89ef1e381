"""Weights and conductances: mappings, the layout on physical arrays, known faults, placement around them."""
