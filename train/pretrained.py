"""Pretrained classifiers of timm as teachers: what they know of the world helps a network that saw few photos."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import httpx2
import torch
from filelock import FileLock
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import Dataset
from torchvision.transforms.v2 import functional as transforms
from tqdm import tqdm

from flower_alexnet.config import InvalidModel, Preprocessing
from flower_alexnet.files import replace_atomically
from flower_alexnet.images import normalize
from train import loaders
from train.augment import mix
from train.cache import CACHE, make_folder
from train.data import TrainingData
from train.recipes import RECIPES, InvalidRecipe
from train.teacher import Targets

TIMM = "timm/"
"""What the name of a pretrained classifier of timm begins with."""

RECIPE = replace(RECIPES["alexnet-bn"], size=192, initial_size=None, crop_scale=0.3, batch_size=48, outliers=24)
"""The images that such a classifier is fine-tuned on."""

FROZEN = 1 / 3
"""Share of its parameters, the first ones, that stay as they are: what they find is of use for any photo."""

BODY_RATE, LAST_RATE = 4e-4, 2e-3
"""Peak learning rates of its other parameters, and of its last layer, with AdamW."""

LARGEST = 144
"""Pixels of the images that it looks at as a teacher on a CPU, at most: more would take longer than the student's own
steps."""


STEPS = 20
"""Least steps in an epoch, of few photos."""

PENALTY = 1e-3
"""Weight of the squared weights of the last layer, where it alone is fitted."""

VIEW = 224
"""Pixels of the photos, as they are, that it is fitted to and measured on."""


class PretrainedTeacher(nn.Module):
    """A pretrained classifier of timm with a new last layer: the classes, and whether a photo shows one of them.

    Args:
        name: of the model, as timm calls it.
        classes: number of classes.
        can_tell: whether it is trained on photos of other things as well.

    Raises:
        InvalidRecipe: timm is not installed or has no such pretrained model.
        InvalidModel: its weights cannot be downloaded.
    """

    body: Any
    mean: Tensor
    std: Tensor

    def __init__(self, name: str, classes: int, can_tell: bool = True) -> None:
        super().__init__()
        self.can_tell = can_tell
        if importlib.util.find_spec("timm") is None:
            raise InvalidRecipe(f"teacher: {TIMM}{name} needs timm. Install it first: pip install timm")
        import timm  # only here: it is not needed otherwise, and takes seconds

        try:
            self.body = timm.create_model(name, pretrained=True, num_classes=0)
        except (HfHubHTTPError, LocalEntryNotFoundError, httpx2.HTTPError, OSError) as error:
            raise InvalidModel(f"teacher: the weights of {name} could not be downloaded ({error}).") from error
        except (RuntimeError, ValueError) as error:
            raise InvalidRecipe(
                f"teacher: timm has no pretrained model {name} ({error}). See timm.list_models(pretrained=True)."
            ) from error
        cfg = self.body.pretrained_cfg
        self.fixed_size = cfg["input_size"][-1] if cfg.get("fixed_input_size") else None
        self.register_buffer("mean", torch.tensor(cfg["mean"]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(cfg["std"]).view(3, 1, 1), persistent=False)
        with torch.no_grad():  # some have a layer between num_features and what is read
            width = self.body.eval()(torch.zeros(1, *cfg["input_size"])).shape[1]
        self.last = nn.Linear(width, classes + 1)
        nn.init.normal_(self.last.weight, std=0.01)
        nn.init.zeros_(self.last.bias)

    def logits(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits, float32 (N, classes) and (N,), of images (N, 3, H, W) as recipes normalize them."""
        logits = self.last(self.features(images)).float()
        return logits[:, :-1], logits[:, -1]

    def features(self, images: Tensor) -> Tensor:
        """Return what the last layer reads, (N, features)."""
        if self.fixed_size and images.shape[-1] != self.fixed_size:
            images = F.interpolate(images, (self.fixed_size, self.fixed_size), mode="bilinear", antialias=True)
        pixels = images * Preprocessing.std[0] + Preprocessing.mean[0]
        features: Tensor = self.body((pixels - self.mean) / self.std)
        return features

    @torch.no_grad()
    def forward(self, images: Tensor) -> Targets:
        """Return what it says of images (N, 3, H, W) as recipes normalize them."""
        if images.device.type == "cpu" and images.shape[-1] > LARGEST and not self.fixed_size:
            images = F.interpolate(images, (LARGEST, LARGEST), mode="bilinear", antialias=True)
        logits, in_distribution = self.logits(images)
        return Targets(torch.softmax(logits, dim=1), torch.sigmoid(in_distribution) if self.can_tell else None)


