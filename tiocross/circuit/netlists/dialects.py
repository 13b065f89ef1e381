"""What the SPICE programs write differently. A further program is one line in `DIALECTS`.

Many inputs are a DC sweep of one source, ``Vindex``, over their numbers; each source that changes looks its voltage up in a
table. Only ngspice was run; for LTspice its help was followed, the text for Xyce is unchecked.
"""

from dataclasses import dataclass

from tiocross.checks import require_name

_SPICE = ".options reltol=1e-12 vntol=1e-15 abstol=1e-18 itl1=1000"
_PAIRS_A_LINE = 4


@dataclass(frozen=True)
class Dialect:
    """How a program wants its formulas and analyses.

    ``table`` is its function through points, ``choice`` its way to choose between two formulas, ``formula`` stands around
    every formula, ``options`` ask for double precision; ``prints`` is whether it shows nothing that is not asked for."""

    name: str
    table: str
    choice: str
    formula: str
    options: str
    prints: bool = False

    def of(self, text):
        """A formula as the program takes it."""
        return self.formula.format(text)

    def choose(self, condition, yes, no):
        """Formula that is ``yes`` where the condition holds, else ``no``."""
        return self.choice.format(condition, yes, no)

    def through(self, x, points):
        """Formula of the straight lines through points, pairs of numbers, over many lines."""
        pairs = [f"{a!r},{b!r}" for a, b in points]
        rows = (", ".join(pairs[k : k + _PAIRS_A_LINE]) for k in range(0, len(pairs), _PAIRS_A_LINE))
        return f"{self.table}({x},\n+ " + ",\n+ ".join(rows) + ")"

    def source(self, name, node, volts, index="v(index)"):
        """Lines of a source V``name`` of a node: of one voltage, or of one for each input, which a table holds [V]."""
        if len(set(volts)) == 1:
            return f"V{name} {node} 0 {volts[0]!r}\n"
        table = self.of(self.through(index, list(enumerate(volts))))
        return f"Bdrive_{name} drive_{name} 0 v={table}\nV{name} {node} drive_{name} 0.0\n"

    def ending(self, n_inputs, shown):
        """Lines of the analysis, of one circuit where ``n_inputs`` is None; ``shown`` is what to print."""
        lines = [self.options, ".op" if n_inputs is None and not self.prints else f".dc Vindex 0 {(n_inputs or 1) - 1} 1"]
        if n_inputs is not None or self.prints:
            lines.insert(0, "Vindex index 0 0.0")
        if self.prints:
            lines.append(f".print dc precision=16 v(index) {' '.join(shown)}")
        return "\n".join([*lines, ".end\n"])


DIALECTS = {each.name: each for each in (
    Dialect("ngspice", "pwl", "(({0})?({1}):({2}))", "{}", _SPICE + " itl2=1000"),
    Dialect("xyce", "table", "if({0},{1},{2})", "{{{}}}", ".options nonlin reltol=1e-12 abstol=1e-15 maxstep=1000", True),
    Dialect("ltspice", "table", "if({0},{1},{2})", "{}", _SPICE + " itl2=1000 numdgt=15 plotwinsize=0"),
)}


def as_dialect(name):
    """The `Dialect` of this name; ValueError with the nearest name where there is none."""
    require_name("dialect", name, DIALECTS)
    return DIALECTS[name]
