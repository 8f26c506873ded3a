"""Pictures that show none of the five flowers: drawn by code, or files of installed packages."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from importlib.metadata import distribution
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIZE = 256
"""Height and width in pixels of a drawn image."""

DRAWN_OF_EACH_KIND = 15
"""Number of images that each function in ``KINDS`` draws."""

PACKAGE_IMAGES = {
    "gradio": [
        *(f"media_assets/images/{name}" for name in ("cheetah.jpg", "groot.jpeg", "lion.jpg")),
        *(f"media_assets/images/{name}" for name in ("tower.jpg", "logo.png", "cheetah1.jpg", "hf-logo_transpng.png")),
    ],
    "matplotlib": [
        f"mpl-data/sample_data/{name}" for name in ("grace_hopper.jpg", "logo2.png", "Minduka_Present_Blue_Pack.png")
    ],
}
"""Package -> image files in it: animals, a toy, a tower, people, a present and logos. Each is used whole and in four
crops."""


def images() -> Iterator[tuple[str, Image.Image]]:
    """Yield the name of the kind (a function in ``KINDS``, or photo) and the RGB image, identical in every call.

    Of the packages' images, those that the installed release lacks are left out.
    """
    for kind in KINDS:
        random = Random(kind.__name__)
        for _ in range(DRAWN_OF_EACH_KIND):
            yield kind.__name__, kind(random)
    for package, names in PACKAGE_IMAGES.items():
        for name in names:
            file = Path(str(distribution(package).locate_file(f"{package}/{name}")))
            if not file.is_file():  # another release may lack it: the number of pictures is told with the figures
                continue
            with Image.open(file) as opened:
                rgba = opened.convert("RGBA")
            whole = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
            yield "photo", whole
            width, height = whole.size
            for left, top in ((0, 0), (width // 2, 0), (0, height // 2), (width // 2, height // 2)):
                yield "photo", whole.crop((left, top, left + width // 2, top + height // 2))


def gradient(random: Random) -> Image.Image:
    """Draw a linear gradient between two colors."""
    colors, ramp = np.array([_color(random), _color(random)]), np.linspace(0, 1, SIZE)
    weight = np.clip(ramp[:, None] * random.random() + ramp[None, :] * random.random(), 0, 1)[..., None]
    return _from_values(colors[0] * (1 - weight) + colors[1] * weight)


def white_noise(random: Random) -> Image.Image:
    """Draw independent random pixels, gray or in color."""
    return _from_values(_generator(random).integers(0, 256, (SIZE, SIZE, random.choice((1, 3)))))


def clouds(random: Random) -> Image.Image:
    """Draw noise with the amplitude spectrum of natural images, about 1 / frequency."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIZE), np.fft.fftfreq(SIZE)))[..., None] + 1 / SIZE
    spectrum = np.fft.fft2(_generator(random).normal(size=(SIZE, SIZE, 3)), axes=(0, 1))
    field = np.fft.ifft2(spectrum / frequency ** random.uniform(0.8, 1.6), axes=(0, 1)).real
    return _from_values(128 + random.uniform(30, 60) * field / field.std())


def checks(random: Random) -> Image.Image:
    """Draw a checkerboard or stripes at a random angle."""
    angle, period = random.uniform(0, math.pi), random.uniform(8, 60)
    x, y = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    one = np.sin((x * math.cos(angle) + y * math.sin(angle)) * math.tau / period) > 0
    other = np.sin((y * math.cos(angle) - x * math.sin(angle)) * math.tau / period) > 0
    pattern = (one ^ other if random.random() < 0.5 else one)[..., None]
    return _from_values(np.where(pattern, _color(random), _color(random)))


def shapes(random: Random) -> Image.Image:
    """Draw rectangles and ellipses in random colors."""
    image = Image.new("RGB", (SIZE, SIZE), _color(random))
    draw = ImageDraw.Draw(image)
    for _ in range(random.randint(5, 40)):
        left, top, size = random.randint(-40, SIZE), random.randint(-40, SIZE), random.randint(10, 110)
        box = (left, top, left + size, top + random.randint(10, 110))
        random.choice((draw.rectangle, draw.ellipse))(box, fill=_color(random))
    return image


def text(random: Random) -> Image.Image:
    """Draw a page of random words."""
    image = Image.new("RGB", (SIZE, SIZE), random.choice(("white", "ivory", "black")))
    ink = "white" if image.getpixel((0, 0)) == (0, 0, 0) else "black"
    draw, height = ImageDraw.Draw(image), random.randint(9, 28)
    for top in range(8, SIZE, round(height * 1.4)):
        words = ("".join(random.choices("aeiounrstlmdkpgh", k=random.randint(2, 9))) for _ in range(12))
        draw.text((10, top), " ".join(words), fill=ink, font=ImageFont.load_default(height))
    return image


def chart(random: Random) -> Image.Image:
    """Draw a bar or line chart."""
    image = Image.new("RGB", (SIZE, SIZE), "white")
    draw = ImageDraw.Draw(image)
    draw.line((25, 15, 25, 235, 245, 235), fill="black", width=2)
    heights = [random.randint(10, 200) for _ in range(random.randint(4, 12))]
    step, color = 210 / len(heights), _color(random)
    if random.random() < 0.5:
        for index, height in enumerate(heights):
            draw.rectangle((30 + index * step, 234 - height, 24 + (index + 1) * step, 234), fill=color)
    else:
        draw.line([(30 + index * step, 234 - height) for index, height in enumerate(heights)], fill=color, width=3)
    return image


