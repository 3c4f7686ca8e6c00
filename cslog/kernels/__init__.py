"""The loops that cannot be written as table operations: numba over flat, sorted arrays.

Kernels know numpy and numba only. Signatures are fixed, so that a kernel is compiled once (at set-up, by
`cslog warm`) and then loaded from the cache, whether an array is writable or not.
"""

from __future__ import annotations

from cslog import numba_cache

numba_cache.use()
