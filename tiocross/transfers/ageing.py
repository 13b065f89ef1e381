"""Time between programming and use: every chip's devices along courses of their own, the same at all times."""

import numpy as np

from tiocross.devices.retention import age, require_retention, time_words

AGED = 48  # bytes of a device while it ages: its normal numbers, and what they make of it
_OWN, _ANEW = 1_000_000, 2_000_000  # kinds of streams, with the number of the layer: far from those of writes


def require_ageing(device, mapping, after):
    """Raise ValueError unless time can pass for devices of this mapping."""
    require_retention(device, after)
    if after > 0 and not mapping.is_physical:
        raise ValueError(f"time passes for conductances, which {type(mapping).__name__} does not give; use after=0 or "
                         f"DifferentialPairs(); got after={after:g} s")


def age_layers(states, held, draws, numbers, device, after):
    """Conductances (n_chips, n_word_lines, n_bit_lines) of each layer a time ``after`` [s] they were ``states`` [S];
    devices that are ``held`` by a fault stay. ``draws`` are those of the chips, ``numbers`` a part that they can give."""
    return [_age_layer(layer, *parts, draws, numbers, device.retention, after)
            for layer, parts in enumerate(zip(states, held))]


def _age_layer(layer, states, held, draws, numbers, retention, after):
    own = draws.normals(numbers, (_OWN + layer,), states.shape[1:])
    anew = None
    if retention.fluctuations.any():
        anew = draws.normals(numbers, (_ANEW + layer, *time_words(after)), states.shape[1:])
    aged = np.empty_like(states)
    for chip in range(len(states)):
        aged[chip] = age(states[chip], retention, after, own[chip], None if anew is None else anew[chip], held[chip])
    return aged
