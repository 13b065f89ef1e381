"""The answer of a study in three sentences, from its rows: what is to be feared, what helps, what it costs."""

REGULAR, LINE = "regular", "straight line, robustly trained"


def answer_of(results):
    """Three sentences: what is to be feared, what helps, and what it costs."""
    wire = results.wires[0]
    first = REGULAR if REGULAR in results.names else results.names[0]
    rivals = [name for name in results.names if name != first]
    best = max(rivals or [first], key=lambda name: results.figure(name, wire, "robust_fraction_95").value)
    helps = _help(results, first, best, wire) if rivals else "There is no other row to compare it with."
    return [_fear(results, first, wire), helps, _cost(results, best, wire)]


def _fear(results, name, wire):
    nominal, robust = (results.figure(name, wire, column) for column in ("nominal_accuracy", "robust_fraction_95"))
    lost = nominal.value - robust.value
    how = "but only" if lost > 5 else "and"
    return (f"After training by the row “{name}”, {nominal} of the test points are right in software, {how} {robust} on at "
            "least 95 % of the simulated chips.")


def _help(results, first, best, wire):
    nominal, robust = (results.figure(best, wire, column) for column in ("nominal_accuracy", "robust_fraction_95"))
    base = results.figure(first, wire, "robust_fraction_95")
    apart = results.difference(best, first, wire, "robust_fraction_95")
    n_devices = results.of(best, wire)[0].get("n_devices")
    told = f"Most robust of the others is “{best}”" + (f" ({n_devices} devices)" if n_devices else "") + \
        f" with {robust}, at {nominal} in software; "
    if apart is not None:
        span = f"{apart.value:+.1f} points [{apart.low:+.1f}, {apart.high:+.1f}] against “{first}” over the seeds"
        chance = apart.low <= 0 <= apart.high
        return told + (f"{span} is no difference that can be told from chance." if chance else f"that is {span}.")
    gained = robust.value - base.value
    sure = ("the 95 % intervals do not overlap" if robust.low > base.high or robust.high < base.low else
            "but the 95 % intervals overlap, so this run cannot tell them apart")
    return told + f"that is {gained:+.1f} points against “{first}”, and {sure}."


def _cost(results, best, wire):
    """What the most robust row gives up in software, and whether it is more than a straight line."""
    nominals = {name: results.figure(name, wire, "nominal_accuracy").value for name in results.names}
    top = max(nominals, key=nominals.get)
    given = nominals[top] - nominals[best]
    price = f"In software it gives up {given:.1f} points against the most accurate row (“{top}”)" if given >= 0.05 else \
        "In software no row is more accurate"
    if best == LINE:
        return f"{price}, and it is a straight line: no curved boundary of this run holds better on these chips."
    if LINE in results.names:
        line, robust = (results.figure(name, wire, "robust_fraction_95") for name in (LINE, best))
        more = robust.value - line.value
        return (f"{price}; a straight line, the least that any training must beat, keeps {line} robust, {abs(more):.1f} "
                f"points {'less' if more > 0 else 'more'}, at {nominals[LINE]:.1f}\N{NO-BREAK SPACE}% in software.")
    return f"{price}; read both columns side by side, for robust and wrong is easy."
