"""Units as plain floats: multiply to enter a value, divide to read one.

Everything in tiocross is in SI units, so ``150 * uS`` is 1.5e-4 siemens and ``g / uS`` is what people read.
"""

siemens = S = 1.0
mS = 1e-3
uS = 1e-6
nS = 1e-9

ohm = 1.0
kohm = 1e3
Mohm = 1e6

volt = V = 1.0
mV = 1e-3

ampere = A = 1.0
mA = 1e-3
uA = 1e-6
nA = 1e-9

watt = W = 1.0
mW = 1e-3
uW = 1e-6

second = 1.0
ms = 1e-3
us = 1e-6
ns = 1e-9

percent = 1e-2

_PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"), (1e-12, "p"), (1e-15, "f"), (1e-18, "a"))


def prefix_of(value):
    """Size and letter of the prefix with which people write a value of a unit: (1e-6, "u") for 5e-6; (1.0, "") from 1 on."""
    return next(((size, letter) for size, letter in _PREFIXES if abs(value) >= size), _PREFIXES[-1])
