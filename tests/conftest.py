"""Fixtures of the library's and of the training code's tests: datasets and a model folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from flower_alexnet import LABELS, AlexNet, Config
from tests.support import PROJECT
from tests.support.photos import drawn_flower

LONGEST = [
    "test_training.py",
    "test_own_classes.py",
    "test_collection.py",
    "test_page.py",
    "test_model_card.py",
    "test_formats.py",
    "test_start.py",
    "test_unclean_data.py",
    "test_evaluate.py",
    "test_command_line.py",
    "test_onnx.py",
    "test_models.py",
    "test_uploads.py",
]
"""Files whose tests take longest: processes that share the files between them begin with these."""

REAL_PHOTOS = Path(os.environ.get("FLOWER_PHOTOS", PROJECT.parent / "shared" / "flower_photos"))


# Tests and what they start share few cores: threads that wait for each other would take most of them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))

# A shell that runs the tests in the background has them and all they start ignore Ctrl-C, which some send.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first, or one process would still run them when the others are done."""
    order = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


@pytest.fixture(scope="session")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small dataset of drawn flowers: 20 pictures in each of the five class folders."""
    folder = tmp_path_factory.mktemp("data") / "flower_photos"
    for label in LABELS:
        (folder / label).mkdir(parents=True)
        for number in range(20):
            drawn_flower(label, number).save(folder / label / f"{number}.jpg")
    return folder


@pytest.fixture(scope="session")
def real_photos() -> Path:
    """Return the folder of the real flower_photos; skip the test where there is none."""
    if not REAL_PHOTOS.is_dir():
        pytest.skip(f"{REAL_PHOTOS} is not there; set FLOWER_PHOTOS to the folder of flower_photos")
    return REAL_PHOTOS


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the library as a wheel: that of $WHEEL, which ``.ci/run`` sets, or else one built from the checkout."""
    if "WHEEL" in os.environ:
        return Path(os.environ["WHEEL"])
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--wheel-dir", str(folder), str(PROJECT)]
    subprocess.run(command, check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="session")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model folder with random weights. Tests must not change it."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "random"
    AlexNet().save_pretrained(folder, config=Config())
    return folder
