"""Training recipes: one frozen dataclass each, with every number that shapes a run."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from flower_alexnet.config import Preprocessing

LEARNING_RATES = {"sgd": 0.01, "momentum": 0.003, "adagrad": 0.002, "adam": 0.0002, "muon": 0.001}
"""Default peak learning rate of each optimizer."""

Fraction = Annotated[float, Field(ge=0, lt=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class InvalidRecipe(ValueError):
    """A field of a recipe has an invalid value; the message names it."""


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters of a training run.

    Args:
        batch_norm: train the variant with batch normalization.
        dropout: dropout probability before each hidden linear layer.
        epochs: passes over the training photos.
        batch_size: photos per step, over all processes; all photos if there are fewer.
        optimizer: sgd, momentum (SGD with Nesterov momentum 0.9), adagrad, adam, or muon (Muon for convolutions,
            AdamW for all other parameters).
        learning_rate: peak learning rate; None takes the optimizer's default from LEARNING_RATES.
        muon_learning_rate: peak learning rate of the convolutions with muon; learning_rate is that of the rest.
        warmup_epochs: epochs of linear learning-rate warm-up from 0.
        cosine: decay the learning rate to 0 along a half cosine after the warm-up; otherwise keep it constant.
        weight_decay: L2 penalty on the weights, or with muon decoupled weight decay (each step multiplies them by
            1 - learning rate x weight_decay); biases and normalization layers have none.
        label_smoothing: fraction of the target that is spread evenly over all classes.
        ema_decay: decay per step of the exponential moving average of the weights, which becomes the trained
            network; 0 keeps no average. In a run of few steps it is lowered to 1 - 5 / steps.
        size: height and width in pixels of the training crops.
        inference_size: height and width in pixels of the trained network's input; None takes size. Random resized
            crops show a flower larger than the whole photo does, so that somewhat smaller crops show it at the same
            size, and train faster (Touvron et al., 2019).
        initial_size: size in the first epochs, which then grows to size in steps of 32 pixels; None trains at size
            throughout.
        resize: length in pixels that the shorter side of a training photo is resized to before cropping.
        crop_pct: side of the trained network's center crop as a fraction of a photo's shorter side.
        crop_scale: smallest fraction of a photo's area in a random resized crop; None takes random crops at one
            scale.
        flip_prob: probability of a horizontal flip.
        trivial_augment: apply one of 14 geometric or color transforms at random strength to each image (Müller and
            Hutter, 2021).
        grayscale_prob: probability of converting an image to grayscale.
        blur_prob: probability of blurring an image by downscaling and upscaling it.
        noise_prob: probability of adding Gaussian noise.
        zoom_out_prob: probability of pasting the image, shrunk, onto a crop of another photo, for small flowers.
        erase_prob: probability of erasing a random rectangle (Zhong et al., 2017).
        compress_prob: probability of saving an image, perhaps larger or smaller, as a JPEG or WebP of random quality,
            so that the network cannot tell photos of the classes from others by their compression, which says where a
            photo is from.
        mix_prob: probability of mixing the images of a batch in pairs, with their targets: by MixUp (Zhang et al.,
            2017), CutMix (Yun et al., 2019) or ResizeMix (Qin et al., 2020); outliers are mixed with outliers.
        start: shipped model, model folder or Hub repository whose weights the run starts from, those of its head too;
            None starts from random weights.
        teacher: shipped model, model folder or Hub repository to distill from (Hinton et al., 2015); a folder of model
            folders, whose probabilities are averaged; or timm/NAME, a pretrained classifier of timm, which is first
            trained on the photos itself. Of several, separated by commas, the probabilities are averaged. None trains
            on the labels alone.
        teacher_epochs: epochs in which a teacher of timm is fine-tuned after its new last layer was fitted; with 0 that
            layer alone is fitted.
        distillation_weight: weight of the teacher's probabilities in the targets.
        outliers: photos of other things in each step, beside batch_size photos of the classes (outlier exposure,
            Hendrycks et al., 2019); with 0 the model cannot tell what it does not know.
        squares: small parts of the photos in each step, which the teacher tells whether they show a class: leaves, sky
            and soil are photos of other things, too.
        recolor_prob: probability of giving an outlier the colors of a photo of the classes, and half as often a photo
            the colors of an outlier, so that the network cannot tell them by their colors.
        uniform_weight: weight in the loss of the outliers' cross-entropy to the uniform distribution.
        in_distribution_weight: weight in the loss of the in-distribution head's binary cross-entropy.
        seed: random seed; equal seeds give equal runs on one machine.
    """

    batch_norm: bool = False
    dropout: Fraction = 0.5
    epochs: Count = 15
    batch_size: Count = 32
    optimizer: Literal["sgd", "momentum", "adagrad", "adam", "muon"] = "adam"
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    muon_learning_rate: Annotated[float, Field(gt=0)] = 0.02
    warmup_epochs: Annotated[float, Field(ge=0)] = 0
    cosine: bool = False
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    label_smoothing: Fraction = 0.0
    ema_decay: Fraction = 0.0
    size: Annotated[int, Field(ge=63, le=1024)] = 224
    inference_size: Annotated[int, Field(ge=63, le=1024)] | None = None
    initial_size: Annotated[int, Field(ge=63, le=1024)] | None = None
    resize: Annotated[int, Field(ge=63, le=1024)] = 256
    crop_pct: Annotated[float, Field(gt=0.2, le=1)] = 0.875
    crop_scale: Annotated[float, Field(gt=0, le=1)] | None = None
    flip_prob: Probability = 0.5
    trivial_augment: bool = False
    grayscale_prob: Probability = 0.0
    blur_prob: Probability = 0.0
    noise_prob: Probability = 0.0
    zoom_out_prob: Probability = 0.0
    erase_prob: Probability = 0.0
    compress_prob: Probability = 0.0
    mix_prob: Probability = 0.0
    start: str | None = None
    teacher: str | None = None
    teacher_epochs: Annotated[int, Field(ge=0)] = 6
    distillation_weight: Probability = 0.5
    outliers: Annotated[int, Field(ge=0)] = 0
    squares: Annotated[int, Field(ge=0)] = 0
    recolor_prob: Probability = 0.0
    uniform_weight: Annotated[float, Field(ge=0)] = 0.5
    in_distribution_weight: Annotated[float, Field(ge=0)] = 1.0
    seed: Annotated[int, Field(ge=0)] = 0

    def __post_init__(self) -> None:
        if self.size > self.resize:
            raise InvalidRecipe(f"size {self.size} is larger than resize {self.resize}.")
        if self.inference_size is not None and self.inference_size < self.size:
            raise InvalidRecipe(f"size {self.size} is larger than inference_size {self.inference_size}.")

    @property
    def peak_learning_rate(self) -> float:
        """Return the learning rate after the warm-up."""
        return self.learning_rate or LEARNING_RATES[self.optimizer]

    @property
    def preprocessing(self) -> Preprocessing:
        """Return the preprocessing at inference; mean and std are the baseline's, 0.5 per channel."""
        crop = self.inference_size or self.size
        return Preprocessing(resize=round(crop / self.crop_pct), crop=crop)


