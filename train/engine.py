"""The training loop."""

from __future__ import annotations

import ctypes
import math
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import asdict, replace
from datetime import timedelta
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration, set_seed
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import Subset
from tqdm import tqdm

from flower_alexnet import FlowerClassifier
from flower_alexnet.images import normalize
from flower_alexnet.model import HIDDEN, AlexNet, NetworkWithHead
from train import checkpoint, loaders
from train.augment import mix, recolored, size_in
from train.checkpoint import History
from train.data import TrainingData
from train.muon import MuonAdamW
from train.pretrained import TIMM, has_bfloat16, pretrained_teacher
from train.recipes import InvalidRecipe, Recipe
from train.teacher import Targets, Teacher, Teachers, names

NO_ACCELERATOR = not torch.accelerator.is_available()
"""Whether there is no accelerator; accelerate needs this argument, or several CPU processes do not connect."""

SECONDS_BETWEEN_CHECKPOINTS = 20.0
"""Seconds after which an accelerator, whose epoch may take half a second, writes another checkpoint."""

MEASURED_STEPS = 3
"""Steps that are taken to measure how long one takes."""

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Parameters of glibc's ``mallopt``, from malloc.h."""


class Trained(NamedTuple):
    """The result of a run.

    Args:
        network: on the CPU, in eval mode; its averaged weights if the recipe has an ema_decay.
        head: its in-distribution head; None without outliers.
        history: one row of measurements per epoch.
    """

    network: AlexNet
    head: nn.Linear | None
    history: History


