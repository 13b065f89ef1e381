"""From measured data to a device card with intervals."""
