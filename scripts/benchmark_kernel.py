"""Loops that show what a core can do: numbers read, written, both as a sweep does, and operations without memory.

| symbol | shape | meaning | unit |
|---|---|---|---|
| a .. d | (n,) | numbers gone through, ``n_times`` times | 1 |
| x | scalar | something that the compiler cannot know | 1 |

Every repetition needs a result of the one before, so that none can be left out.
"""

import numba

_kernel = numba.njit(nogil=True, error_model="numpy")
_fused = numba.njit(nogil=True, error_model="numpy", fastmath={"contract"})


@_kernel
def read(a, b, c, d, n_times):
    """Four arrays of whole numbers combined, in any order: eight bytes read a number."""
    total = 0
    for _ in range(n_times):
        for i in range(a.size):
            total ^= a[i] ^ b[i] ^ c[i] ^ d[i]
        a[0] = total
    return total


@_kernel
def write(a, x, n_times):
    """One array filled."""
    for _ in range(n_times):
        x += 1.0
        for i in range(a.size):
            a[i] = x


@_kernel
def mix(a, b, c, d, n_times):
    """Three arrays read and one written, then the same with b and d in each other's place."""
    for _ in range(n_times):
        for i in range(a.size):
            d[i] = a[i] * b[i] + c[i]
        for i in range(a.size):
            b[i] = a[i] * d[i] + c[i]


def _operate(a, x, n_times):
    """64 multiplications and 64 additions for each number, in eight chains."""
    for _ in range(n_times):
        for i in range(a.size):
            y = a[i]
            p, q, r, s, t, u, v, w = y, y + x, y - x, y * x, 2.0 + y, 3.0 + y, 4.0 + y, 5.0 + y
            for _ in range(8):
                p, q, r, s = p * x + y, q * x + y, r * x + y, s * x + y
                t, u, v, w = t * x + y, u * x + y, v * x + y, w * x + y
            a[i] = ((p + q) + (r + s)) + ((t + u) + (v + w))


operate, operate_fused = _kernel(_operate), _fused(_operate)


@_kernel
def divide(a, x, n_times):
    """Four divisions for each number."""
    for _ in range(n_times):
        for i in range(a.size):
            p = x / a[i]
            q = x / (a[i] + 1.0)
            a[i] = (p / (q + 2.0)) / (p + 3.0)