def fractal(random: Random) -> Image.Image:
    """Draw a Julia set."""
    x, y = np.meshgrid(np.linspace(-1.6, 1.6, SIZE), np.linspace(-1.6, 1.6, SIZE))
    z, steps = x + 1j * y, np.zeros((SIZE, SIZE))
    angle = random.uniform(0, math.tau)
    for _ in range(40):
        inside = np.abs(z) < 4
        z = np.where(inside, z**2 + 0.78 * complex(math.cos(angle), math.sin(angle)), z)
        steps += inside
    weight = (steps / 40)[..., None]
    return _from_values(np.array(_color(random)) * weight + np.array(_color(random)) * (1 - weight))


def bricks(random: Random) -> Image.Image:
    """Draw a brick wall."""
    image = Image.new("RGB", (SIZE, SIZE), "lightgray")
    draw, height, red = ImageDraw.Draw(image), random.randint(14, 40), random.randint(110, 190)
    for row, top in enumerate(range(0, SIZE, height)):
        for left in range(-height * (1 + row % 2), SIZE, height * 2):
            color = tuple(max(0, value + random.randint(-25, 25)) for value in (red, red // 2, red // 3))
            draw.rectangle((left + 2, top + 2, left + height * 2 - 2, top + height - 2), fill=color)
    return image


def leaves(random: Random) -> Image.Image:
    """Draw leaves without a flower."""
    image = Image.new("RGB", (SIZE, SIZE), (20, random.randint(40, 70), 20))
    for _ in range(random.randint(30, 90)):
        length = random.randint(30, 90)
        leaf = Image.new("RGBA", (length, length))
        green = (random.randint(20, 110), random.randint(80, 190), random.randint(10, 70))
        draw = ImageDraw.Draw(leaf)
        draw.ellipse((0, length // 3, length, length * 2 // 3), fill=green)
        draw.line((0, length // 2, length, length // 2), fill=tuple(value // 2 for value in green))
        leaf = leaf.rotate(random.uniform(0, 360))
        image.paste(leaf, (random.randint(-40, SIZE), random.randint(-40, SIZE)), leaf)
    return image.filter(ImageFilter.GaussianBlur(random.uniform(0, 1.5)))


def landscape(random: Random) -> Image.Image:
    """Draw sky, sun and hills."""
    sky = gradient(random).resize((SIZE, SIZE)) if random.random() < 0.5 else Image.new("RGB", (SIZE, SIZE), "skyblue")
    draw, sun = ImageDraw.Draw(sky), random.randint(20, 220)
    draw.ellipse((sun, 30, sun + 30, 60), fill=(255, 240, 170))
    for depth in range(3):
        phase, height = random.uniform(0, 6), 120 + depth * 45
        ridge = [(x, height + 25 * math.sin(x / (30 + 15 * depth) + phase)) for x in range(0, SIZE + 8, 8)]
        draw.polygon([*ridge, (SIZE, SIZE), (0, SIZE)], fill=(40 + 20 * depth, random.randint(70, 150), 60))
    return sky.filter(ImageFilter.GaussianBlur(1))


def house(random: Random) -> Image.Image:
    """Draw a simple house."""
    image = Image.new("RGB", (SIZE, SIZE), random.choice(("lightblue", "white", "lightyellow")))
    draw, left, top = ImageDraw.Draw(image), random.randint(30, 80), random.randint(90, 130)
    draw.rectangle((0, 200, SIZE, SIZE), fill="yellowgreen")
    draw.rectangle((left, top, left + 110, 215), fill=_color(random), outline="black", width=2)
    draw.polygon([(left - 12, top), (left + 55, top - 60), (left + 122, top)], fill=_color(random), outline="black")
    draw.rectangle((left + 45, 165, left + 70, 215), fill=_color(random), outline="black")
    for x in (left + 12, left + 78):
        draw.rectangle((x, top + 18, x + 22, top + 40), fill="white", outline="black")
    return image


def face(random: Random) -> Image.Image:
    """Draw a cartoon face."""
    image = Image.new("RGB", (SIZE, SIZE), _color(random))
    draw, skin = ImageDraw.Draw(image), random.choice(("#f1c9a5", "#8d5524", "#ffdbac", "#c68642"))
    draw.ellipse((58, 38, 198, 220), fill=skin, outline="black", width=2)
    draw.pieslice((52, 28, 204, 180), 180, 360, fill=_color(random))
    for x in (98, 158):
        draw.ellipse((x - 13, 112, x + 13, 132), fill="white", outline="black")
        draw.ellipse((x - 5, 117, x + 5, 127), fill=_color(random))
    draw.arc((95, 150, 161, 195), 10, 170, fill="darkred", width=4)
    return image


KINDS: tuple[Callable[[Random], Image.Image], ...] = (
    *(gradient, white_noise, clouds, checks, shapes, text, chart, fractal),
    *(bricks, leaves, landscape, house, face),
)
"""The functions that draw an image from a random generator."""


def _color(random: Random) -> tuple[int, int, int]:
    return random.randrange(256), random.randrange(256), random.randrange(256)


def _generator(random: Random) -> np.random.Generator:
    return np.random.default_rng(random.getrandbits(32))


def _from_values(values: np.ndarray) -> Image.Image:
    pixels = np.broadcast_to(values, (SIZE, SIZE, 3)).clip(0, 255).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(pixels))
