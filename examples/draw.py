"""Draws the example pictures: python examples/draw.py

A picture is petals, each a shaded outline laid over the last, before a meadow out of focus.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

SIZE = 480
"""Height and width in pixels of a picture."""

SCALE = 3
"""Pictures are drawn so much larger and scaled down, which smooths every edge."""

Colour = tuple[int, int, int]
Point = tuple[float, float]


class Canvas:
    """A picture that petals are laid on."""

    def __init__(self, random: Random, far: Colour, near: Colour) -> None:
        self.random = random
        self.picture = _meadow(random, far, near)

    def petal(
        self,
        centre: Point,
        angle: float,
        length: float,
        width: float,
        base: Colour,
        tip: Colour,
        roundness: float = 0.5,
    ) -> None:
        """A petal that begins at centre and points to angle (0 is right, quarter of a turn is down).

        Args:
            length, width: in shares of the picture's size.
            base, tip: its colours where it begins and ends.
            roundness: where it is widest, 0 at its base to 1 at its tip.
        """
        size = SIZE * SCALE
        outline = _outline(centre, angle, length, width, roundness)
        left, top = (max(0, int(min(point[axis] for point in outline)) - 12) for axis in (0, 1))
        right, bottom = (min(size, int(max(point[axis] for point in outline)) + 13) for axis in (0, 1))
        if right <= left or bottom <= top:
            return
        mask = Image.new("L", (right - left, bottom - top))
        ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in outline], fill=255)
        x, y = np.meshgrid(np.arange(left, right) / size - centre[0], np.arange(top, bottom) / size - centre[1])
        along = np.clip((x * math.cos(angle) + y * math.sin(angle)) / length, 0, 1)[..., None]
        across = ((y * math.cos(angle) - x * math.sin(angle)) / (width / 2))[..., None]
        veins = 1 + 0.05 * np.sin(across * 14 + self.random.uniform(0, 6))
        light = (1.04 - 0.22 * across**2) * veins * (0.86 + 0.2 * along) * self.random.uniform(0.93, 1.05)
        colours = (np.array(base) * (1 - along) + np.array(tip) * along) * light
        petal = Image.fromarray(colours.clip(0, 255).astype(np.uint8))
        box = (left, top, right, bottom)
        shadow = mask.filter(ImageFilter.GaussianBlur(9)).point(lambda value: value * 0.35)
        under = self.picture.crop(box)
        under.paste((15, 20, 10), (0, 0), shadow)
        under.paste(petal, (0, 0), mask)
        self.picture.paste(under, (left, top))

    def disc(self, centre: Point, radius: float, colour: Colour, rim: Colour, seeds: int, grain: float) -> None:
        """A round heart of many small seeds in a sunflower's spiral.

        Args:
            radius: in shares of the picture's size; grain is that of a seed.
            colour, rim: of the seeds in the middle and at the edge.
        """
        draw = ImageDraw.Draw(self.picture)
        draw.ellipse(_circle(centre, radius), fill=tuple(int(value * 0.6) for value in rim))
        for seed in range(seeds):
            share = math.sqrt((seed + 0.5) / seeds)
            angle = seed * math.pi * (3 - math.sqrt(5))
            place = (centre[0] + radius * share * math.cos(angle), centre[1] + radius * share * math.sin(angle))
            light = self.random.uniform(0.72, 1.18) * (1.1 - 0.25 * (place[1] - centre[1]) / radius)
            tone = (np.array(colour) * (1 - share) + np.array(rim) * share) * light
            draw.ellipse(_circle(place, grain), fill=tuple(tone.clip(0, 255).astype(int).tolist()))

    def stem(self, start: Point, end: Point, width: float, colour: Colour) -> None:
        """A stem, lighter on one side."""
        size, draw = SIZE * SCALE, ImageDraw.Draw(self.picture)
        for layer in range(12):
            share = layer / 11
            tone = tuple(int(value * (0.6 + 0.55 * share)) for value in colour)
            shift = width * (share - 0.5) * 0.5
            draw.line(
                [(size * (start[0] + shift), size * start[1]), (size * (end[0] + shift), size * end[1])],
                fill=tone,
                width=int(size * width * (1 - 0.8 * share)) + 1,
            )

    def finish(self) -> Image.Image:
        """The picture at its size, with a little grain as of a photo."""
        small = self.picture.resize((SIZE, SIZE), Image.Resampling.LANCZOS)
        noise = np.random.default_rng(self.random.getrandbits(32)).normal(0, 3, (SIZE, SIZE, 1))
        return Image.fromarray((np.asarray(small) + noise).clip(0, 255).astype(np.uint8))


def daisy(random: Random) -> Image.Image:
    """White rays around a yellow heart."""
    canvas = Canvas(random, (38, 74, 30), (86, 128, 52))
    for x, y, size in ((0.14, 0.2, 0.1), (0.86, 0.82, 0.13), (0.5, 0.5, 0.36)):
        canvas.stem((x, y), (x + 0.06, 1.1), size * 0.07, (90, 130, 60))
        for layer in range(2):
            count = 19
            for ray in range(count):
                angle = math.tau * (ray + layer / 2) / count + random.uniform(-0.05, 0.05)
                length = size * random.uniform(0.92, 1.05) * (1 - 0.06 * layer)
                canvas.petal((x, y), angle, length, size * 0.25, (222, 222, 214), (252, 252, 250), 0.66)
        canvas.disc((x, y), size * 0.3, (246, 196, 30), (222, 150, 10), 420, size * 0.018)
    return canvas.finish()


def dandelion(random: Random) -> Image.Image:
    """A yellow head of many narrow rays."""
    canvas = Canvas(random, (52, 92, 30), (104, 150, 56))
    for blade in range(9):
        angle = -math.pi / 2 + (blade - 4) * 0.33
        canvas.petal((0.5, 1.05), angle, random.uniform(0.4, 0.62), 0.09, (40, 82, 26), (86, 140, 50), 0.55)
    for x, y, size in ((0.16, 0.3, 0.14), (0.83, 0.2, 0.12), (0.5, 0.48, 0.33)):
        canvas.stem((x, y), (0.5 + (x - 0.5) * 0.5, 1.1), size * 0.09, (128, 148, 76))
        for ring in range(9):
            reach, count = size * (1 - ring * 0.1), 54 - ring * 4
            for ray in range(count):
                angle = math.tau * (ray + ring * 0.37) / count + random.uniform(-0.08, 0.08)
                length = reach * random.uniform(0.88, 1.06)
                light = random.randint(-12, 6)
                base, tip = (226 + light, 150 + light, 4), (255, 214 + light, 24)
                canvas.petal((x, y), angle, length, size * 0.085, base, tip, 0.72)
    return canvas.finish()


def rose(random: Random) -> Image.Image:
    """Broad petals wound around each other, on dark leaves."""
    canvas = Canvas(random, (20, 44, 24), (44, 78, 40))
    for leaf in range(6):
        angle = math.tau * leaf / 6 + 0.4
        canvas.petal((0.5, 0.52), angle, 0.5, 0.24, (24, 62, 30), (60, 116, 58), 0.5)
    turn = random.uniform(0, 6)
    for ring in range(9):
        reach = 0.38 * (1 - ring / 9.6)
        count = 6 if ring < 3 else 5 if ring < 6 else 3
        for petal in range(count):
            angle = turn + math.tau * (petal + ring * 0.43) / count + random.uniform(-0.08, 0.08)
            shade = 0.55 + 0.42 * (1 - ring / 9)
            base = (int(120 * shade), int(4 * shade), int(22 * shade))
            tip = (int(226 * shade + 26), int(34 * shade + 8), int(62 * shade + 10))
            start = (0.5 - 0.1 * reach * math.cos(angle), 0.5 - 0.1 * reach * math.sin(angle))
            canvas.petal(start, angle, reach, reach * 1.35, base, tip, 0.74)
    return canvas.finish()


def sunflower(random: Random) -> Image.Image:
    """Golden rays around a large dark heart, before the sky."""
    canvas = Canvas(random, (120, 168, 214), (70, 118, 48))
    canvas.stem((0.5, 0.5), (0.53, 1.1), 0.045, (96, 136, 52))
    for side in (-1, 1):
        angle = math.pi / 2 - side * 1.05
        canvas.petal((0.52, 0.88), angle, 0.42, 0.24, (46, 92, 34), (98, 150, 62), 0.45)
    for layer in range(3):
        count = 23
        for ray in range(count):
            angle = math.tau * (ray + layer / 3) / count + random.uniform(-0.06, 0.06)
            length = 0.42 * random.uniform(0.9, 1.04) * (1 - 0.05 * layer)
            canvas.petal((0.5, 0.46), angle, length, 0.095, (224, 138, 2), (255, 206, 26), 0.6)
    canvas.disc((0.5, 0.46), 0.2, (62, 40, 18), (112, 66, 16), 900, 0.0065)
    return canvas.finish()


def tulip(random: Random) -> Image.Image:
    """Cups on straight stems."""
    canvas = Canvas(random, (60, 98, 44), (96, 140, 62))
    for x, y, size in ((0.2, 0.34, 0.25), (0.8, 0.3, 0.25), (0.5, 0.42, 0.36)):
        canvas.stem((x, y), (0.5 + (x - 0.5) * 0.85, 1.1), 0.03, (108, 152, 76))
        for side in (-1, 1):
            canvas.petal(
                (0.5 + (x - 0.5) * 0.9, 1.08), -math.pi / 2 + side * 0.24, 0.5, 0.12, (44, 98, 50), (104, 160, 92), 0.4
            )
        bottom = (x, y + size * 0.45)
        for lean, width, shade in (
            *((-0.3, 0.62, 0.72), (0.3, 0.62, 0.72), (0.0, 0.6, 0.8)),
            *((-0.2, 0.56, 0.9), (0.2, 0.56, 0.94), (0.0, 0.56, 1.05)),
        ):
            base = (int(188 * shade), int(36 * shade), int(64 * shade))
            tip = (min(255, int(246 * shade)), int(92 * shade), int(120 * shade))
            length = size * (0.98 if lean else 0.86)
            canvas.petal(bottom, -math.pi / 2 + lean, length, size * width, base, tip, 0.45)
    return canvas.finish()


DRAWINGS: dict[str, Callable[[Random], Image.Image]] = {
    "daisy": daisy,
    "dandelion": dandelion,
    "roses": rose,
    "sunflowers": sunflower,
    "tulips": tulip,
}
"""Class name -> what draws it."""


def main(folder: Path = Path(__file__).parent) -> None:
    """Write the example pictures."""
    for label, draw in DRAWINGS.items():
        draw(Random(label)).save(folder / f"{label}.webp", quality=82, method=6)


def _outline(centre: Point, angle: float, length: float, width: float, roundness: float) -> list[Point]:
    """The corners of a petal, in pixels."""
    points = []
    for step in range(61):
        along = step / 30 if step <= 30 else 2 - step / 30
        side = 1 if step <= 30 else -1
        swell = math.sin(math.pi * along ** (math.log(0.5) / math.log(roundness))) ** 0.75
        x, y = along * length, side * swell * width / 2
        points.append(
            (
                SIZE * SCALE * (centre[0] + x * math.cos(angle) - y * math.sin(angle)),
                SIZE * SCALE * (centre[1] + x * math.sin(angle) + y * math.cos(angle)),
            )
        )
    return points


def _meadow(random: Random, far: Colour, near: Colour) -> Image.Image:
    """A background out of focus: one colour above, another below, and blurred spots of light."""
    size = SIZE * SCALE
    ramp = np.linspace(0, 1, 60)[:, None, None]
    field = np.array(far) * (1 - ramp) + np.array(near) * ramp
    coarse = np.random.default_rng(random.getrandbits(32)).normal(0, 13, (60, 60, 1))
    picture = Image.fromarray((field + coarse).clip(0, 255).astype(np.uint8)).resize(
        (size, size), Image.Resampling.BICUBIC
    )
    spots = Image.new("RGB", (size, size))
    draw = ImageDraw.Draw(spots)
    for _ in range(40):
        place, radius = (random.random(), random.random()), random.uniform(0.015, 0.06)
        glow = random.uniform(0.06, 0.22)
        draw.ellipse(_circle(place, radius), fill=tuple(int(value * glow) for value in (235, 245, 190)))
    return ImageChops.add(picture.filter(ImageFilter.GaussianBlur(22)), spots.filter(ImageFilter.GaussianBlur(9)))


def _circle(centre: Point, radius: float) -> tuple[float, float, float, float]:
    size = SIZE * SCALE
    x, y = centre
    return size * (x - radius), size * (y - radius), size * (x + radius), size * (y + radius)


if __name__ == "__main__":
    main()
