"""The random transforms of ``augment.py`` for whole batches at once, on an accelerator on which the photos wait.

Sixteen cores that transform one image after the other feed a GPU a hundredth of what it could train on. Here each
transform is a handful of operations for a whole batch. The recipe means the same as on a CPU, with three differences:
random numbers are other ones, numbers are rounded once at the end and not after each transform, and the share of images
that would become WebP files becomes JPEG files with halved color resolution.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from copy import copy
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2 import functional as transforms

from train.augment import (
    BACKGROUND_SCALE,
    COARSEST,
    HALVED,
    JPEG,
    NOISE,
    PASTED_SCALE,
    QUALITIES,
    RESCALED,
    SCALES,
    SQUARE_SCALE,
    WEBP,
    size_in,
)
from train.recipes import Recipe

RATIO = 3 / 4, 4 / 3
"""Least and greatest width of a random crop as a multiple of its height."""

ERASED, ERASED_RATIO = (0.02, 0.33), (0.3, 3.3)
"""Share of an image that is erased, and the width as a multiple of the height, at least and at most."""

ATTEMPTS = 10
"""Random crops of which the first that lies within the photo is taken."""

FILTERS = 3
"""Number of filters for resizing: bilinear, bicubic and Lanczos."""

STRENGTHS = 30
"""Greatest of the whole numbers that are the strengths of a transform of TrivialAugment."""

GRAY = torch.tensor([0.2989, 0.587, 0.114])
"""Weights of red, green and blue in a gray value, as torchvision has them."""

SHARPNESS = torch.tensor([[1.0, 1.0, 1.0], [1.0, 5.0, 1.0], [1.0, 1.0, 1.0]]) / 13
"""Kernel of the smoothed image from which a sharper one is made, as torchvision has it."""

TO_YCBCR = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
"""Matrix from red, green and blue to brightness and two color differences, of JFIF 1.02."""

LUMINANCE = [
    [16, 11, 10, 16, 24, 40, 51, 61],
    [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77],
    [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101],
    [72, 92, 95, 98, 112, 100, 103, 99],
]
CHROMINANCE = [
    [17, 18, 24, 47, 99, 99, 99, 99],
    [18, 21, 26, 66, 99, 99, 99, 99],
    [24, 26, 56, 99, 99, 99, 99, 99],
    [47, 66, 99, 99, 99, 99, 99, 99],
    *[[99] * 8] * 4,
]
"""Quantization of an 8 x 8 block's frequencies at JPEG quality 50, of the standard (ITU-T T.81, tables K.1 and K.2)."""

BLOCK = 16
"""Pixels that a picture's side is filled up to a multiple of: a block of colors at half resolution."""


