"""Profiles of hypothesis; warnings that a derivative may give at special points."""

import os

from hypothesis import HealthCheck, settings

_slow = [HealthCheck.too_slow, HealthCheck.filter_too_much]
settings.register_profile("dev", max_examples=50, deadline=None, suppress_health_check=_slow)
settings.register_profile(
    "ci", max_examples=60, derandomize=True, deadline=None, suppress_health_check=_slow
)
settings.register_profile("thousand", max_examples=1000, deadline=None, suppress_health_check=_slow)
settings.register_profile("nightly", max_examples=5000, deadline=None, suppress_health_check=_slow)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))
