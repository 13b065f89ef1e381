"""How simulated chips are programmed, how long ago that was, and what stands between their arrays."""

import hashlib
import json
from dataclasses import dataclass

from tiocross.checks import as_number
from tiocross.devices import files
from tiocross.devices.rewriting import Passes, as_passes
from tiocross.periphery import files as periphery_files
from tiocross.periphery.electronics import Periphery, require_periphery


@dataclass(frozen=True)
class Operation:
    """What `transfer` is told of programming and use, beside the device and the wires.

    ``fab`` programs pulse by pulse in place of the card, which else programs in ``passes``, a number or `Passes`. ``after``
    is the time since the last write [s]; ``periphery`` what drives and senses, None where it is ideal."""

    passes: Passes = Passes(1)
    after: float = 0.0
    periphery: Periphery | None = None
    fab: object | None = None

    def __post_init__(self):
        object.__setattr__(self, "passes", as_passes(self.passes))
        object.__setattr__(self, "after", as_number("after", self.after, low=0.0, unit="s"))
        require_periphery(self.periphery)


def fingerprint_of(device, operation):
    """Hexadecimal text that differs where the device, or how chips are programmed and used, differs."""
    periphery, passes = operation.periphery or Periphery(), operation.passes
    said = [files.to_json(device), passes.number, passes.tolerance if passes.number > 1 else None, operation.after,
            periphery_files.to_json(periphery), repr(operation.fab)]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]