class BatchesOnDevice:
    """Batches of augmented photos, which lie decoded in the memory of a device.

    Args:
        photos: dataset of uint8 (3, H, W) and class index; all of them are copied to the device.
        recipe: its transforms and random seed.
        batch_size: photos in a batch, over all processes.
        device: of the photos and the batches.
        weights: how often each photo is drawn in comparison with the others, (N,); None shows all before one is
            shown again, in random order.
        batches: in an epoch; None for as many as are full.
        process, processes: number of this process and how many there are: each yields an equal part of every batch.
    """

    def __init__(
        self,
        photos: Any,
        recipe: Recipe,
        batch_size: int,
        device: torch.device,
        *,
        weights: Tensor | None = None,
        batches: int | None = None,
        process: int = 0,
        processes: int = 1,
    ) -> None:
        self.recipe, self.batch_size, self.device, self.weights = recipe, batch_size, device, weights
        self.batches = batches or len(photos) // batch_size
        self.process, self.processes = process, processes
        self.squares = False  # whether they show small parts of the photos
        pixels, places, targets, end = [], [], [], 0
        for index in range(len(photos)):
            photo, target = photos[index]
            pixels.append(photo.permute(1, 2, 0).reshape(-1, 3))
            places.append([end, *photo.shape[1:]])
            targets.append(target)
            end += len(pixels[-1])
        self.pixels = torch.cat(pixels).to(device)  # of all photos, row by row, (pixels, 3)
        self.starts, self.heights, self.widths = torch.tensor(places).T
        self.targets = torch.tensor(targets)
        self.set_epoch(0)

    def squares_of(self, number: int) -> BatchesOnDevice:
        """Return as many batches of that many small parts of the photos, of which no second copy is made."""
        squares = copy(self)
        squares.batch_size, squares.squares = number, True
        return squares

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, and with it the image size."""
        self.epoch, self.size = epoch, size_in(self.recipe, epoch)

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images, uint8 (N, 3, S, S) in channels-last memory format, and targets, int64 (N,), on the device."""
        seed = hash((self.recipe.seed, self.epoch, len(self.targets), self.squares)) % 2**62
        order, random = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(seed + 1 + self.process)
        number = self.batches * self.batch_size
        if self.weights is None:
            rounds = math.ceil(number / len(self.targets))
            drawn = torch.cat([torch.randperm(len(self.targets), generator=order) for _ in range(rounds)])[:number]
        else:
            drawn = torch.multinomial(self.weights, number, replacement=True, generator=order)
        for batch in drawn.view(self.batches, self.batch_size):
            chosen = batch.tensor_split(self.processes)[self.process]
            images = self.augmented(chosen, random).round_().clamp_(0, 255).to(torch.uint8)
            yield images.contiguous(memory_format=torch.channels_last), _on(self.device, self.targets[chosen])

    def augmented(self, chosen: Tensor, random: torch.Generator) -> Tensor:
        """Return images, float32 (N, 3, S, S) of about 0-255, of the photos with these indices, (N,)."""
        recipe, heights, widths = self.recipe, self.heights[chosen], self.widths[chosen]
        if self.squares:
            boxes = _boxes(heights, widths, SQUARE_SCALE, RATIO, random)
        elif recipe.crop_scale is None:
            boxes = _crops_at_one_scale(heights, widths, recipe.size / recipe.resize, random)
        else:
            boxes = _boxes(heights, widths, (recipe.crop_scale, 1), RATIO, random)
        flipped = torch.rand(len(chosen), generator=random) < recipe.flip_prob
        images = self._cropped(chosen, boxes, flipped)
        if recipe.trivial_augment:
            trivial_augment(images, random)
        for probability, change in (
            (recipe.grayscale_prob, _grayscale),
            (recipe.blur_prob, _low_resolution),
            (recipe.noise_prob, _noise),
            (recipe.erase_prob, _erased),
            (recipe.zoom_out_prob, self._zoomed_out),
            (recipe.compress_prob, compressed),  # last, as a photo is
        ):
            some = (torch.rand(len(chosen), generator=random) < probability).nonzero().squeeze(1)
            if len(some):
                places = _on(self.device, some)
                images[places] = change(images[places], random)
        return images

    def _cropped(self, chosen: Tensor, boxes: Tensor, flipped: Tensor | None = None) -> Tensor:
        """Return crops, resized to float32 (N, 3, S, S): boxes are top, left, height and width, (N, 4)."""
        top, left, height, width = boxes.T
        first = boxes[:, :2].floor().long()
        rows, columns = ((boxes[:, :2] + boxes[:, 2:]).ceil().long() - first).amax(0).tolist()
        starts = _on(self.device, self.starts[chosen] + first[:, 0] * self.widths[chosen] + first[:, 1])
        row, column = torch.arange(rows, device=self.device), torch.arange(columns, device=self.device)
        index = starts[:, None, None] + row[:, None] * _on(self.device, self.widths[chosen])[:, None, None] + column
        # Of crops that are smaller than the largest, whatever lies beyond them is read, with no weight.
        canvas = self.pixels[index.clamp_(max=len(self.pixels) - 1)].permute(0, 3, 1, 2)
        vertical = resizing(top - first[:, 0], height, rows, self.size, device=self.device)
        horizontal = resizing(left - first[:, 1], width, columns, self.size, device=self.device)
        if flipped is not None:
            horizontal = torch.where(_on(self.device, flipped)[:, None, None], horizontal.flip(1), horizontal)
        return _resampled(canvas, vertical, horizontal)

    def _zoomed_out(self, images: Tensor, random: torch.Generator) -> Tensor:
        """Paste each image, shrunk, at a random position onto a crop of another photo."""
        count, size = len(images), images.shape[-1]
        others = torch.randint(len(self.targets), (count,), generator=random)
        boxes = _boxes(self.heights[others], self.widths[others], BACKGROUND_SCALE, RATIO, random)
        background = self._cropped(others, boxes)
        sides = (size * _uniform(count, PASTED_SCALE, random)).round()
        lines = resizing(torch.zeros(count), torch.full((count,), size), size, size, device=images.device, sizes=sides)
        moved = []
        for _ in range(2):
            begin = (torch.rand(count, generator=random) * (size - sides + 1)).floor().long()
            place = torch.arange(size) - begin[:, None]
            within = (place >= 0) & (place < sides[:, None])
            rows = lines.gather(1, _on(images.device, place.clamp(min=0))[:, :, None].expand(-1, -1, size))
            moved.append((rows, _on(images.device, within)))
        (vertical, high), (horizontal, wide) = moved
        inside = high[:, None, :, None] & wide[:, None, None, :]
        return torch.where(inside, _resampled(images, vertical, horizontal), background)


