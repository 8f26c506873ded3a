"""Pictures of anything but the five flowers: drawn by code, or carried by packages that are installed anyway."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from importlib import resources
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIZE = 256
"""Height and width in pixels of a drawn picture."""

DRAWN_OF_EACH_KIND = 15

PACKAGE_PICTURES = {
    "gradio": [
        *(f"media_assets/images/{name}" for name in ("cheetah.jpg", "groot.jpeg", "lion.jpg")),
        *(f"media_assets/images/{name}" for name in ("tower.jpg", "logo.png", "cheetah1.jpg", "hf-logo_transpng.png")),
    ],
    "matplotlib": [
        f"mpl-data/sample_data/{name}" for name in ("grace_hopper.jpg", "logo2.png", "Minduka_Present_Blue_Pack.png")
    ],
}
"""Animals, a toy, a tower, people, a present and logos, each whole and in four crops."""


def pictures() -> Iterator[tuple[str, Image.Image]]:
    """Every picture with its kind, the same ones each time."""
    for kind in KINDS:
        random = Random(kind.__name__)
        for _ in range(DRAWN_OF_EACH_KIND):
            yield kind.__name__, kind(random)
    for package, names in PACKAGE_PICTURES.items():
        for name in names:
            with resources.as_file(resources.files(package) / name) as file, Image.open(file) as opened:
                picture = opened.convert("RGBA")
            whole = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
            yield "photo", whole
            width, height = whole.size
            for left, top in ((0, 0), (width // 2, 0), (0, height // 2), (width // 2, height // 2)):
                yield "photo", whole.crop((left, top, left + width // 2, top + height // 2))


def gradient(random: Random) -> Image.Image:
    """Two colours that run into each other."""
    colours, ramp = np.array([_colour(random), _colour(random)]), np.linspace(0, 1, SIZE)
    share = np.clip(ramp[:, None] * random.random() + ramp[None, :] * random.random(), 0, 1)[..., None]
    return _from_values(colours[0] * (1 - share) + colours[1] * share)


def white_noise(random: Random) -> Image.Image:
    """Pixels of independent random values."""
    return _from_values(_generator(random).integers(0, 256, (SIZE, SIZE, random.choice((1, 3)))))


def clouds(random: Random) -> Image.Image:
    """Noise of the spectrum of natural pictures: amplitude falls as one over frequency."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIZE), np.fft.fftfreq(SIZE)))[..., None] + 1 / SIZE
    spectrum = np.fft.fft2(_generator(random).normal(size=(SIZE, SIZE, 3)), axes=(0, 1))
    field = np.fft.ifft2(spectrum / frequency ** random.uniform(0.8, 1.6), axes=(0, 1)).real
    return _from_values(128 + random.uniform(30, 60) * field / field.std())


def checks(random: Random) -> Image.Image:
    """A chessboard or stripes, at any angle."""
    angle, period = random.uniform(0, math.pi), random.uniform(8, 60)
    x, y = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    one = np.sin((x * math.cos(angle) + y * math.sin(angle)) * math.tau / period) > 0
    other = np.sin((y * math.cos(angle) - x * math.sin(angle)) * math.tau / period) > 0
    pattern = (one ^ other if random.random() < 0.5 else one)[..., None]
    return _from_values(np.where(pattern, _colour(random), _colour(random)))


def shapes(random: Random) -> Image.Image:
    """Rectangles, ellipses and triangles in all colours."""
    picture = Image.new("RGB", (SIZE, SIZE), _colour(random))
    draw = ImageDraw.Draw(picture)
    for _ in range(random.randint(5, 40)):
        left, top, size = random.randint(-40, SIZE), random.randint(-40, SIZE), random.randint(10, 110)
        box = (left, top, left + size, top + random.randint(10, 110))
        random.choice((draw.rectangle, draw.ellipse))(box, fill=_colour(random))
    return picture


def text(random: Random) -> Image.Image:
    """A page of words."""
    picture = Image.new("RGB", (SIZE, SIZE), random.choice(("white", "ivory", "black")))
    ink = "white" if picture.getpixel((0, 0)) == (0, 0, 0) else "black"
    draw, height = ImageDraw.Draw(picture), random.randint(9, 28)
    for top in range(8, SIZE, round(height * 1.4)):
        words = ("".join(random.choices("aeiounrstlmdkpgh", k=random.randint(2, 9))) for _ in range(12))
        draw.text((10, top), " ".join(words), fill=ink, font=ImageFont.load_default(height))
    return picture


def chart(random: Random) -> Image.Image:
    """Bars or a curve over axes."""
    picture = Image.new("RGB", (SIZE, SIZE), "white")
    draw = ImageDraw.Draw(picture)
    draw.line((25, 15, 25, 235, 245, 235), fill="black", width=2)
    heights = [random.randint(10, 200) for _ in range(random.randint(4, 12))]
    step, colour = 210 / len(heights), _colour(random)
    if random.random() < 0.5:
        for index, height in enumerate(heights):
            draw.rectangle((30 + index * step, 234 - height, 24 + (index + 1) * step, 234), fill=colour)
    else:
        draw.line([(30 + index * step, 234 - height) for index, height in enumerate(heights)], fill=colour, width=3)
    return picture