def pretrained_teacher(
    name: str, data: TrainingData, epochs: int, device: torch.device, cache: Path = CACHE
) -> PretrainedTeacher:
    """Return a pretrained classifier that was trained on these photos: found in the cache, or trained and kept there.

    First its new last layer is fitted to the photos as they are; then, for some epochs, most of its layers are
    fine-tuned on augmented ones. It prints how good it is on the validation photos. Only one process trains.

    Args:
        name: of the model, as timm calls it.
        data: photos, and outliers if there are; without them it cannot tell what it does not know.
        epochs: of the fine-tuning.
        device: that it is trained on, and on which it is returned.
        cache: folder of the file that is kept.

    Raises:
        InvalidRecipe, InvalidModel: as ``PretrainedTeacher``.
        InvalidDataset: nothing can be kept in the cache.
    """
    teacher = PretrainedTeacher(name, len(data.labels), can_tell=data.outliers is not None).to(device)
    shape = data.photos[0][0].shape  # as they were decoded
    described = json.dumps(
        [name, data.labels, data.fingerprint, epochs, data.outliers is not None, shape, repr(RECIPE)]
    )
    file = cache / f"teacher-{hashlib.sha256(described.encode()).hexdigest()[:16]}.safetensors"
    make_folder(cache)
    with FileLock(f"{file}.lock"):
        if file.is_file():
            tqdm.write(f"{TIMM}{name}, trained on these photos before, is in {file}.", file=sys.stderr)
        else:
            with torch.random.fork_rng():
                torch.manual_seed(0)
                _fit_last_layer(teacher, data)
                _tell(f"{TIMM}{name}, its last layer fitted", teacher, data)
                if epochs:
                    teacher = _fine_tuned(teacher, data, epochs)
            temporary = file.with_suffix(".part")
            save_file({key: value.cpu().contiguous() for key, value in teacher.state_dict().items()}, temporary)
            replace_atomically(temporary, file)
    teacher.load_state_dict(load_file(file))
    return teacher.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _fit_last_layer(teacher: PretrainedTeacher, data: TrainingData) -> None:
    """Fit the last layer alone: logistic regressions on the features of the photos as they are."""
    teacher.eval()
    features, targets = _features(teacher, data.photos)
    mean, std = features.mean(0), features.std(0) + 1e-6
    inside = (features - mean) / std
    outside = inside[:0]
    if data.outliers is not None:
        outside = (_features(teacher, data.outliers)[0] - mean) / std
    classes = len(data.labels)
    weight = torch.zeros(classes + 1, features.shape[1], device=features.device, requires_grad=True)
    bias = torch.zeros(classes + 1, device=features.device, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        logits, other_logits = F.linear(inside, weight, bias), F.linear(outside, weight, bias)
        error = F.cross_entropy(logits[:, :classes], targets) + PENALTY * weight.square().sum()
        if len(outside):
            error = error - F.logsigmoid(logits[:, -1]).mean() - F.logsigmoid(-other_logits[:, -1]).mean()
        error.backward()
        return error

    optimizer.step(loss)
    with torch.no_grad():
        teacher.last.weight.copy_(weight / std)
        teacher.last.bias.copy_(bias - (weight / std) @ mean)


@torch.no_grad()
def _features(teacher: PretrainedTeacher, photos: Dataset[tuple[Tensor, int]]) -> tuple[Tensor, Tensor]:
    """Return features (N, features) and targets (N,) of decoded photos, of the center of each."""
    rows, targets, device = [], [], teacher.mean.device
    indices = torch.arange(len(photos))  # type: ignore[arg-type]
    for some in tqdm(indices.split(RECIPE.batch_size), desc="looking at photos", leave=False):
        chosen = [photos[index] for index in some.tolist()]
        views = [transforms.center_crop(transforms.resize(pixels, [VIEW]), [VIEW, VIEW]) for pixels, _ in chosen]
        rows.append(teacher.features(normalize(torch.stack(views), Preprocessing()).to(device)))
        targets += [target for _, target in chosen]
    return torch.cat(rows).float(), torch.tensor(targets, device=device)


def _fine_tuned(teacher: PretrainedTeacher, data: TrainingData, epochs: int) -> PretrainedTeacher:
    """Return the average of its weights in some epochs on augmented photos, and outliers if there are."""
    parameters = [*teacher.body.parameters()]
    frozen, trained = parameters[: round(FROZEN * len(parameters))], parameters[round(FROZEN * len(parameters)) :]
    for parameter in frozen:
        parameter.requires_grad_(False)
    optimizer = torch.optim.AdamW(
        [
            {"params": trained, "peak": BODY_RATE},
            {"params": teacher.last.parameters(), "peak": LAST_RATE},
        ],
        weight_decay=0.02,
    )
    average = AveragedModel(teacher, multi_avg_fn=get_ema_multi_avg_fn(0.98))
    steps = max(STEPS, len(data.photos) // RECIPE.batch_size)  # type: ignore[arg-type]
    source = loaders.build(RECIPE, data, RECIPE.batch_size, teacher.mean.device, batches=steps)
    for epoch in range(epochs):
        for has_epochs in source.have_epochs:
            has_epochs.set_epoch(epoch)
        # Layers that normalize keep what they learned of many more photos than these.
        teacher.eval()
        batches = tqdm(
            _batches(source.photos, source.outliers, len(data.labels)),
            total=steps,
            desc=f"teacher, epoch {epoch + 1}",
            leave=False,
        )
        for step, batch in enumerate(batches):
            images, targets, outliers = (tensor.to(teacher.mean.device) for tensor in batch)
            done = (epoch * steps + step) / (epochs * steps)
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * min(1, 20 * done + 0.05) * (1 + math.cos(math.pi * done)) / 2
            with torch.autocast(images.device.type, torch.bfloat16, enabled=has_bfloat16()):
                logits, in_distribution = teacher.logits(torch.cat([images, outliers]))
            known = len(images)
            loss = F.cross_entropy(logits[:known], targets, label_smoothing=0.05)
            if len(outliers):
                loss = loss - 0.3 * logits[known:].log_softmax(1).mean()
                is_known = (torch.arange(len(logits), device=logits.device) < known).float()
                loss = loss + F.binary_cross_entropy_with_logits(in_distribution, is_known)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(teacher.parameters(), 5.0)
            optimizer.step()
            average.update_parameters(teacher)
        _tell(f"teacher, epoch {epoch + 1}/{epochs}", average.module, data)  # type: ignore[arg-type]
    return average.module  # type: ignore[return-value]


def _batches(
    photos: Iterable[tuple[Tensor, Tensor]], outliers: Iterable[tuple[Tensor, Tensor]], classes: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield normalized images (N, 3, S, S), soft targets (N, classes), and outliers (M, 3, S, S), for each step."""
    outlier_batches = iter(outliers)
    for pixels, targets in photos:
        images, soft = mix(normalize(pixels, RECIPE.preprocessing), targets, RECIPE.mix_prob, classes)
        others = images[:0]
        for other_pixels, unused in islice(outlier_batches, 1):
            others, _ = mix(normalize(other_pixels, RECIPE.preprocessing), torch.zeros_like(unused), RECIPE.mix_prob, 1)
        yield images, soft, others


@torch.no_grad()
def _tell(what: str, teacher: PretrainedTeacher, data: TrainingData) -> None:
    """Print its accuracy on the validation photos."""
    images, targets = data.validation
    teacher.eval()
    right = sum(
        (teacher.logits(some.to(teacher.mean.device))[0].argmax(1).cpu() == answers).sum().item()
        for some, answers in zip(images.split(32), targets.split(32), strict=True)
    )
    tqdm.write(f"{what}: {right / len(targets):.1%} of {len(targets)} validation photos", file=sys.stderr)


def has_bfloat16() -> bool:
    """Return whether the hardware computes in bfloat16; emulated, it is 16 times slower."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
