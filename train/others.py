"""Photos of other things than the classes: found, listed, or made from public datasets as the outliers of training.

python -m train.others FOLDER --small

A run makes them by itself; the command makes a set to look at, or the smaller one that earlier versions trained on.
"""

from __future__ import annotations

import filecmp
import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import tyro
from filelock import FileLock
from PIL import Image, ImageOps
from torch import Tensor
from torchvision.datasets import Caltech101, Flowers102
from torchvision.datasets.utils import download_and_extract_archive
from tqdm import tqdm

from flower_alexnet.dataset import SPLIT_FOLDERS, InvalidDataset, LabeledPhoto, by_hash
from flower_alexnet.files import Walked, walk
from flower_alexnet.images import has_image_suffix
from flower_alexnet.words import counted, printable
from train.cache import CACHE, make_folder
from train.data import fingerprint, shown_path
from train.decoded import DecodedPhotos

OTHER_PHOTOS = "other_photos"
"""Name of the folder that is made of public datasets."""

TRAINING_SPECIES = """
    alpine sea holly, bee balm, black-eyed susan, blackberry lily, blanket flower, bolero deep blue, californian
    poppy, camellia, canna lily, cape flower, clematis, fire lily, foxglove, fritillary, garden phlox, gaura,
    gazania, geranium, giant white arum lily, great masterwort, hibiscus, lenten rose, lotus, magnolia, mallow,
    mexican petunia, moon orchid, morning glory, orange dahlia, peruvian lily, pincushion flower, pink primrose,
    poinsettia, prince of wales feathers, purple coneflower, red ginger, silverbush, spear thistle, spring crocus,
    stemless gentian, sweet william, sword lily, thorn apple, toad lily, wallflower, water lily, windflower, yellow
    iris
"""
"""Species of Flowers102 to train on; between commas, as torchvision names them. Neither here nor among those to
validate on are the five flowers (sunflower, common dandelion, oxeye daisy, rose), what most people call a daisy too
(barbeton daisy, osteospermum), and 32 species that are kept for measurements of others."""

VALIDATION_SPECIES = """
    anthurium, azalea, bromelia, buttercup, columbine, corn poppy, english marigold, frangipani, king protea, love
    in the mist, petunia, ruby-lipped cattleya, siam tulip, snapdragon, tree mallow, tree poppy
"""

VALIDATION_CATEGORIES = """
    Leopards, barrel, binocular, buddha, butterfly, car_side, chandelier, dragonfly, elephant, emu, ferry,
    gramophone, helicopter, ketch, lamp, llama, schooner, stegosaurus, trilobite, wheelchair
"""
"""Categories of Caltech101 to validate on; all others but those of ``LEFT_OUT`` are trained on."""

LEFT_OUT = {"sunflower", "Faces_easy"}
"""Categories of Caltech101 that show one of the five flowers, or the photos of another category again."""

BACKGROUND = "BACKGROUND_Google"
"""Caltech101's category of photos of anything."""

PHOTOS = 6
"""Photos of a species or category: kinds count, numbers hardly do."""

BACKGROUND_PHOTOS = slice(30), slice(200, 220)
"""Photos of ``BACKGROUND`` to train and to validate on."""

SIDE, LONGEST, QUALITY = 256, 1.5, 82
"""Pixels of the shorter side, most times that of the longer one, and JPEG quality of Oxford's photos; colors keep their
full resolution. Halved color resolution (4:2:0) gave the first edition of these photos away: a network that learned of
it took 27 % of other things for a flower when they were saved so, and 37 % as they were."""

EDITION = "third_edition"
"""Folder of the cache in which the photos are; earlier editions, of fewer kinds, were beside it."""

IMAGENET = "https://github.com/EliSchwartz/imagenet-sample-images/archive/refs/heads/master.zip"
FLOWERS17 = "https://www.robots.ox.ac.uk/~vgg/data/flowers/17/17flowers.tgz"
"""Addresses of one photo of each of ImageNet's thousand kinds (110 MB), and of Oxford's 17 flowers (60 MB)."""

SAMPLES = Path(__file__).with_name("imagenet_samples.txt")
"""Which of the former to train and to validate on."""

KINDS17 = [
    "daffodil",
    "snowdrop",
    "lily of the valley",
    "bluebell",
    "crocus",
    "iris",
    "tiger lily",
    "tulip",
    "fritillary",
    "sunflower",
    "daisy",
    "coltsfoot",
    "dandelion",
    "cowslip",
    "buttercup",
    "windflower",
    "pansy",
]
"""Oxford's 17 flowers in the order of their files, 80 of each."""

TRAINING17 = {"daffodil", "snowdrop", "lily of the valley", "crocus", "iris", "fritillary", "cowslip"}
VALIDATION17 = {"bluebell", "tiger lily"}

