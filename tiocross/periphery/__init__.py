"""What stands between arrays: converters, drivers, sensing, activation circuits; volts and amperes, never a weight."""