def resizing(
    start: Tensor,
    length: Tensor,
    before: int,
    after: int,
    *,
    device: torch.device,
    sizes: Tensor | None = None,
    filters: Tensor | None = None,
) -> Tensor:
    """Return matrices (N, after, before) that resize a part of a line of pixels, with antialiasing, as Pillow does.

    Args:
        start, length: of the part, in pixels, (N,).
        before: pixels of a line.
        after: pixels of a resized line.
        device: of the matrices.
        sizes: pixels that the part is resized to, (N,), at most ``after``; the last of them is repeated. None for
            ``after``.
        filters: 0 for bilinear, 1 for bicubic, 2 for Lanczos, (N,); None for bilinear.
    """
    sizes = torch.full_like(start, after) if sizes is None else sizes
    filters_of = torch.zeros_like(start) if filters is None else filters
    numbers = _on(device, torch.stack([number.float() for number in (start, length, sizes, filters_of)]))
    start, length, sizes, filters_of = numbers[:, :, None, None]
    scale = length / sizes
    pixel = torch.minimum(torch.arange(after, device=device)[:, None], sizes - 1)
    middle = torch.arange(before, device=device) + 0.5
    # A line that becomes longer is not smoothed.
    distance = ((middle - start - (pixel + 0.5) * scale) / scale.clamp(min=1)).abs()
    weights = 1 - distance.clamp(max=1)
    if filters is not None:
        cubic = torch.where(
            distance < 1,
            (1.5 * distance - 2.5) * distance.square() + 1,
            (((2.5 - 0.5 * distance) * distance - 4) * distance + 2) * (distance < 2),
        )
        angle = math.pi * distance.clamp(1e-6, 3)  # sin(x) / x, which is 1 at 0 and 0 at 3
        lanczos = 3 * angle.sin() * (angle / 3).sin() / angle.square()
        weights = torch.where(filters_of == 1, cubic, torch.where(filters_of == 2, lanczos, weights))
    weights = weights * ((middle > start) & (middle < start + length))
    return weights / weights.sum(2, keepdim=True)


def trivial_augment(images: Tensor, random: torch.Generator) -> None:
    """Change each image, float32 (N, 3, S, S) of 0-255, by one of 14 transforms, as TrivialAugmentWide does."""
    count = len(images)
    kinds = torch.randint(14, (count,), generator=random)  # 0 leaves an image as it is
    strengths = torch.randint(STRENGTHS + 1, (count,), generator=random) / STRENGTHS
    signed = strengths * (1 - 2 * (torch.rand(count, generator=random) <= 0.5).float())
    geometric = (kinds >= 1) & (kinds <= 5)
    _change(images, geometric, _moved, _origins(kinds, signed, images.shape[-1]))
    for kind, start in ((6, torch.zeros_like), (7, _gray), (8, _mean_gray), (9, _smoothed)):
        _change(images, kinds == kind, partial(_blended, start), 1 + 0.99 * signed)
    _change(images, kinds == 10, _posterized, 2.0 ** (6 * strengths).round())
    _change(images, kinds == 11, _solarized, 255 * (1 - strengths))
    for kind, change in ((12, transforms.autocontrast), (13, transforms.equalize)):
        _change(images, kinds == kind, partial(_as_bytes, change))