PHOTOS17 = 8
"""Photos of each of these."""

VALIDATION_SHARE = 0.2
"""Share of a folder's photos, by the SHA-256 of their names, to validate on if it is not split by folders."""


def find_or_make(cache: Path = CACHE) -> Path:
    """Return the folder of other photos: ``$OTHER_PHOTOS`` if set, else the one in the cache, made if need be.

    1,375 photos are made of Oxford's 102 and 17 flowers (Nilsback and Zisserman, 2008 and 2006), Caltech-101 (Fei-Fei,
    Fergus and Perona, 2004) and samples of ImageNet (research and education only; none is redistributed), 650 MB
    together; what was downloaded is deleted.

    Raises:
        InvalidDataset: a download failed.
    """
    if given := os.environ.get("OTHER_PHOTOS"):
        return Path(given)
    folder = cache / EDITION / OTHER_PHOTOS
    make_folder(folder.parent)
    with FileLock(cache / ".others.lock"):  # another process may be making it
        if not folder.is_dir():
            part, downloads = cache / f"{OTHER_PHOTOS}.part", cache / f"{OTHER_PHOTOS}.downloads"
            shutil.rmtree(part, ignore_errors=True)  # of a killed process
            try:
                make(part, downloads)
            except (OSError, RuntimeError) as error:
                raise InvalidDataset(
                    f"The photos of other things could not be downloaded ({error}). Run the command again, give your "
                    "own with --others FOLDER, or train with --no-others: the model then cannot tell what it does not "
                    "know."
                ) from error
            part.rename(folder)
            shutil.rmtree(downloads, ignore_errors=True)
    return folder