@dataclass(frozen=True)
class AlexNetBaseline(Recipe):
    """The recipe of the blog post: AlexNet, 15 epochs of random crops and flips.

    74.9 % test accuracy with one seed, in 5 minutes on two cores of an AMD EPYC.
    """


@dataclass(frozen=True)
class AlexNetBN(Recipe):
    """AlexNet with batch normalization: Muon, strong augmentation, averaged weights, 170 epochs.

    Photos of other things are in each step. An earlier version, which did not compress images anew in each step, had
    91.8 ± 0.5 % test accuracy over three seeds, with two teachers, in 126 minutes (one of them, beside other work, in
    144) on one core of an AMD EPYC. The shipped weights went on from earlier ones in several runs, one of them on a
    GPU; train/README.md tells how.
    """

    batch_norm: bool = True
    epochs: int = 170
    batch_size: int = 64
    optimizer: Literal["sgd", "momentum", "adagrad", "adam", "muon"] = "muon"
    warmup_epochs: float = 3
    cosine: bool = True
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    ema_decay: float = 0.998
    size: int = 176
    inference_size: int | None = 224
    initial_size: int | None = 128
    crop_scale: float | None = 0.2
    trivial_augment: bool = True
    grayscale_prob: float = 0.1
    blur_prob: float = 0.1
    noise_prob: float = 0.05
    zoom_out_prob: float = 0.1
    compress_prob: float = 0.75
    mix_prob: float = 0.1
    recolor_prob: float = 0.25
    crop_pct: float = 1.0
    outliers: int = 48


@dataclass(frozen=True)
class AlexNetPlain(AlexNetBN):
    """AlexNet layer for layer, without batch normalization, distilled from alexnet-bn.

    The shipped weights, 92.1 % on test (92.6 ± 0.6 % over three seeds), have EfficientNet-Lite0, -Lite1 and -Lite2 as
    their teachers, and went on from earlier ones in several runs, one of them on a GPU; train/README.md tells how.
    """

    batch_norm: bool = False
    muon_learning_rate: float = 0.01
    teacher: str | None = "alexnet-bn"


