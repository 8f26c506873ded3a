"""The code of a published model card, taken from it, run in an empty folder, and compared with the library."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from PIL import Image, ImageCms, ImageOps

from flower_alexnet import LABELS, FlowerClassifier, registry
from flower_alexnet.config import Preprocessing
from flower_alexnet.images import center_crop
from flower_alexnet.model_folder import HEAD
from tests.support import PROJECT
from tests.support.commands import run_module
from tests.support.hub import Hub, serve_hub
from tests.support.photos import drawn_flower
from train.card import _crop, card

SHIPPED = registry.SHIPPED

DRIVER = "tests.support.card_code"


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with serve_hub() as server:
        server.tokens["hf_ann"] = "ann"
        yield server


@pytest.fixture(scope="module")
def environment(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment of Ann, who is logged in to the local Hub; commands of this Python come first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "PYTHONPATH"))}
    return {
        **kept,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path_factory.mktemp("hf")),
        "HF_TOKEN": "hf_ann",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }


@pytest.fixture(scope="module")
def cards(hub: Hub, environment: dict[str, str], wheel: Path) -> dict[str, str]:
    """Publish the shipped models by their names; return the text of the card of each."""
    for name in SHIPPED:
        publish(environment, "model", name, f"ann/{name}", "--source", str(wheel))
    repos = {name: hub.repos["model", f"ann/{name}"] for name in SHIPPED}
    return {name: repo.commits[repo.branches["main"]]["README.md"].content.decode() for name, repo in repos.items()}


@pytest.fixture(scope="module")
def plain_photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Draw a small photo, and one that EXIF turns by 90 degrees."""
    folder = tmp_path_factory.mktemp("plain")
    drawn_flower("roses", 1, (320, 240)).save(folder / "small.jpg")
    turned = Image.Exif()
    turned[0x0112] = 6
    drawn_flower("tulips", 2, (300, 400)).save(folder / "turned.jpg", exif=turned)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def photos(plain_photos: list[Path], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Also draw a JPEG that is decoded at a fraction of its size, and one that names its colours sRGB."""
    folder = tmp_path_factory.mktemp("photos")
    drawn_flower("daisy", 3, (2600, 1900)).save(folder / "large.jpg")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    drawn_flower("sunflowers", 4, (300, 400)).save(folder / "profile.jpg", icc_profile=profile)
    return [*plain_photos, *sorted(folder.iterdir())]


def run(command: list[str] | str, folder: Path, environment: dict[str, str] | None = None) -> str:
    """Run a command, or a line of a shell, in a folder; return what it printed."""
    options = {"shell": True, "executable": "/bin/bash"} if isinstance(command, str) else {}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def publish(environment: dict[str, str], *arguments: str) -> None:
    done = run_module("train.publish", *arguments, environment=environment)
    assert done.returncode == 0, done.stderr


def snippets(text: str, language: str) -> list[str]:
    section = text.partition("## Use\n")[2].partition("\n## ")[0]
    return re.findall(rf"^```{language}\n(.+?)^```$", section, re.DOTALL | re.MULTILINE)


def answers(
    code: str, photos: list[Path], folder: Path, environment: dict[str, str], python: Path | None = None
) -> list[str]:
    """Run the code of a card in a folder for each photo, by another Python if one is given; return what it printed."""
    if python is None:
        done = run_module(DRIVER, code, *photos, environment=environment, folder=folder)
        assert done.returncode == 0, done.stderr
        return list(json.loads(done.stdout))
    driver = (PROJECT / DRIVER.replace(".", "/")).with_suffix(".py").read_text()
    return list(json.loads(run([str(python), "-c", driver, code, *map(str, photos)], folder, environment)))


def assert_same(printed: list[str], name: str, photos: list[Path]) -> None:
    """Check printed dictionaries of labels and probabilities against the library."""
    for output, expected in zip(printed, FlowerClassifier.from_pretrained(name)(photos), strict=True):
        probabilities, _, known = output.partition("}")
        assert ast.literal_eval(f"{probabilities}}}") == pytest.approx(expected.probabilities, abs=1e-4)
        if expected.in_distribution_probability is None:
            assert known.strip() == ""
        elif "e" in known:
            assert known.strip() == str(expected.in_distribution)
        else:
            assert float(known.strip(" []\n")) == pytest.approx(expected.in_distribution_probability, abs=1e-4)


def pick(real_photos: Path, srgb: bool) -> list[Path]:
    """Return a photo of each class whose colours are those of sRGB, or are those of another profile."""

    def is_srgb(file: Path) -> bool:
        with Image.open(file) as image:
            profile = image.info.get("icc_profile")
        return not profile or ImageCms.getProfileDescription(io.BytesIO(profile)).startswith("sRGB")

    classes = (sorted(folder.glob("*.jpg")) for folder in sorted(real_photos.iterdir()) if folder.is_dir())
    return [next(file for file in files if is_srgb(file) == srgb) for files in classes][:3]


@pytest.fixture(scope="module")
def installed(cards: dict[str, str], environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the line of the card that installs the library, in an environment that sees what tests have installed."""
    folder = tmp_path_factory.mktemp("library")
    (line,) = {snippets(text, "bash")[0] for text in cards.values()}
    assert line.startswith("pip install ")
    python = fresh_environment(folder / "environment")
    run(line, folder, {**environment, "PATH": os.pathsep.join([str(python.parent), environment["PATH"]])})
    return python


def fresh_environment(folder: Path) -> Path:
    """Make a virtual environment that sees the packages of this one, pip among them, and return its Python."""
    venv.create(folder)
    python, pip = folder / "bin" / "python", folder / "bin" / "pip"
    packages = Path(run([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], folder).strip())
    (packages / "tests.pth").write_text(sysconfig.get_path("purelib"))
    pip.write_text(f'#!/bin/sh\nexec "{python}" -m pip "$@"\n')
    pip.chmod(0o755)
    return python


@pytest.mark.parametrize("name", SHIPPED)
def test_with_the_library(
    name: str,
    cards: dict[str, str],
    installed: Path,
    photos: list[Path],
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    code = snippets(cards[name], "python")[0]
    assert f'from_pretrained("ann/{name}")' in code
    where = "import flower_alexnet; print(flower_alexnet.__file__)"
    assert run([str(installed), "-c", where], tmp_path).startswith(str(installed.parents[1]))
    printed = answers(code, photos, tmp_path, environment, installed)
    for output, expected in zip(printed, FlowerClassifier.from_pretrained(name)(photos), strict=True):
        label, probability, *known = output.split()
        assert label == expected.label
        assert float(probability) == pytest.approx(expected.probability, abs=1e-4)
        if known:
            assert float(known[0]) == pytest.approx(expected.in_distribution_probability, abs=1e-4)


def test_with_the_library_of_a_published_space(
    hub: Hub, environment: dict[str, str], photos: list[Path], tmp_path: Path
) -> None:
    publish(environment, "space", "ann/space")
    publish(environment, "model", "alexnet-baseline", "ann/from-space", "--space", "ann/space")
    repo = hub.repos["model", "ann/from-space"]
    text = repo.commits[repo.branches["main"]]["README.md"].content.decode()
    (line, *_), code = snippets(text, "bash"), snippets(text, "python")[0]
    assert line == f'pip install "flower-alexnet @ git+{hub.url}/spaces/ann/space"\n'
    python = fresh_environment(tmp_path / "environment")
    run(line, tmp_path, {**environment, "PATH": os.pathsep.join([str(python.parent), environment["PATH"]])})
    printed = answers(code, photos, tmp_path, environment, python)
    expected = FlowerClassifier.from_pretrained("alexnet-baseline")(photos)
    assert [output.split()[0] for output in printed] == [prediction.label for prediction in expected]


@pytest.mark.parametrize("name", SHIPPED)
def test_with_torch_alone(
    name: str, cards: dict[str, str], photos: list[Path], environment: dict[str, str], tmp_path: Path
) -> None:
    code = snippets(cards[name], "python")[1]
    assert len(code.splitlines()) <= 25
    modules = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [it.name for it in node.names])
    }
    assert modules == {"io", "json", "PIL", "safetensors", "torch"}
    run(snippets(cards[name], "bash")[1], tmp_path, {**environment, "HF_TOKEN": ""})
    head = set() if FlowerClassifier.from_pretrained(name).in_distribution_head is None else {HEAD}
    assert {file.name for file in tmp_path.glob("[!.]*")} == {"config.json", "model.safetensors"} | head
    assert_same(answers(code, photos, tmp_path, environment), name, photos)


