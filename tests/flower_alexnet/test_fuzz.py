"""A damaged picture of any common format either loads or raises ``InvalidImage``.

FUZZ_CASES=20000 pytest tests/flower_alexnet/test_fuzz.py tries more cases, and other ones each time.
"""

from __future__ import annotations

import io
import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from flower_alexnet import InvalidImage, images
from tests.support import PROJECT

CASES = int(os.environ.get("FUZZ_CASES", "0"))
FLOWER = Image.open(PROJECT / "examples" / "tulips_1.webp").convert("RGB").resize((48, 32))


def files() -> list[bytes]:
    """Return the bytes of small intact pictures in many formats."""
    turned = Image.Exif()
    turned[0x0112] = 6
    kinds: dict[str, list[dict]] = {
        "JPEG": [
            {},
            {"progressive": True},
            {"exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\1\x03\0\1\0\0\0\6\0\0\0\0\0\0\0"},
        ],
        "PNG": [{}, {"save_all": True, "append_images": [FLOWER.rotate(90)]}],
        "WEBP": [{}, {"lossless": True}],
        "GIF": [{}, {"save_all": True, "append_images": [FLOWER.rotate(90)]}],
        "TIFF": [{}, {"compression": "tiff_lzw"}, {"compression": "jpeg"}],
        "HEIF": [{}],
        "AVIF": [{}],
        "BMP": [{}],
    }
    found = []
    for kind, variants in kinds.items():
        for options in variants:
            buffer = io.BytesIO()
            FLOWER.save(buffer, kind, **options)
            found.append(buffer.getvalue())
    return found


INTACT = files()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw the bytes of a picture with some changed, removed or inserted, and perhaps the end cut off."""
    content = bytearray(draw(st.sampled_from(INTACT)))
    for _ in range(draw(st.integers(1, 8))):
        # Most of what steers a decoder is near the beginning.
        place = draw(st.integers(0, min(len(content), 200) if draw(st.booleans()) else len(content)))
        length = draw(st.integers(0, 8))
        content[place : place + length] = draw(st.binary(min_size=0, max_size=12) | st.just(b"\xff" * length))
    return bytes(content[: draw(st.integers(0, len(content)))] if draw(st.integers(0, 3)) == 0 else content)


@settings(
    max_examples=CASES or 500,
    derandomize=not CASES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(damaged())
def test_damaged_picture_is_read_or_refused(content: bytes) -> None:
    try:
        image = images.load(content, shorter_side=16)
    except InvalidImage as error:
        assert str(error).startswith("the photo ")
    else:
        assert image.mode == "RGB"
        assert image.width * image.height <= images.MAX_PIXELS
