"""Profiles of hypothesis, how many examples of each law are tried; what is collected stays.

`ci` tries the same few at every run, for it is run often; `nightly` tries 5,000 new ones.
"""

import gc
import os

from hypothesis import HealthCheck, settings

_slow = [HealthCheck.too_slow, HealthCheck.filter_too_much]
settings.register_profile("dev", max_examples=50, deadline=None, suppress_health_check=_slow)
settings.register_profile(
    "ci", max_examples=25, derandomize=True, deadline=None, suppress_health_check=_slow
)
settings.register_profile("thousand", max_examples=1000, deadline=None, suppress_health_check=_slow)
settings.register_profile("nightly", max_examples=5000, deadline=None, suppress_health_check=_slow)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


def pytest_collection_finish():
    """Leave 18,000 tests, which stay, out of every search for garbage from now on."""
    gc.collect()
    gc.freeze()
