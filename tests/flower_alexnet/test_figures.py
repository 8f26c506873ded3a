"""What decides a figure: the crop, its pixels, normalization, views, temperature and threshold, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from flower_alexnet import LABELS, Config, FlowerClassifier, Preprocessing, View
from flower_alexnet.images import crop_box, crop_views, normalize, to_tensor


@pytest.mark.parametrize(
    ("size", "view", "expected"),
    [
        ((400, 256), View(), (88, 16, 312, 240)),
        ((256, 400), View(), (16, 88, 240, 312)),
        ((512, 512), View(), (32, 32, 480, 480)),
        ((400, 256), View(0.875), (72, 0, 328, 256)),
        ((400, 256), View(0.5), (72, 0, 328, 256)),  # no more than the shorter side
        ((400, 256), View(2), (144, 72, 256, 184)),
        ((400, 256), View(2, x=0, y=1), (0, 144, 112, 256)),
        ((400, 256), View(2, x=1, y=0), (288, 0, 400, 112)),
        ((400, 256), View(0.875, x=0.25, y=0.75), (36, 0, 292, 256)),
    ],
)
def test_view_is_a_square_of_the_photo(size: tuple[int, int], view: View, expected: tuple[int, ...]) -> None:
    """The side is 224 / 256 of the shorter side, divided by the zoom."""
    assert crop_box(size, Preprocessing(256, 224), view) == pytest.approx(expected)


def gradient(width: int, height: int) -> Image.Image:
    """Return an image whose red grows to the right and whose green grows downwards."""
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    pixels = np.stack([columns * 255 // (width - 1), rows * 255 // (height - 1), 0 * rows], 2)
    return Image.fromarray(pixels.astype(np.uint8))


def test_crop_shows_its_part_of_the_photo_upright_or_mirrored() -> None:
    views = (View(2, 0, 1), View(2, 0, 1, flip=True))
    crop, mirrored = crop_views(gradient(256, 256), Preprocessing(128, 64, views=views)).int()
    red, green = crop[:2]
    assert (red[:, 0].max(), red[:, -1].min()) == pytest.approx((0, 63), abs=2)  # the first quarter
    assert (green[0].max(), green[-1].min()) == pytest.approx((192, 255), abs=2)  # the last
    assert torch.equal(mirrored, crop.flip(2))


def test_pixels_are_weighed_over_the_area_that_they_replace() -> None:
    """Shrunk to a quarter with a triangle filter, a white pixel on black keeps its light: nearest would lose it."""
    pixels = np.zeros((252, 252, 3), dtype=np.uint8)
    pixels[126, 126] = 255
    crop = crop_views(Image.fromarray(pixels), Preprocessing(63, 63))[0, 0].float()
    around = crop[30:33, 30:33]
    assert crop.sum() == around.sum()
    assert around.sum() == pytest.approx(255 / 16, abs=3)
    edge = np.zeros((252, 252, 3), dtype=np.uint8)
    edge[:, 126:] = 200
    row = crop_views(Image.fromarray(edge), Preprocessing(63, 63))[0, 0, 31].int()
    assert (row.diff() >= 0).all()  # a cubic would overshoot
    assert row.max() == 200


def test_pixels_are_normalized_by_channel() -> None:
    preprocessing = Preprocessing(64, 64, mean=(0.1, 0.5, 0.9), std=(0.2, 0.5, 1.0))
    expected = torch.tensor([(0.2 - 0.1) / 0.2, (0.4 - 0.5) / 0.5, (0.6 - 0.9) / 1.0])
    pixels = torch.tensor([51, 102, 153], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 64, 64)
    assert torch.allclose(normalize(pixels, preprocessing)[0, :, 5, 7], expected, atol=1e-6)
    plain = to_tensor(Image.new("RGB", (80, 90), (51, 102, 153)), preprocessing)
    assert plain.shape == (1, 3, 64, 64)
    assert torch.allclose(plain[0, :, 5, 7], expected, atol=1e-6)


class Colours(nn.Module):
    """A network whose logits are ten times the mean red and green of a crop, and three zeros."""

    def features(self, images: Tensor) -> Tensor:
        return images

    def classify(self, images: Tensor) -> Tensor:
        return nn.functional.pad(10 * images.mean((2, 3))[:, :2], (0, 3))


def classifier_of(config: Config, feature_bank: Tensor | None = None) -> FlowerClassifier:
    return FlowerClassifier(Colours(), config, feature_bank)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def unprepared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run networks unprepared, so that any module can stand in for one."""
    monkeypatch.setattr("flower_alexnet.classifier.prepare", lambda network, device: network)


def test_probabilities_are_those_of_the_mean_logits_divided_by_the_temperature() -> None:
    """Left of the photo is red, right is green; the mean of the probabilities would be another answer."""
    photo = Image.new("RGB", (128, 64), (255, 0, 0))
    photo.paste((0, 200, 0), (64, 0, 128, 64))
    views = (View(x=0), View(x=0), View(x=1))
    config = Config(preprocessing=Preprocessing(64, 64, views=views), temperature=2.5)
    logits = torch.tensor([[10.0, -10, 0, 0, 0], [10.0, -10, 0, 0, 0], [-10.0, 10 * (200 / 127.5 - 1), 0, 0, 0]])
    expected = torch.softmax(logits.mean(0) / 2.5, 0).tolist()
    answer = classifier_of(config)(photo).probabilities
    assert list(answer) == list(LABELS)
    assert list(answer.values()) == pytest.approx(expected, abs=1e-6)
    assert torch.softmax(logits / 2.5, 1).mean(0).tolist() != pytest.approx(expected, abs=0.05)


def test_photo_at_the_threshold_is_in_distribution_and_one_below_is_not() -> None:
    bank = nn.functional.one_hot(torch.tensor([0] * 10 + [1] * 10), 3).float()  # red and green, ten of each
    for colour, cosine in (((255, 127, 127), 1.0), ((255, 255, 127), 0.5**0.5), ((127, 127, 255), 0.0)):
        for threshold, expected in ((cosine - 0.01, True), (cosine + 0.01, False)):
            config = Config(preprocessing=Preprocessing(64, 64), threshold=threshold)
            photo = Image.new("RGB", (64, 64), colour)
            assert classifier_of(config, bank)(photo).in_distribution is expected
    nearest_only = torch.cat([bank[:9], bank[10:]])  # nine of red: the tenth nearest is a green one
    config = Config(preprocessing=Preprocessing(64, 64), threshold=0.5)
    assert not classifier_of(config, nearest_only)(Image.new("RGB", (64, 64), (255, 127, 127))).in_distribution