@pytest.mark.parametrize("name", SHIPPED)
def test_with_onnx_runtime(
    name: str, cards: dict[str, str], plain_photos: list[Path], environment: dict[str, str], tmp_path: Path
) -> None:
    run(snippets(cards[name], "bash")[2], tmp_path, {**environment, "HF_TOKEN": ""})
    assert sorted(file.name for file in tmp_path.glob("[!.]*")) == ["labels.json", "model.onnx", "model_int8.onnx"]
    assert tuple(json.loads((tmp_path / "labels.json").read_text())) == LABELS
    assert "onnxruntime-web" in cards[name]
    code = snippets(cards[name], "python")[2]
    assert len(ast.parse(code).body) <= 7  # two of them imports
    assert_same(answers(code, plain_photos, tmp_path, environment), name, plain_photos)


@pytest.mark.parametrize("name", SHIPPED)
def test_on_real_photos(
    name: str, cards: dict[str, str], environment: dict[str, str], tmp_path: Path, real_photos: Path
) -> None:
    for line in snippets(cards[name], "bash")[1:]:
        run(line, tmp_path, environment)
    _, torch_alone, onnx = snippets(cards[name], "python")
    srgb, other = pick(real_photos, srgb=True), pick(real_photos, srgb=False)
    assert_same(answers(torch_alone, srgb + other, tmp_path, environment), name, srgb + other)
    assert_same(answers(onnx, srgb, tmp_path, environment), name, srgb)