def _change(images: Tensor, mask: Tensor, change: Callable[..., Tensor], *numbers: Tensor) -> None:
    """Put in the place of some of the images, (N,) of a mask, what a function makes of them, rounded, and of what
    belongs to each, (N, ...)."""
    some = mask.nonzero().squeeze(1)
    if len(some):
        places = _on(images.device, some)
        chosen = images[places].round_().clamp_(0, 255)
        images[places] = change(chosen, *(_on(images.device, number[some].float()) for number in numbers))


def _origins(kinds: Tensor, strengths: Tensor, size: int) -> Tensor:
    """Return where in an image each pixel comes from, as matrices (N, 2, 3) of coordinates from -1 to 1.

    Args:
        kinds: 1 and 2 shear about an edge, 3 and 4 translate, along x and y each, 5 rotates, (N,).
        strengths: -1 to 1, (N,).
        size: of the image, in pixels.
    """
    shear, shift, angle = 0.99 * strengths, 2 / size * (32 * strengths).trunc(), (135 * strengths).deg2rad()
    cos, sin = torch.where(kinds == 5, angle.cos(), 1), torch.where(kinds == 5, angle.sin(), 0)
    shear_x, shear_y = torch.where(kinds == 1, shear, 0), torch.where(kinds == 2, shear, 0)
    shift_x, shift_y = torch.where(kinds == 3, shift, 0), torch.where(kinds == 4, shift, 0)
    x = torch.stack([cos, shear_x - sin, shear_x - shift_x], 1)
    y = torch.stack([shear_y + sin, cos, shear_y - shift_y], 1)
    return torch.stack([x, y], 1)


def _moved(images: Tensor, origins: Tensor) -> Tensor:
    """Move the pixels of images; gray comes in where nothing was."""
    grid = F.affine_grid(origins, list(images.shape), align_corners=False)
    return F.grid_sample(images - 127, grid, align_corners=False) + 127


def _blended(start: Callable[[Tensor], Tensor], images: Tensor, factors: Tensor) -> Tensor:
    """Return images between what a function makes of them, at 0, and as they are, at 1, or beyond."""
    return start(images).lerp(images, factors[:, None, None, None]).clamp_(0, 255)


def _posterized(images: Tensor, steps: Tensor) -> Tensor:
    return images - images.remainder(steps[:, None, None, None])


def _solarized(images: Tensor, thresholds: Tensor) -> Tensor:
    return torch.where(images >= thresholds[:, None, None, None], 255 - images, images)


