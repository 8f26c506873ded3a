"""The images of no flower are the same each time, and differ from each other."""

from __future__ import annotations

from train import drawn


def test_images_are_the_same_each_time_and_no_two_are_alike() -> None:
    once, again = (list(drawn.images()) for _ in range(2))
    assert [kind for kind, _ in once].count("photo") == 50
    assert {image.mode for _, image in once} == {"RGB"}
    contents = [image.tobytes() for _, image in once]
    assert contents == [image.tobytes() for _, image in again]
    assert len(set(contents)) == len(once) == 13 * drawn.DRAWN_OF_EACH_KIND + 50