RECIPES: dict[str, Recipe] = {
    "alexnet-baseline": AlexNetBaseline(),
    "alexnet": AlexNetPlain(),
    "alexnet-bn": AlexNetBN(),
}
"""The recipes by their names on the command line."""

ALIASES = {"baseline": "alexnet-baseline", "seed": "alexnet-baseline", "alexnet_bn": "alexnet-bn"}
"""Other names that the command line accepts -> the recipe's name."""


STEPS_AN_EPOCH = 8
"""Steps that an epoch of few photos is cut into, as far as batches of ``LEAST_BATCH`` allow."""

LEAST_STEPS = 1000
"""Steps that a run of few photos has at least: of 64 photos, 170 epochs of one step each end before it has learned."""

LEAST_BATCH = 16


def fitted(recipe: Recipe, photos: int) -> Recipe:
    """Return a recipe of many photos as it suits few: smaller batches, with fewer outliers each, and more epochs.

    Recipes of 512 photos and more, and those whose epochs or batches somebody chose, stay as they are.

    Args:
        recipe: with ``epochs``, ``batch_size`` and ``outliers`` as its class has them, or as they were chosen.
        photos: number of photos to train on.
    """
    default = type(recipe)()
    if photos >= STEPS_AN_EPOCH * recipe.batch_size or (recipe.epochs, recipe.batch_size) != (
        default.epochs,
        default.batch_size,
    ):
        return recipe
    batch_size = min(recipe.batch_size, max(LEAST_BATCH, 2 ** int(math.log2(max(1, photos // STEPS_AN_EPOCH)))))
    steps = max(1, photos // batch_size)
    outliers = math.ceil(recipe.outliers * batch_size / recipe.batch_size)
    return replace(
        recipe, batch_size=batch_size, outliers=outliers, epochs=max(recipe.epochs, math.ceil(LEAST_STEPS / steps))
    )


ENOUGH_EPOCHS = 40
"""Epochs, below which smaller images and more epochs are better than larger ones."""

SMALLEST, SIZE_STEP = 96, 16
"""Pixels of the smallest images that a run in a given time takes, and between the sizes that it chooses from."""


FOR_SECONDS = ("epochs", "warmup_epochs", "size", "initial_size", "inference_size", "resize")
"""Fields of a recipe that ``for_seconds`` chooses."""


def for_seconds(recipe: Recipe, seconds: float, seconds_a_step: float, steps: int) -> Recipe:
    """Return a recipe that takes a given time: at most its own epochs, of images of its own size or smaller ones.

    A step takes longer in the square of the image size.

    Args:
        recipe: the whole recipe.
        seconds: that there are.
        seconds_a_step: measured at the recipe's size.
        steps: in an epoch.
    """
    for size in [*range(recipe.size, SMALLEST - 1, -SIZE_STEP)] or [recipe.size]:
        scale, initial, area = size / recipe.size, None, size**2
        if recipe.initial_size is not None:
            initial = min(size, max(SMALLEST, round(scale * recipe.initial_size)))
            area = (initial**2 + size**2) // 2
        epochs = int(seconds / (steps * seconds_a_step * area / recipe.size**2))
        if epochs >= min(ENOUGH_EPOCHS, recipe.epochs):
            break
    epochs = min(recipe.epochs, max(1, epochs))
    return replace(
        recipe,
        epochs=epochs,
        warmup_epochs=min(recipe.warmup_epochs, epochs / 10),
        size=size,
        initial_size=initial,
        inference_size=None if recipe.inference_size is None else round(scale * recipe.inference_size),
        resize=recipe.resize if recipe.crop_scale is not None else round(scale * recipe.resize),
    )


def validate(recipe: Recipe) -> Recipe:
    """Return the recipe if every field has a valid value.

    Raises:
        InvalidRecipe: names the fields that do not.
    """
    try:
        TypeAdapter(Recipe).validate_python(vars(recipe))  # with the bounds, which the recipes do not repeat
        TypeAdapter(Preprocessing).validate_python(vars(recipe.preprocessing))  # or the model could not be loaded
    except ValidationError as error:
        problems = "; ".join(f"{problem['loc'][0]}: {problem['msg']}" for problem in error.errors())
        raise InvalidRecipe(f"The recipe cannot be run: {problems}.") from error
    return recipe
