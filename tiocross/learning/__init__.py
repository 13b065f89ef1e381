"""Networks and their training: arrays and gradients, never a circuit."""
