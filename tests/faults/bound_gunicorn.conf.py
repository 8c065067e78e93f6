"""The project's own gunicorn configuration, bound by the permissions of files even as root."""

import ctypes
import sys
from pathlib import Path

VERSION_3, DAC_OVERRIDE, DAC_READ_SEARCH = 0x20080522, 1, 2

# For this process and its children: man 2 capset.
if sys.platform == "linux":
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; and the same for the upper 32
    assert libc.capget(header, sets) == 0
    sets[0] &= ~(1 << DAC_OVERRIDE | 1 << DAC_READ_SEARCH)
    assert libc.capset(header, sets) == 0

exec(Path("gunicorn.conf.py").read_text())
