"""Where learning meets circuits: chips of a network, what they compute, how many points they get right."""
