"""What stands between arrays: converters, drivers, sensing, activation circuits. It knows volts and amperes, never a weight."""
