"""How simulated chips are programmed, how long ago that was, and what stands between their arrays."""

import hashlib
import json
from dataclasses import dataclass

from tiocross.checks import as_number
from tiocross.devices import files
from tiocross.devices.rewriting import TOLERANCE, Passes
from tiocross.periphery import files as periphery_files
from tiocross.periphery.electronics import Periphery, require_periphery


@dataclass(frozen=True)
class Operation:
    """What `transfer` is told of programming and use, beside the device and the wires.

    ``fab`` programs pulse by pulse in place of the card, which else programs in so many ``passes``, from the second one on
    what is outside the ``tolerance``; ``passes`` may be a `Passes`, which has both. ``after`` is the time
    since the last write [s]; ``periphery`` what drives and senses, None where it is ideal."""

    passes: int = 1
    after: float = 0.0
    periphery: Periphery | None = None
    fab: object | None = None
    tolerance: float = TOLERANCE

    def __post_init__(self):
        passes = self.passes if isinstance(self.passes, Passes) else Passes(self.passes, self.tolerance)
        object.__setattr__(self, "passes", passes.number)
        object.__setattr__(self, "tolerance", passes.tolerance)
        object.__setattr__(self, "after", as_number("after", self.after, low=0.0, unit="s"))
        require_periphery(self.periphery)


def fingerprint_of(device, operation):
    """Hexadecimal text that differs where the device, or how chips are programmed and used, differs."""
    periphery = operation.periphery or Periphery()
    said = [files.to_json(device), operation.passes, operation.tolerance if operation.passes > 1 else None, operation.after,
            periphery_files.to_json(periphery), repr(operation.fab)]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]
