"""Pictures of no flower are the same each time, and different from each other."""

from __future__ import annotations

from train import not_flowers


def test_the_same_pictures_each_time_and_no_two_alike() -> None:
    once, again = (list(not_flowers.pictures()) for _ in range(2))
    assert [kind for kind, _ in once].count("photo") == 50
    assert {picture.mode for _, picture in once} == {"RGB"}
    contents = [picture.tobytes() for _, picture in once]
    assert contents == [picture.tobytes() for _, picture in again]
    assert len(set(contents)) == len(once) == 13 * not_flowers.DRAWN_OF_EACH_KIND + 50
