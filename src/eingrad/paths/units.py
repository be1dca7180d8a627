"""Numbers with units, as people write and read them.

>>> seconds_text(0.00123), bytes_text(3 << 30), count_text(1234567), bytes_of("512MiB")
('1.23 ms', '3 GiB', '1,234,567', 536870912)
"""

import math

from eingrad._memory import bytes_of

__all__ = ["bytes_of", "bytes_text", "count_text", "ratio_text", "seconds_text"]

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_LONG = 10**9  # above that, counts are written as powers of ten
_HUGE = 10**300  # above that they are no float


def seconds_text(seconds: float | None) -> str:
    """Write a time with three digits."""
    if seconds is None:
        return "-"
    for unit, scale in (("us", 1e-6), ("ms", 1e-3), ("s", 1.0)):
        if seconds < 999.5 * scale:
            return f"{_digits(seconds / scale)} {unit}"
    hours = seconds / 3600
    return f"{_digits(hours * 60)} min" if hours < 2 else f"{_digits(hours)} h"  # noqa: PLR2004


def bytes_text(count: int | None) -> str:
    """Write an amount of memory with three digits."""
    if count is None:
        return "-"
    if count >= 1024 ** len(_UNITS):
        return f"{count_text(count)} B"
    size, units = float(count), iter(_UNITS)
    unit = next(units)
    while size >= 999.5:  # noqa: PLR2004 - what is written with three digits
        size, unit = size / 1024, next(units, unit)
    return f"{_digits(size)} {unit}"


def count_text(count: int | None) -> str:
    """Write a count: whole, or in powers of ten where it is huge."""
    if count is None:
        return "-"
    if count < _LONG:
        return f"{count:,}"
    return f"{count:.2e}" if count < _HUGE else f"1e{int(math.log10(count))}"


def ratio_text(value: float | None, least: float | None) -> str:
    """Write a ratio with three digits; "-" where it is none."""
    if value is None or least is None:
        return "-"
    if not least:
        return "-" if value else "1.00"
    if max(value, least) > _HUGE:
        return f"1e{int(math.log10(value) - math.log10(least))}"
    ratio = value / least
    digits = 2 - min(2, len(f"{ratio:.0f}") - 1)
    return f"{ratio:.{digits}f}" if ratio < 1e4 else f"{ratio:.1e}"  # noqa: PLR2004 - five digits


def _digits(value: float) -> str:
    text = f"{value:.3g}"
    return f"{value:.2e}" if value >= 1e6 else f"{value:.0f}" if "e" in text else text  # noqa: PLR2004
