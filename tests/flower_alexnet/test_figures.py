"""What decides a figure: the crop, its pixels, normalization, temperature and threshold, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from flower_alexnet import LABELS, Config, FlowerClassifier, Preprocessing
from flower_alexnet.images import center_crop, crop_box, normalize, to_tensor


@pytest.mark.parametrize(
    ("size", "resize", "expected"),
    [
        ((400, 256), 256, (88, 16, 312, 240)),
        ((256, 400), 256, (16, 88, 240, 312)),
        ((512, 512), 256, (32, 32, 480, 480)),
        ((400, 256), 224, (72, 0, 328, 256)),
        ((400, 256), 448, (136, 64, 264, 192)),
    ],
)
def test_crop_is_the_central_square_of_the_photo(size: tuple[int, int], resize: int, expected: tuple[int, ...]) -> None:
    """The side is 224 / resize of the shorter side."""
    assert crop_box(size, Preprocessing(resize, 224)) == pytest.approx(expected)


def gradient(width: int, height: int) -> Image.Image:
    """Return an image whose red grows to the right and whose green grows downwards."""
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    pixels = np.stack([columns * 255 // (width - 1), rows * 255 // (height - 1), 0 * rows], 2)
    return Image.fromarray(pixels.astype(np.uint8))


def test_crop_shows_its_part_of_the_photo() -> None:
    red, green = center_crop(gradient(256, 256), Preprocessing(128, 64)).int()[:2]
    assert (red[:, 0].max(), red[:, -1].min()) == pytest.approx((64, 191), abs=2)  # the middle half
    assert (green[0].max(), green[-1].min()) == pytest.approx((64, 191), abs=2)


def test_pixels_are_weighed_over_the_area_that_they_replace() -> None:
    """Shrunk to a quarter with a triangle filter, a white pixel on black keeps its light: nearest would lose it."""
    pixels = np.zeros((252, 252, 3), dtype=np.uint8)
    pixels[126, 126] = 255
    crop = center_crop(Image.fromarray(pixels), Preprocessing(63, 63))[0].float()
    around = crop[30:33, 30:33]
    assert crop.sum() == around.sum()
    assert around.sum() == pytest.approx(255 / 16, abs=3)
    edge = np.zeros((252, 252, 3), dtype=np.uint8)
    edge[:, 126:] = 200
    row = center_crop(Image.fromarray(edge), Preprocessing(63, 63))[0, 31].int()
    assert (row.diff() >= 0).all()  # a cubic would overshoot
    assert row.max() == 200


def test_pixels_are_normalized_by_channel() -> None:
    preprocessing = Preprocessing(64, 64, mean=(0.1, 0.5, 0.9), std=(0.2, 0.5, 1.0))
    expected = torch.tensor([(0.2 - 0.1) / 0.2, (0.4 - 0.5) / 0.5, (0.6 - 0.9) / 1.0])
    pixels = torch.tensor([51, 102, 153], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 64, 64)
    assert torch.allclose(normalize(pixels, preprocessing)[0, :, 5, 7], expected, atol=1e-6)
    plain = to_tensor(Image.new("RGB", (80, 90), (51, 102, 153)), preprocessing)
    assert plain.shape == (3, 64, 64)
    assert torch.allclose(plain[:, 5, 7], expected, atol=1e-6)


class Colours(nn.Module):
    """A network whose features are the mean channels of a crop, and whose logits ten times red, green and zeros."""

    classifier = (lambda hidden: nn.functional.pad(10 * hidden[:, :2], (0, 3)),)

    def features(self, images: Tensor) -> Tensor:
        return images

    def forward_pre_logits(self, images: Tensor) -> Tensor:
        return images.mean((2, 3))


def classifier_of(config: Config, head: nn.Linear | None = None) -> FlowerClassifier:
    return FlowerClassifier(Colours(), config, head)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def unprepared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run networks unprepared, so that any module can stand in for one."""
    monkeypatch.setattr("flower_alexnet.classifier.prepare", lambda network, device: network)


def test_probabilities_are_those_of_the_logits_divided_by_the_temperature() -> None:
    config = Config(preprocessing=Preprocessing(64, 64), temperature=2.5)
    expected = torch.softmax(torch.tensor([10.0, 10 * (51 / 127.5 - 1), 0, 0, 0]) / 2.5, 0).tolist()
    answer = classifier_of(config)(Image.new("RGB", (128, 64), (255, 51, 0))).probabilities
    assert list(answer) == list(LABELS)
    assert list(answer.values()) == pytest.approx(expected, abs=1e-6)


def test_photo_at_the_threshold_is_in_distribution_and_one_below_is_not() -> None:
    head = nn.Linear(3, 1)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[1.0, 0.0, 0.0]]))
        head.bias.fill_(0.5)
    red = Image.new("RGB", (64, 64), (255, 0, 0))
    probability = 1 / (1 + np.exp(-1.5))
    for threshold, expected in ((probability - 1e-5, True), (probability + 1e-5, False)):
        prediction = classifier_of(Config(preprocessing=Preprocessing(64, 64), threshold=threshold), head)(red)
        assert prediction.in_distribution is expected
        assert prediction.in_distribution_probability == pytest.approx(probability, abs=1e-6)