def _as_bytes(change: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    return change(images.to(torch.uint8)).float()


def _gray(images: Tensor) -> Tensor:
    weights = GRAY.to(images.device)[:, None, None]
    return (images * weights).sum(1, keepdim=True).floor().expand_as(images)


def _mean_gray(images: Tensor) -> Tensor:
    return _gray(images).mean((1, 2, 3), keepdim=True).expand_as(images)


def _smoothed(images: Tensor) -> Tensor:
    """Return images smoothed as torchvision does to sharpen them: all but their outermost pixels."""
    kernel = SHARPNESS.to(images.device).expand(3, 1, 3, 3)
    smoothed = images.clone()
    smoothed[..., 1:-1, 1:-1] = F.conv2d(images, kernel, groups=3).round()
    return smoothed


def _grayscale(images: Tensor, _: torch.Generator) -> Tensor:
    return _gray(images)


def _low_resolution(images: Tensor, random: torch.Generator) -> Tensor:
    """Downscale images to between a quarter of their size and all of it, and upscale them again."""
    count, size = len(images), images.shape[-1]
    sizes = (size * _uniform(count, COARSEST, random)).round()
    none, all_of_it = torch.zeros(count), torch.full((count,), size)
    down = resizing(none, all_of_it, size, size, device=images.device, sizes=sizes)
    lines = resizing(none, sizes, size, size, device=images.device) @ down
    return _resampled(images, lines, lines)


def _noise(images: Tensor, random: torch.Generator) -> Tensor:
    deviations = _on(images.device, _uniform(len(images), NOISE, random))[:, None, None, None]
    return (images + torch.randn_like(images) * deviations).clamp_(0, 255)


def _erased(images: Tensor, random: torch.Generator) -> Tensor:
    sides = torch.full((len(images),), images.shape[-1])
    top, left, height, width = _on(images.device, _boxes(sides, sides, ERASED, ERASED_RATIO, random)).T[..., None]
    pixel = torch.arange(images.shape[-1], device=images.device)
    rows, columns = (top <= pixel) & (pixel < top + height), (left <= pixel) & (pixel < left + width)
    return torch.where(rows[:, None, :, None] & columns[:, None, None, :], 127, images)


def compressed(images: Tensor, random: torch.Generator) -> Tensor:
    """Do to images, float32 (N, 3, S, S) of 0-255, what a JPEG file of random quality does, perhaps at another size."""
    count, size = len(images), images.shape[-1]
    kinds = torch.rand(count, generator=random)
    rescaled = torch.rand(count, generator=random) < RESCALED
    sizes = torch.where(rescaled, (size * _uniform(count, SCALES, random)).round(), size)
    there, back = torch.randint(FILTERS, (2, count), generator=random)
    qualities = _uniform(count, QUALITIES, random).round()
    halved = (torch.rand(count, generator=random) < HALVED) | (kinds >= JPEG)
    saved = kinds < JPEG + WEBP

    images = images.clone()
    for some in (rescaled, ~rescaled):  # apart, because the others are smaller
        at = some.nonzero().squeeze(1)
        if len(at):
            places = _on(images.device, at)
            images[places] = _saved(
                images[places], sizes[at], there[at], back[at], qualities[at], halved[at], saved[at]
            )
    return images


def _saved(
    images: Tensor,
    sizes: Tensor,
    there: Tensor,
    back: Tensor,
    qualities: Tensor,
    halved: Tensor,
    saved: Tensor,
) -> Tensor:
    """Resize images to sizes of their own, each by a filter, save some of them as JPEG, and resize them back."""
    size, device = images.shape[-1], images.device
    most = BLOCK * math.ceil(sizes.max().item() / BLOCK)
    none, all_of_it = torch.zeros_like(sizes), torch.full_like(sizes, size)
    lines = resizing(none, all_of_it, size, most, device=device, sizes=sizes, filters=there)
    pictures = _resampled(images, lines, lines)
    for subsampling in (False, True):
        _change(pictures, saved & (halved == subsampling), partial(jpeg, subsampling), qualities)
    lines = resizing(none, sizes, most, size, device=device, filters=back)
    return _resampled(pictures, lines, lines)


def jpeg(halved: bool, images: Tensor, qualities: Tensor) -> Tensor:
    """Return images as JPEG files of these qualities would show them.

    Args:
        halved: whether the resolution of colors is halved (4:2:0).
        images: float32 (N, 3, H, W), whole numbers of 0-255; H and W are multiples of ``BLOCK``.
        qualities: of 1-100, (N,).
    """
    matrix, inverse, cosines, tables = _constants(images.device)
    planes = F.conv2d(images, matrix[:, :, None, None]).round_()
    luminance, colors = planes[:, :1] - 128, planes[:, 1:]
    scales = torch.where(qualities < 50, 5000 / qualities, 200 - 2 * qualities)
    of_luminance, of_colors = ((tables * scales[:, None, None] + 50) / 100).floor().clamp(1, 255).unbind(1)
    luminance = _quantized(luminance, of_luminance, cosines)
    if halved:
        colors = F.interpolate(
            _quantized(F.avg_pool2d(colors, 2).round_(), of_colors, cosines), scale_factor=2, mode="bilinear"
        )
    else:
        colors = _quantized(colors, of_colors, cosines)
    planes = torch.cat([luminance + 128, colors], 1)
    return F.conv2d(planes, inverse[:, :, None, None]).round_().clamp_(0, 255)


@cache
def _constants(device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return what JPEG needs, on a device: the matrix to brightness and color differences and its inverse, (3, 3), the
    cosines of a block, (64, 64), and both tables, (2, 64)."""
    frequency, place = torch.arange(8.0)[:, None], torch.arange(8.0)
    cosines = torch.cos(math.pi / 8 * (place + 0.5) * frequency) / 2
    cosines[0] /= math.sqrt(2)
    tables = torch.tensor([LUMINANCE, CHROMINANCE]).flatten(1)
    constants = TO_YCBCR, TO_YCBCR.inverse(), torch.kron(cosines, cosines), tables
    matrix, inverse, both, on_tables = (constant.to(device) for constant in constants)
    return matrix, inverse, both, on_tables


def _quantized(planes: Tensor, tables: Tensor, cosines: Tensor) -> Tensor:
    """Round the frequencies of each block of 8 x 8 pixels of planes (N, C, H, W) to multiples of a table, (N, 64)."""
    count, channels, height, width = planes.shape
    blocks = planes.view(count, channels, height // 8, 8, width // 8, 8).transpose(3, 4).reshape(count, -1, 64)
    frequencies = (blocks @ cosines.T / tables[:, None]).round_() * tables[:, None]
    pixels = (frequencies @ cosines).view(count, channels, height // 8, width // 8, 8, 8).transpose(3, 4)
    return pixels.reshape(planes.shape).round_()


def _resampled(images: Tensor, vertical: Tensor, horizontal: Tensor) -> Tensor:
    """Return what matrices (N, T, H) and (N, U, W) make of the columns and rows of images (N, 3, H, W), float32.

    A GPU multiplies in float16, which holds 0-255 to an eighth.
    """
    kind = torch.float16 if images.is_cuda else torch.float32
    rows = vertical.to(kind)[:, None] @ images.to(kind, memory_format=torch.contiguous_format)
    return (rows @ horizontal.to(kind).transpose(1, 2)[:, None]).float()


def _boxes(
    heights: Tensor, widths: Tensor, scale: tuple[float, float], ratio: tuple[float, float], random: torch.Generator
) -> Tensor:
    """Return top, left, height and width of a random box in each photo, (N, 4), as RandomResizedCrop draws them.

    Args:
        heights, widths: of the photos, (N,).
        scale: least and greatest share of the photo's area.
        ratio: least and greatest width as a multiple of the height.
        random: of the boxes.
    """
    shape = len(heights), ATTEMPTS
    area = (heights * widths)[:, None] * (scale[0] + (scale[1] - scale[0]) * torch.rand(shape, generator=random))
    low, high = map(math.log, ratio)
    ratios = (low + (high - low) * torch.rand(shape, generator=random)).exp()
    width, height = (area * ratios).sqrt().round(), (area / ratios).sqrt().round()
    fits = (width > 0) & (width <= widths[:, None]) & (height > 0) & (height <= heights[:, None])
    first = fits.int().argmax(1, keepdim=True)
    width, height = width.gather(1, first).squeeze(1), height.gather(1, first).squeeze(1)
    none = ~fits.any(1)  # of a long photo: then all of it, cut to the greatest ratio
    width = torch.where(none, torch.minimum(widths, (heights * ratio[1]).round()), width)
    height = torch.where(none, torch.minimum(heights, (widths / ratio[0]).round()), height)
    space = torch.stack([heights - height, widths - width], 1)
    corner = (torch.rand(len(heights), 2, generator=random) * (space + 1)).floor()
    corner = torch.where(none[:, None], (space / 2).floor(), corner)
    return torch.cat([corner, height[:, None], width[:, None]], 1)


def _crops_at_one_scale(heights: Tensor, widths: Tensor, share: float, random: torch.Generator) -> Tensor:
    """Return top, left, height and width of a random square, whose side is a share of the shorter side, (N, 4)."""
    side = share * torch.minimum(heights, widths)
    corner = torch.rand(len(heights), 2, generator=random) * torch.stack([heights - side, widths - side], 1)
    return torch.cat([corner, side[:, None], side[:, None]], 1)


def _uniform(count: int, limits: tuple[float, float], random: torch.Generator) -> Tensor:
    low, high = limits
    return low + (high - low) * torch.rand(count, generator=random)


def _on(device: torch.device, tensor: Tensor) -> Tensor:
    return tensor.to(device, non_blocking=True)
