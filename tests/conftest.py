"""Profiles of hypothesis: how many examples of each law are tried.

`ci` tries the same few at every run, for it is run often; `nightly` tries 5,000 new ones.
"""

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