def fit(
    recipe: Recipe, data: TrainingData, output: Path, resume: bool = False, trackers: Sequence[str] = ()
) -> Trained:
    """Train a network from scratch, or resume the run whose checkpoint is in output.

    Under ``accelerate launch`` or ``torchrun`` each process takes an equal part of every batch; the main process
    writes the checkpoints. An epoch leaves out the photos, other ones each time, that do not fill a batch; of fewer
    photos than a batch it makes one batch.

    Args:
        recipe: the hyperparameters.
        data: photos and labels.
        output: folder in which a checkpoint is written after each epoch; of a run on an accelerator after the first,
            and then after some seconds.
        resume: continue from the checkpoint.
        trackers: names of accelerate's trackers, such as tensorboard or wandb, that are told the row of each epoch;
            what they write themselves goes into a folder beside output, with ``.log`` behind its name.

    Raises:
        InvalidModel, InvalidRecipe: the recipe's teacher cannot be used, the batch size or the number of outliers is
            not a multiple of the number of processes, or there are fewer photos than processes.
        InvalidCheckpoint: the checkpoint cannot be read, or is of another recipe, other labels or other photos.
        KeyboardInterrupt: on Ctrl-C, after the current step.
    """
    if recipe.outliers and data.outliers is None:
        raise InvalidRecipe("outliers: there are no photos of other things. Give them, or train with outliers 0.")
    if recipe.squares and not (recipe.outliers and recipe.teacher):
        raise InvalidRecipe(
            "squares: a teacher, and outliers beside them, are needed. Give both, or train with squares 0."
        )

    # The processes that train together, and their precision.
    accelerator = Accelerator(
        cpu=NO_ACCELERATOR,
        mixed_precision=os.environ.get("ACCELERATE_MIXED_PRECISION") or fastest_precision(),
        dataloader_config=DataLoaderConfiguration(split_batches=True, use_seedable_sampler=True),
        log_with=list(trackers) or None,
        project_dir=output.resolve().with_name(f"{output.resolve().name}.log"),
    )
    if trackers:
        accelerator.init_trackers("flower_alexnet", {key: str(value) for key, value in asdict(recipe).items()})
    keep_freed_memory()
    set_seed(recipe.seed)

    # The network, the average of its weights, and its optimizer.
    network = build_network(recipe, data.labels).to(accelerator.device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    batch_size = batch_size_for(recipe, len(data.photos), accelerator.num_processes)  # type: ignore[arg-type]
    steps = recipe.epochs * (len(data.photos) // batch_size)  # type: ignore[arg-type]
    average_weights = get_ema_multi_avg_fn(ema_decay_for(recipe, steps))
    average = AveragedModel(network, multi_avg_fn=average_weights, use_buffers=True)
    final: NetworkWithHead = average.module if recipe.ema_decay else network  # type: ignore[assignment]
    optimizer = build_optimizer(network, recipe)
    model, optimizer = accelerator.prepare(network, optimizer)
    teacher = None
    if recipe.teacher:
        teacher = build_teacher(recipe.teacher, recipe.teacher_epochs, data, accelerator.device)

    loader, outlier_loader, square_loader, have_epochs = loaders.build(
        recipe, data, batch_size, accelerator.device, accelerator.process_index, accelerator.num_processes
    )
    if not loaders.by_batches(accelerator.device):  # or they yield the part of this process by themselves
        loader, outlier_loader, square_loader = (
            accelerator.prepare(each) if each else each for each in (loader, outlier_loader, square_loader)
        )
        have_epochs = [*have_epochs, *filter(None, (loader, outlier_loader, square_loader))]
    validation = data.validation[0].to(accelerator.device), data.validation[1].to(accelerator.device)

    modules, history = {"network": network, "average": average}, History()
    if resume:
        history = checkpoint.restore(output, modules, optimizer, recipe, data.labels, data.fingerprint)

    saved = -math.inf
    for epoch in range(len(history), recipe.epochs):
        # Each epoch has its own random seed, so that a resumed run equals an uninterrupted one.
        set_seed(recipe.seed + 1_000_003 * (epoch + 1), device_specific=True)
        for has_epochs in have_epochs:
            has_epochs.set_epoch(epoch)
        outlier_batches, square_batches = iter(outlier_loader), iter(square_loader)
        started = told = time.perf_counter()
        sums = torch.zeros(3, device=accelerator.device)  # loss, correct answers and photos
        network.train()
        bar = tqdm(
            loader,
            desc=f"epoch {epoch + 1}/{recipe.epochs}",
            unit="batch",
            leave=False,
            disable=not accelerator.is_main_process,
        )
        with interrupt_between_steps() as check_interrupt, bar:
            for step, (pixels, targets) in enumerate(bar):
                set_learning_rate(optimizer, schedule(recipe, epoch + step / len(loader)))
                images, soft_targets = mix(
                    normalize(pixels, recipe.preprocessing), targets, recipe.mix_prob, len(data.labels)
                )
                outliers = images[:0]
                for outlier_pixels, unused in islice(outlier_batches, 1):
                    outliers, _ = mix(
                        normalize(outlier_pixels, recipe.preprocessing), torch.zeros_like(unused), recipe.mix_prob, 1
                    )
                    if recipe.recolor_prob:
                        images, outliers = (
                            recolored(images, outliers, recipe.recolor_prob / 2),
                            recolored(outliers, images, recipe.recolor_prob),
                        )
                squares = images[:0]
                for square_pixels, _ in islice(square_batches, 1):
                    squares = normalize(square_pixels, recipe.preprocessing)
                # How probable it is that each of all of them shows a class.
                known = torch.ones(len(images) + len(squares) + len(outliers), device=accelerator.device)
                known[len(images) + len(squares) :] = 0
                with accelerator.autocast():
                    if teacher is not None:
                        said: Targets = teacher(torch.cat([images, squares]))
                        soft_targets = soft_targets.lerp(said.probabilities[: len(images)], recipe.distillation_weight)
                        if said.in_distribution is not None:
                            of_photos, of_squares = said.in_distribution.tensor_split([len(images)])
                            known[: len(images)].lerp_(of_photos, recipe.distillation_weight)
                            known[len(images) :][: len(squares)] = of_squares
                    all_images = torch.cat([images, squares, outliers]).contiguous(memory_format=torch.channels_last)
                    all_logits, in_distribution_logits = model(all_images)
                logits, other_logits = all_logits.float().tensor_split([len(images)])
                loss = F.cross_entropy(logits, soft_targets, label_smoothing=recipe.label_smoothing)
                if len(outliers):
                    loss = loss + outlier_loss(other_logits, in_distribution_logits.float(), known, recipe)
                optimizer.zero_grad()
                accelerator.backward(loss)
                optimizer.step()
                if recipe.ema_decay:
                    average.update_parameters(network)

                correct = (logits.argmax(1) == targets).sum()
                sums += torch.stack([loss.detach() * len(targets), correct, torch.ones_like(loss) * len(targets)])
                if time.perf_counter() - told > 1:  # or an accelerator would have to be waited for in each step
                    told = time.perf_counter()
                    train_loss, train_accuracy = (sums[:2] / sums[2]).tolist()
                    bar.set_postfix(loss=f"{train_loss:.3f}", accuracy=f"{train_accuracy:.1%}")
                check_interrupt()
            loss_sum, correct_sum, seen = accelerator.reduce(sums).tolist()
            train_loss, train_accuracy = loss_sum / seen, correct_sum / seen
            with accelerator.autocast():
                validation_loss, validation_accuracy = measure(final.network, validation, accelerator.device)
            history.append(
                {
                    "epoch": epoch + 1,
                    "learning_rate": recipe.peak_learning_rate * schedule(recipe, epoch),
                    "train_loss": train_loss,
                    "train_accuracy": train_accuracy,
                    "validation_loss": validation_loss,
                    "validation_accuracy": validation_accuracy,
                    "seconds": time.perf_counter() - started,
                }
            )
            if accelerator.is_main_process:
                tqdm.write(progress(recipe, history), file=sys.stderr)
            accelerator.log({name: value for name, value in history[-1].items() if name != "epoch"}, step=epoch + 1)
            since_saved = time.perf_counter() - saved
            due = NO_ACCELERATOR or since_saved > SECONDS_BETWEEN_CHECKPOINTS or len(history) == recipe.epochs
            if due and accelerator.is_main_process:
                checkpoint.save(output, modules, optimizer, recipe, history, data.labels, data.fingerprint)
                saved = time.perf_counter()
            accelerator.wait_for_everyone()
            check_interrupt()

    for tracker in accelerator.trackers:
        tracker.finish()
    # Without the autocast wrapper that prepare() put around forward.
    trained: NetworkWithHead = accelerator.unwrap_model(final, keep_fp32_wrapper=False).cpu().eval()
    return Trained(trained.network, trained.head, history)


def seconds_a_step(recipe: Recipe, data: TrainingData) -> float:
    """Return how long a step at the recipe's size takes here: that of a run of a few, of which nothing is kept."""
    if recipe.teacher:  # trained on all photos, and kept: the few below would not do
        device = torch.accelerator.current_accelerator() or torch.device("cpu")
        build_teacher(recipe.teacher, recipe.teacher_epochs, data, device)
    batch_size = batch_size_for(recipe, len(data.photos), 1)  # type: ignore[arg-type]
    few = range(MEASURED_STEPS * batch_size)
    photos = Subset(data.photos, [index % len(data.photos) for index in few])  # type: ignore[arg-type]
    images, targets = data.validation
    few_data = replace(data, photos=photos, validation=(images[:1], targets[:1]))
    with tempfile.TemporaryDirectory() as folder, redirect_stderr(StringIO()):  # it tells of no run
        # The second epoch: in the first, memory is taken.
        *_, last = fit(replace(recipe, epochs=2, initial_size=None, warmup_epochs=0), few_data, Path(folder)).history
    return last["seconds"] / MEASURED_STEPS


def progress(recipe: Recipe, history: History) -> str:
    """Return what the last epoch came to, the best one so far, and the time left, in words."""
    last, best = history[-1], max(history, key=lambda row: row["validation_accuracy"])
    return (
        f"epoch {len(history)}/{recipe.epochs}: loss {last['train_loss']:.3f}, "
        f"validation loss {last['validation_loss']:.3f}, accuracy {last['validation_accuracy']:.1%} "
        f"(best {best['validation_accuracy']:.1%} in epoch {best['epoch']:.0f}), "
        f"{timedelta(seconds=round(seconds_left(recipe, history)))} left"
    )


def seconds_left(recipe: Recipe, history: History) -> float:
    """Return about how many seconds the rest of a run takes: an epoch takes longer in the square of the image size."""
    areas = [size_in(recipe, epoch) ** 2 for epoch in range(recipe.epochs)]
    recent = range(max(0, len(history) - 5), len(history))
    seconds_a_pixel = sum(history[epoch]["seconds"] for epoch in recent) / sum(areas[epoch] for epoch in recent)
    return seconds_a_pixel * sum(areas[len(history) :])


def outlier_loss(other_logits: Tensor, in_distribution_logits: Tensor, known: Tensor, recipe: Recipe) -> Tensor:
    """Return what the outliers of a batch add to the loss.

    It is the cross-entropy of their logits to the uniform distribution (Hendrycks et al., 2019), and the binary
    cross-entropy of the in-distribution head over the whole batch, each times its weight in the recipe.

    Args:
        other_logits: of M images that are no photos of the classes, or may be none, float32 (M, num_classes).
        in_distribution_logits: of N photos of the classes, then of these M, float32 (N + M,).
        known: probability that each, as it was augmented, shows a class, (N + M,); that of outliers is 0.
        recipe: the weights.
    """
    unknown = 1 - known[len(known) - len(other_logits) :]
    to_uniform = -(other_logits.log_softmax(1).mean(1) * unknown).sum() / unknown.sum().clamp(min=1)
    head = F.binary_cross_entropy_with_logits(in_distribution_logits, known)
    return recipe.uniform_weight * to_uniform + recipe.in_distribution_weight * head


def build_network(recipe: Recipe, labels: Sequence[str]) -> NetworkWithHead:
    """Return a network with random weights, or those that the recipe starts from, and a head if it has outliers.

    Raises:
        InvalidModel, InvalidRecipe: the recipe's start cannot be used.
    """
    network = NetworkWithHead(
        AlexNet(len(labels), batch_norm=recipe.batch_norm, dropout=recipe.dropout),
        nn.Linear(HIDDEN, 1) if recipe.outliers else None,
    )
    initialize(network)
    if recipe.start:
        start_from(recipe.start, network, labels)
    return network


def build_teacher(name: str, epochs: int, data: TrainingData, device: torch.device) -> nn.Module:
    """Return a trained model, or a pretrained classifier of timm that is trained on the photos first, or several.

    Raises:
        InvalidModel, InvalidRecipe: one cannot be used.
    """
    members = [
        pretrained_teacher(member.removeprefix(TIMM), data, epochs, device)
        if member.startswith(TIMM)
        else Teacher(member, data.labels).to(device)
        for member in names(name)
    ]
    return members[0] if len(members) == 1 else Teachers(members)


def set_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set the learning rate of each group of parameters to a factor, 0-1, of its peak."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor


def start_from(name: str, network: NetworkWithHead, labels: Sequence[str]) -> None:
    """Copy a trained model's weights, and those of its head if both have one; of a model with other labels all but its
    last layer, which stays random.

    Raises:
        InvalidModel: there is no such model, or it cannot be used.
        InvalidRecipe: it is a network of another kind.
    """
    classifier = FlowerClassifier.from_pretrained(name)
    own, weights = network.network.state_dict(), classifier.network.state_dict()
    if weights.keys() != own.keys():
        raise InvalidRecipe(f"start: {name} is with batch normalization or without it, the recipe not.")
    if classifier.config.labels != tuple(labels):
        *_, weight, bias = own
        weights |= {weight: own[weight], bias: own[bias]}
    network.network.load_state_dict(weights)
    if network.head is not None and classifier.in_distribution_head is not None:
        network.head.load_state_dict(classifier.in_distribution_head.state_dict())


@contextmanager
def interrupt_between_steps() -> Iterator[Callable[[], None]]:
    """Defer Ctrl-C until the yielded function is called, which then raises KeyboardInterrupt.

    An interrupt raised while a loader's worker starts would be lost.
    """
    interrupted = threading.Event()
    previous = signal.signal(signal.SIGINT, lambda *_: interrupted.set())

    def check() -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt

    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, previous)


def batch_size_for(recipe: Recipe, photos: int, processes: int) -> int:
    """Return the photos in a step: the recipe's batch size, or fewer if there are fewer photos.

    Raises:
        InvalidRecipe: the batch or the photos cannot go to that many processes.
    """
    for name in ("batch_size", "outliers"):
        if (number := getattr(recipe, name)) % processes:
            raise InvalidRecipe(f"{name}: {number} photos cannot go to {processes} processes.")
    if photos < processes:
        raise InvalidRecipe(f"{photos} photos to train on cannot go to {processes} processes. Start fewer.")
    return min(recipe.batch_size, photos - photos % processes)


def ema_decay_for(recipe: Recipe, steps: int) -> float:
    """Return the recipe's ``ema_decay``, or less in a run of few steps.

    The average reaches back over 1 / (1 - decay) steps. With alexnet-bn's 500, a run of 100 steps, as 60 photos give,
    would end with a share of 0.998^99 = 82 % of the weights after its first step. The average is therefore held to a
    fifth of the run, and the share of the first weights to e^-5 < 1 %.
    """
    return min(recipe.ema_decay, max(0.0, 1 - 5 / steps))


def schedule(recipe: Recipe, epoch: float) -> float:
    """Return the learning-rate factor, 0-1, after a (fractional) number of epochs.

    A linear warm-up is followed by a half cosine to 0, or by a constant 1 without ``recipe.cosine``.
    """
    if epoch < recipe.warmup_epochs:
        return epoch / recipe.warmup_epochs
    if not recipe.cosine:
        return 1
    progress = (epoch - recipe.warmup_epochs) / (recipe.epochs - recipe.warmup_epochs)
    return (1 + math.cos(math.pi * progress)) / 2


def build_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Return the recipe's optimizer, with weight decay only for the weights of convolutions and linear layers."""
    rate, decay = recipe.peak_learning_rate, recipe.weight_decay
    convolutions, matrices, vectors = (
        [parameter for parameter in network.parameters() if parameter.ndim == ndim] for ndim in (4, 2, 1)
    )
    groups: list[dict[str, Any]] = [
        {"params": convolutions, "lr": rate, "weight_decay": decay},
        {"params": matrices, "lr": rate, "weight_decay": decay},
        {"params": vectors, "lr": rate, "weight_decay": 0.0},
    ]
    if recipe.optimizer == "muon":  # scaled so that learning rate x weight decay is the same in all groups
        muon_rate = recipe.muon_learning_rate
        groups[0] |= {"muon": True, "lr": muon_rate, "weight_decay": decay * rate / muon_rate}
    for group in groups:
        group["initial_lr"] = group["lr"]
    match recipe.optimizer:
        case "sgd":
            return torch.optim.SGD(groups, fused=True)
        case "momentum":
            return torch.optim.SGD(groups, momentum=0.9, nesterov=True, fused=True)
        case "adagrad":
            return torch.optim.Adagrad(groups, fused=True)
        case "adam":
            return torch.optim.Adam(groups, fused=True)
        case "muon":
            return MuonAdamW(groups, rate)


def initialize(network: nn.Module) -> None:
    """Initialize convolutions and linear layers: Kaiming normal weights (He et al., 2015), zero biases."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


@torch.inference_mode()
def measure(network: nn.Module, validation: tuple[Tensor, Tensor], device: torch.device) -> tuple[float, float]:
    """Return mean cross-entropy and top-1 accuracy (0-1) on images (N, 3, H, W) and targets (N,)."""
    network.eval()
    images, targets = validation
    batches = images.to(memory_format=torch.channels_last).split(64)
    logits, targets = torch.cat([network(batch.to(device)).float() for batch in batches]), targets.to(device)
    return F.cross_entropy(logits, targets).item(), (logits.argmax(1) == targets).double().mean().item()


def keep_freed_memory() -> None:
    """Make glibc keep freed memory for the next step; returning it to the kernel makes a step take a fifth longer.

    Do nothing where the C library has no ``mallopt``.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def fastest_precision() -> str:
    """Return accelerate's name of the fastest precision: bf16 on hardware that has it, else no (float32)."""
    return "bf16" if has_bfloat16() else "no"