def fractal(random: Random) -> Image.Image:
    """A Julia set."""
    x, y = np.meshgrid(np.linspace(-1.6, 1.6, SIZE), np.linspace(-1.6, 1.6, SIZE))
    z, steps = x + 1j * y, np.zeros((SIZE, SIZE))
    angle = random.uniform(0, math.tau)
    for _ in range(40):
        inside = np.abs(z) < 4
        z = np.where(inside, z**2 + 0.78 * complex(math.cos(angle), math.sin(angle)), z)
        steps += inside
    share = (steps / 40)[..., None]
    return _from_values(np.array(_colour(random)) * share + np.array(_colour(random)) * (1 - share))


def bricks(random: Random) -> Image.Image:
    """A wall."""
    picture = Image.new("RGB", (SIZE, SIZE), "lightgray")
    draw, height, red = ImageDraw.Draw(picture), random.randint(14, 40), random.randint(110, 190)
    for row, top in enumerate(range(0, SIZE, height)):
        for left in range(-height * (1 + row % 2), SIZE, height * 2):
            colour = tuple(max(0, value + random.randint(-25, 25)) for value in (red, red // 2, red // 3))
            draw.rectangle((left + 2, top + 2, left + height * 2 - 2, top + height - 2), fill=colour)
    return picture


def leaves(random: Random) -> Image.Image:
    """Leaves and no flower among them."""
    picture = Image.new("RGB", (SIZE, SIZE), (20, random.randint(40, 70), 20))
    for _ in range(random.randint(30, 90)):
        length = random.randint(30, 90)
        leaf = Image.new("RGBA", (length, length))
        green = (random.randint(20, 110), random.randint(80, 190), random.randint(10, 70))
        draw = ImageDraw.Draw(leaf)
        draw.ellipse((0, length // 3, length, length * 2 // 3), fill=green)
        draw.line((0, length // 2, length, length // 2), fill=tuple(value // 2 for value in green))
        leaf = leaf.rotate(random.uniform(0, 360))
        picture.paste(leaf, (random.randint(-40, SIZE), random.randint(-40, SIZE)), leaf)
    return picture.filter(ImageFilter.GaussianBlur(random.uniform(0, 1.5)))


def landscape(random: Random) -> Image.Image:
    """Sky, a sun and hills."""
    sky = gradient(random).resize((SIZE, SIZE)) if random.random() < 0.5 else Image.new("RGB", (SIZE, SIZE), "skyblue")
    draw, sun = ImageDraw.Draw(sky), random.randint(20, 220)
    draw.ellipse((sun, 30, sun + 30, 60), fill=(255, 240, 170))
    for depth in range(3):
        phase, height = random.uniform(0, 6), 120 + depth * 45
        ridge = [(x, height + 25 * math.sin(x / (30 + 15 * depth) + phase)) for x in range(0, SIZE + 8, 8)]
        draw.polygon([*ridge, (SIZE, SIZE), (0, SIZE)], fill=(40 + 20 * depth, random.randint(70, 150), 60))
    return sky.filter(ImageFilter.GaussianBlur(1))


def house(random: Random) -> Image.Image:
    """A child's drawing of a house."""
    picture = Image.new("RGB", (SIZE, SIZE), random.choice(("lightblue", "white", "lightyellow")))
    draw, left, top = ImageDraw.Draw(picture), random.randint(30, 80), random.randint(90, 130)
    draw.rectangle((0, 200, SIZE, SIZE), fill="yellowgreen")
    draw.rectangle((left, top, left + 110, 215), fill=_colour(random), outline="black", width=2)
    draw.polygon([(left - 12, top), (left + 55, top - 60), (left + 122, top)], fill=_colour(random), outline="black")
    draw.rectangle((left + 45, 165, left + 70, 215), fill=_colour(random), outline="black")
    for x in (left + 12, left + 78):
        draw.rectangle((x, top + 18, x + 22, top + 40), fill="white", outline="black")
    return picture


def face(random: Random) -> Image.Image:
    """A cartoon face."""
    picture = Image.new("RGB", (SIZE, SIZE), _colour(random))
    draw, skin = ImageDraw.Draw(picture), random.choice(("#f1c9a5", "#8d5524", "#ffdbac", "#c68642"))
    draw.ellipse((58, 38, 198, 220), fill=skin, outline="black", width=2)
    draw.pieslice((52, 28, 204, 180), 180, 360, fill=_colour(random))
    for x in (98, 158):
        draw.ellipse((x - 13, 112, x + 13, 132), fill="white", outline="black")
        draw.ellipse((x - 5, 117, x + 5, 127), fill=_colour(random))
    draw.arc((95, 150, 161, 195), 10, 170, fill="darkred", width=4)
    return picture


KINDS: tuple[Callable[[Random], Image.Image], ...] = (
    *(gradient, white_noise, clouds, checks, shapes, text, chart, fractal),
    *(bricks, leaves, landscape, house, face),
)
"""What is drawn, each ``DRAWN_OF_EACH_KIND`` times."""


def _colour(random: Random) -> tuple[int, int, int]:
    return random.randrange(256), random.randrange(256), random.randrange(256)


def _generator(random: Random) -> np.random.Generator:
    return np.random.default_rng(random.getrandbits(32))


def _from_values(values: np.ndarray) -> Image.Image:
    pixels = np.broadcast_to(values, (SIZE, SIZE, 3)).clip(0, 255).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(pixels))
