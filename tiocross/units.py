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
