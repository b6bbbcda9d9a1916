"""How hypothesis looks for examples in all tests of the server.

A run of the whole suite says something of the change it was started for: it tries the same examples each time, and takes no
offence at a machine that is busy with other things. `make proofs-long` (VEXFS_PROOFS=long) and whoever sets that for a folder
of tests look elsewhere each time; an example that fails is printed with what makes it again.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "vexfs",
    derandomize=os.environ.get("VEXFS_PROOFS") != "long",
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("vexfs")
