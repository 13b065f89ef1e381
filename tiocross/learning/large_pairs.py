"""Large networks on differential pairs as an operation of their own: one compiled pass each way, in single precision."""

import numpy as np

from tiocross.learning.pairs_kernel import pull_pairs, sample_pairs
from tiocross.learning.tensor import Tensor


def sample_large_pairs(weights, scale, writes, places, *, g_min):
    """What chips of these ``writes`` (1 or n_networks, n_chips, n_devices, 1) compute with, a Tensor (n_networks, n_chips,
    n_weights, 1). ``places`` are those of the weights on devices, which ``scale`` (n_networks, 1, n, 1) [S] is for, and of
    those that stay in software."""
    places, others = places
    held = (weights.value[:, 0, :, 0].astype(np.float32), getattr(scale, "value", scale)[:, 0, :, 0].astype(np.float32),
            places, np.float32(g_min))
    left, stuck = _in_pairs(writes)
    n_chips = writes.stuck.shape[1]
    sampled = np.empty((len(held[0]), n_chips, held[0].shape[1]), dtype=np.float32)
    sampled[..., others] = held[0][:, None, others]
    sample_pairs(*held, *left, sampled)

    def pull(slopes):
        slopes = np.ascontiguousarray(slopes[..., 0], dtype=np.float32)
        by_weight = np.empty(held[0].shape)
        by_scale = np.empty((len(by_weight), held[1].shape[1] if isinstance(scale, Tensor) else 0))
        pull_pairs(*held, *left, stuck, slopes, by_weight, by_scale)
        by_weight[:, others] = slopes[..., others].sum(axis=1)
        gradients = (by_weight[:, None, :, None], by_scale[:, None, :, None])
        return gradients if isinstance(scale, Tensor) else gradients[:1]

    return Tensor(sampled[..., None], (weights, scale) if isinstance(scale, Tensor) else (weights,), pull)


def _in_pairs(writes):
    """Constant, linear and quadratic, and stuck devices, (..., n_pairs, 2)."""
    shape = (*writes.stuck.shape[:2], -1, 2)
    parts = (writes.constant, writes.linear, writes.quadratic)
    return [np.ascontiguousarray(part, dtype=np.float32).reshape(shape) for part in parts], writes.stuck.reshape(shape)