def make(folder: Path, downloads: Path, small: bool = False) -> None:
    """Write ``train``, with a folder of flowers and one of things, and ``validation``, with a folder for each dataset.

    In them each kind has a folder. Of each species and category, the photos are those whose file names come first by
    SHA-256.

    Args:
        folder: to write into.
        downloads: folder that the datasets are downloaded to, or found in.
        small: take Oxford's 102 flowers and Caltech-101 alone.

    Raises:
        OSError, RuntimeError: a download failed, or is not what it should be.
    """
    chosen: dict[str, list[Path]] = {}
    for name, files in _species(downloads).items():
        for part, species in (("train", TRAINING_SPECIES), ("validation", VALIDATION_SPECIES)):
            if name in _names(species):
                folder_name = re.sub(r"\W+", "-", name)
                chosen[f"{_place(part, 'flowers102')}/{folder_name}"] = by_hash(files)[:PHOTOS]
    Caltech101(downloads, download=True)
    for category in sorted((downloads / "caltech101" / "101_ObjectCategories").iterdir()):
        if category.name in LEFT_OUT or not category.is_dir():
            continue
        files = by_hash(category.glob("*.jpg"))
        if category.name == BACKGROUND:
            for part, some in zip(("train", "validation"), BACKGROUND_PHOTOS, strict=True):
                chosen[f"{_place(part, 'caltech101')}/{BACKGROUND}"] = files[some]
        else:
            part = "validation" if category.name in _names(VALIDATION_CATEGORIES) else "train"
            chosen[f"{_place(part, 'caltech101')}/{category.name}"] = files[:PHOTOS]
    if not small:
        chosen |= _elsewhere(downloads)
    for name, files in tqdm(chosen.items(), desc="photos of other things"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for file in files:
            if "caltech101" in file.parts:
                shutil.copyfile(file, folder / name / file.name)
            else:
                new = folder / name / file.with_suffix(".jpg").name
                _shrunk(file).save(new, quality=QUALITY, subsampling="4:4:4")


def _place(part: str, dataset: str) -> str:
    """Return the folder of a dataset's kinds: to train on, flowers and things are each drawn half of the times."""
    return f"train/{'flowers' if 'flowers' in dataset else 'things'}" if part == "train" else f"validation/{dataset}"


def _elsewhere(downloads: Path) -> dict[str, list[Path]]:
    """Return the files of ImageNet's samples and of Oxford's 17 flowers by the folder of their kind, downloaded if they
    are not there.

    Raises:
        OSError, RuntimeError: a download failed, or is not what it should be.
    """
    chosen: dict[str, list[Path]] = {}
    samples, flowers = downloads / "imagenet", downloads / "flowers17"
    for address, place in ((IMAGENET, samples), (FLOWERS17, flowers)):
        if not place.is_dir():
            download_and_extract_archive(address, str(downloads), str(place))
    files = {file.stem: file for file in samples.rglob("n*.*")}
    part = ""
    for line in SAMPLES.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            part = line.strip("[]")
        elif not line.startswith("#"):
            if line not in files:
                raise RuntimeError(f"{IMAGENET} does not hold {line}")
            kind = line.partition("_")[2].replace("_", " ")
            chosen.setdefault(f"{_place(part, 'imagenet')}/{kind}", []).append(files[line])
    for number, kind in enumerate(KINDS17):
        for part, kinds in (("train", TRAINING17), ("validation", VALIDATION17)):
            if kind in kinds:
                names = [Path(f"image_{80 * number + index:04d}.jpg") for index in range(1, 81)]
                found = [flowers / "jpg" / name for name in by_hash(names)[:PHOTOS17]]
                chosen[f"{_place(part, 'flowers17')}/{kind} (17)"] = found
    return chosen


def _shrunk(file: Path) -> Image.Image:
    """Return a photo with a shorter side of at most ``SIDE`` pixels, the middle of its longer side cut out."""
    with Image.open(file) as image:
        rgb = image.convert("RGB")
    shorter, longer = min(rgb.size), max(rgb.size)
    scale = min(1, SIDE / shorter)
    side, length = round(scale * shorter), round(scale * min(longer, LONGEST * shorter))
    size = (length, side) if rgb.width > rgb.height else (side, length)
    return ImageOps.fit(rgb, size, Image.Resampling.LANCZOS)


MIN_KINDS = 5
"""Sub-folders of other photos from which on whole ones are held out to validate on."""

OtherPhotos = dict[str, dict[str, list[Path]]]
"""Files of ``train`` and of ``validation``, each by the sub-folder that they are in."""


def split(folder: Path) -> OtherPhotos:
    """List the photos of ``train`` and ``validation``.

    These are the folders of those names if there are no others. Otherwise sub-folders are kinds of things: of
    ``MIN_KINDS`` and more, the fifth whose names come first by SHA-256 is to validate on, so that the model is measured
    on kinds that it did not see. Of fewer, it is the fifth of all photos, which flatters.

    Raises:
        InvalidDataset: there is no such folder, or one of the two has no photos.
    """
    groups = subfolders(folder)
    if sorted(SPLIT_FOLDERS.get(name.lower(), "") for name in groups) == ["train", "validation"]:
        return {SPLIT_FOLDERS[name.lower()]: subfolders(folder / name) for name in groups}
    kinds = [path.name for path in by_hash(Path(name) for name in groups if name != ".")]
    if len(kinds) >= MIN_KINDS:
        held_out = kinds[: round(VALIDATION_SHARE * len(kinds))]
        return {
            "train": {name: files for name, files in groups.items() if name not in held_out},
            "validation": {name: groups[name] for name in held_out},
        }
    every = by_hash(file for files in groups.values() for file in files)
    to_validate = set(every[: round(VALIDATION_SHARE * len(every))])
    if not to_validate:
        raise InvalidDataset(f"{folder} holds {counted(len(every), 'photo')} of other things; at least 3 are needed.")
    parts = {"train": set(every) - to_validate, "validation": to_validate}
    return {
        part: {name: kept for name, files in groups.items() if (kept := [file for file in files if file in chosen])}
        for part, chosen in parts.items()
    }


def check_apart(others: Iterable[LabeledPhoto], photos: Iterable[LabeledPhoto]) -> None:
    """Check that no photo of other things is one of the classes as well.

    Raises:
        InvalidDataset: one is; the message names both.
    """
    by_size: dict[int, list[Path]] = {}
    for photo in photos:
        by_size.setdefault(photo.path.stat().st_size, []).append(photo.path)
    for file in (other.path for other in others):
        for photo_file in by_size.get(file.stat().st_size, ()):
            if filecmp.cmp(file, photo_file, shallow=False):
                raise InvalidDataset(
                    f"{file} is among the photos of other things, but is the same photo as {photo_file}, of a class. "
                    "Give a folder of photos that show none of the classes."
                )


def listed(groups: Mapping[str, Sequence[Path]]) -> list[LabeledPhoto]:
    """Return the photos of all sub-folders; their targets are the numbers of their kinds, which are the folders that
    the files are in."""
    kinds: dict[Path, int] = {}
    files = [file for group in groups.values() for file in group]
    return [LabeledPhoto(file, kinds.setdefault(file.parent, len(kinds))) for file in files]


def decoded(groups: Mapping[str, Sequence[Path]], short_side: int) -> tuple[DecodedPhotos, Tensor]:
    """Return the photos of all sub-folders decoded, as ``DecodedPhotos`` does, and how often each is drawn, (N,).

    Raises:
        InvalidDataset: no photo can be read, or nothing can be kept in the cache.
    """
    photos = DecodedPhotos(listed(groups), short_side)
    return photos, weights(groups, photos.labels)


def weights(groups: Mapping[str, Sequence[Path]], kinds: Tensor) -> Tensor:
    """Return how often each photo is drawn in comparison with the others, (N,).

    Args:
        groups: what was listed.
        kinds: of the N photos that could be read, as ``listed`` numbers them, (N,).
    """
    of_kind = shares(groups)
    return (of_kind / kinds.bincount(minlength=len(of_kind)).clamp(min=1))[kinds]


def shares(groups: Mapping[str, Sequence[Path]]) -> Tensor:
    """Return the share of each kind in what is trained on, (kinds,), by their numbers in ``listed``.

    Each sub-folder is drawn as often as another, and in it each kind, whatever the number of its photos: kinds teach,
    numbers hardly do.
    """
    kinds = [len({file.parent for file in files}) for files in groups.values()]
    return torch.tensor([1 / len(kinds) / number for number in kinds for _ in range(number)])


def find_again(given: Path | None, run: Mapping[str, Any]) -> Path:
    """Return the folder of the other photos that a run was trained beside.

    Args:
        given: the folder, if it was given.
        run: what ``describe`` returned of it; empty if that is not known.

    Raises:
        InvalidDataset: it was not given, and is none that could be made.
    """
    if given is None and not os.environ.get("OTHER_PHOTOS") and run.get("name", OTHER_PHOTOS) != OTHER_PHOTOS:
        raise InvalidDataset(
            f"The model was trained beside the photos of other things in {run.get('path', run['name'])}. Give their "
            "folder with --others."
        )
    return given or find_or_make()


def describe(folder: Path, photos: OtherPhotos) -> dict[str, Any]:
    """Return what metrics.json says of other photos.

    Returns:
        name: the folder's.
        path: as it was given.
        held_out: ``kinds`` if no folder has photos in both parts, ``photos`` otherwise.
        photos: a fingerprint.
        train, validation: numbers of photos.
    """
    parts = {part: listed(groups) for part, groups in photos.items()}
    kinds = {part: {photo.path.parent.name for photo in files} for part, files in parts.items()}
    return {
        "name": printable(folder.resolve().name),
        "path": shown_path(folder),
        "held_out": "kinds" if kinds["train"].isdisjoint(kinds["validation"]) else "photos",
        "photos": fingerprint(
            {part: [LabeledPhoto(photo.path, 0) for photo in parts[part]] for part in parts}, ["others"]
        ),
        **{part: len(files) for part, files in parts.items()},
    }


def subfolders(folder: Path) -> dict[str, list[Path]]:
    """Return the image files in each folder of a folder, at any depth, by its name; those beside them by ".".

    Raises:
        InvalidDataset: there is no such folder, or no photo in it.
    """
    groups: dict[str, list[Path]] = {}
    found = walk(folder) if folder.is_dir() else Walked([], [])
    if found.unreadable:
        raise InvalidDataset(f"{found.unreadable[0]} may not be read. Change the permissions, or move it away.")
    for file in map(Path, found.files):
        parts = file.relative_to(folder).parts
        if has_image_suffix(file.name):
            groups.setdefault(parts[0] if len(parts) > 1 else ".", []).append(file)
    if not groups:
        problem = "does not exist" if not folder.exists() else "holds no photos" if folder.is_dir() else "is a file"
        raise InvalidDataset(f"The folder of other photos {folder} {problem}. Give a folder of photos of other things.")
    return groups


def _species(downloads: Path) -> dict[str, list[Path]]:
    """Return the files of each species, downloaded if they are not there."""
    files: dict[str, list[Path]] = {}
    for part in ("train", "val", "test"):
        dataset = Flowers102(downloads, part, download=True)
        for file, label in zip(dataset._image_files, dataset._labels, strict=True):
            files.setdefault(Flowers102.classes[label], []).append(file)
    return files


def _names(text: str) -> set[str]:
    return {" ".join(name.split()) for name in text.split(",")}


def main(folder: tyro.conf.Positional[Path], small: tyro.conf.FlagCreatePairsOff[bool] = False) -> None:
    """Make the set of photos of other things that a run trains beside.

    Args:
        folder: new folder to write it into; give it to python -m train with --others.
        small: take Oxford's 102 flowers and Caltech-101 alone, 480 MB to download in place of 650.
    """
    if folder.exists():
        sys.exit(f"{folder} is there already. Choose a new folder.")
    downloads = folder.with_name(f"{folder.name}.downloads")
    try:
        make(folder, downloads, small)
    except (OSError, RuntimeError) as error:
        sys.exit(f"The photos could not be downloaded ({error}). Run the command again.")
    shutil.rmtree(downloads)


if __name__ == "__main__":
    tyro.cli(main, prog="python -m train.others")