def test_card_without_a_published_library_says_so(hub: Hub, environment: dict[str, str], photos: list[Path]) -> None:
    publish(environment, "model", "alexnet-baseline", "ann/plain", "--revision", "trial", "--no-onnx")
    repo = hub.repos["model", "ann/plain"]
    files = repo.commits[repo.branches["trial"]]
    text = files["README.md"].content.decode()
    assert "The library is not published with this model." in text
    assert "pip install" not in text
    assert 'from_pretrained("ann/plain@trial")' in text
    assert "--revision trial" in text
    assert "model.onnx" not in files
    assert "onnx" not in text
    written = (registry.find("alexnet-baseline") / "README.md").read_text()
    assert [it.partition("## Use")[0] for it in (text, written)] == [text.partition("## Use")[0]] * 2
    assert text.partition("## Training")[2] == written.partition("## Training")[2]


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_card_is_what_its_measurements_say(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    folder = registry.find(name)
    summary = json.loads((folder / "metrics.json").read_text())
    assert str(card(FlowerClassifier.from_pretrained(folder), summary, folder)) == (folder / "README.md").read_text()


def test_card_of_other_classes_speaks_of_them_alone(random_model: Path, tmp_path: Path) -> None:
    summary = json.loads((registry.find("alexnet") / "metrics.json").read_text())
    summary["dataset"] = {"name": "pets", "labels": ["cat", "Hund ö"]}
    shipped = FlowerClassifier.from_pretrained(random_model)
    classifier = FlowerClassifier(shipped.network, replace(shipped.config, labels=("cat", "Hund ö"), num_classes=2))
    text = str(card(classifier, summary, tmp_path / "pets"))
    assert "It classifies a photo as cat or Hund ö." in text
    assert "--data pets" in text
    assert "flower_photos" not in text
    assert "daisy" not in text.partition("## Results")[0]
    assert "flowers" not in str(ModelCard(text).data.to_dict())


@pytest.mark.parametrize("resize", [70, 80, 200])
def test_crop_of_the_card_is_the_librarys(resize: int) -> None:
    preprocessing = Preprocessing(resize=resize, crop=70)
    for size in ((130, 97), (97, 200), (300, 300)):
        image = drawn_flower("daisy", size=size)
        crop = eval(_crop(preprocessing), {"Image": Image, "ImageOps": ImageOps, "image": image})
        assert crop.tobytes() == center_crop(image, preprocessing).permute(1, 2, 0).contiguous().numpy().tobytes()
