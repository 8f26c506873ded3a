"""How far a share that was measured on few photos may be from that of all photos."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist


def wilson_interval(right: int, number: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a share, both ends 0-1 (Wilson, 1927).

    Args:
        right: how many there were, 0 to number.
        number: of how many; at least 1.
        confidence: share of such intervals, 0-1, that hold the share of all photos.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, weight = right / number, z * z / number
    center = (share + weight / 2) / (1 + weight)
    half = z * sqrt(share * (1 - share) / number + weight / (4 * number)) / (1 + weight)
    return max(0.0, center - half), min(1.0, center + half)


def accuracy_interval(accuracy: float, photos: int) -> tuple[float, float]:
    """Return the 95 % interval, both ends 0-1, of an accuracy, 0-1, that was measured on a number of photos."""
    return wilson_interval(round(accuracy * photos), photos)
