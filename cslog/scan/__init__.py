"""The loops over what is read, below readers, identities and the store: numba over bytes and keys, without the
interpreter's lock, so that files are read side by side. Signatures are fixed as in cslog.kernels; `cslog warm`
compiles them.
"""

from __future__ import annotations

from cslog import numba_cache

numba_cache.use()
