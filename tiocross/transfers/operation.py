"""How simulated chips are programmed, how long ago that was, and what stands between their arrays."""

from dataclasses import dataclass

from tiocross.checks import as_count, as_number
from tiocross.periphery.electronics import Periphery, require_periphery


@dataclass(frozen=True)
class Operation:
    """What `transfer` is told of programming and use, beside the device and the wires.

    ``fab`` programs pulse by pulse in place of the card, which else programs in so many ``passes``; ``after`` is the time
    since the last write [s]; ``periphery`` what drives and senses, None where it is ideal."""

    passes: int = 1
    after: float = 0.0
    periphery: Periphery | None = None
    fab: object | None = None

    def __post_init__(self):
        object.__setattr__(self, "passes", as_count("passes", self.passes))
        object.__setattr__(self, "after", as_number("after", self.after, low=0.0, unit="s"))
        require_periphery(self.periphery)
