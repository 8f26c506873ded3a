"""Recipes: one frozen dataclass each, holding every number that shapes a training run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from flower_alexnet.images import Preprocessing, View

LEARNING_RATES = {"sgd": 0.01, "momentum": 0.003, "adagrad": 0.002, "adam": 0.0002, "muon": 0.001}
"""Highest learning rate of each optimizer where a recipe names none."""

WHOLE = 0.875
"""Zoom of a view that shows all of a square photo: 224 of 256 pixels."""

VIEWS = {
    1: (View(),),
    4: (View(WHOLE), View(WHOLE, flip=True), View(WHOLE, x=0, y=0), View(WHOLE, x=1, y=1, flip=True)),
}
"""The squares that are cut from a photo to be classified, by their number."""

Share = Annotated[float, Field(ge=0, lt=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class InvalidRecipe(ValueError):
    """A field of a recipe has a value it cannot have."""


@dataclass(frozen=True)
class Recipe:
    """What a run is made of.

    Args:
        batch_norm: train the variant with batch normalisation.
        dropout: probability with which a feature is dropped before each hidden linear layer.
        epochs: passes over the training photos.
        batch_size: photos a step.
        optimizer: sgd, momentum (SGD with Nesterov momentum 0.9), adagrad, adam, or muon for convolutions
            with AdamW for the rest.
        learning_rate: the highest of the run; None takes the optimizer's own from LEARNING_RATES.
        muon_learning_rate: the highest of convolutions under muon; learning_rate is that of the rest.
        warmup_epochs: epochs in which the learning rate rises from 0.
        cosine: whether it then falls to 0 along a half cosine, or stays.
        weight_decay: L2 penalty on the weights, or with muon the share, times the learning rate, that they lose a
            step; biases and normalisation have none.
        label_smoothing: share of the target spread over all classes.
        average_decay: decay a step of the averaged weights that the run ends with; 0 averages nothing.
        size: height and width in pixels of the pictures the network sees.
        first_size: size of the first epochs, from which it grows in steps of 32 pixels; None keeps to size.
        resize: pixels that the shorter side of a photo is scaled to before a picture is cut out.
        crop_scale: smallest share of a photo's area in a random resized crop; None crops at one scale.
        flip: probability of a mirrored picture.
        trivial_augment: whether one of 14 distortions of shape or colour, of random strength, is made of each
            picture (Müller and Hutter, 2021).
        grayscale: probability of a picture without colour.
        blur: probability of a picture scaled down and up again.
        noise: probability of Gaussian noise.
        zoom_out: probability of a picture shrunk onto a piece of another photo: a small flower.
        erase: probability that a random rectangle is blotted out (Zhong et al., 2017).
        mix: probability that the pictures of a batch are mixed in pairs, and their labels alike: as a whole
            (Zhang et al., 2017), a part (Yun et al., 2019) or one shrunk onto the other (Qin et al., 2020).
        teacher: shipped model, model folder or Hub repository whose answer to each picture is learnt from as well
            (Hinton et al., 2015); None learns from the labels alone.
        distillation: share of the target that is the teacher's answer.
        views: squares of a photo over which the trained network's answer is averaged.
        seed: of every random choice; equal seeds make equal runs on one machine.
    """

    batch_norm: bool = False
    dropout: Share = 0.5
    epochs: Count = 15
    batch_size: Count = 32
    optimizer: Literal["sgd", "momentum", "adagrad", "adam", "muon"] = "adam"
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    muon_learning_rate: Annotated[float, Field(gt=0)] = 0.02
    warmup_epochs: Annotated[float, Field(ge=0)] = 0
    cosine: bool = False
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    label_smoothing: Share = 0.0
    average_decay: Share = 0.0
    size: Annotated[int, Field(ge=63, le=1024)] = 224
    first_size: Annotated[int, Field(ge=63, le=1024)] | None = None
    resize: Annotated[int, Field(ge=63, le=1024)] = 256
    crop_scale: Annotated[float, Field(gt=0, le=1)] | None = None
    flip: Probability = 0.5
    trivial_augment: bool = False
    grayscale: Probability = 0.0
    blur: Probability = 0.0
    noise: Probability = 0.0
    zoom_out: Probability = 0.0
    erase: Probability = 0.0
    mix: Probability = 0.0
    teacher: str | None = None
    distillation: Probability = 0.5
    views: Literal[1, 4] = 1
    seed: Annotated[int, Field(ge=0)] = 0

    def __post_init__(self) -> None:
        if self.size > self.resize:
            raise InvalidRecipe(f"size {self.size} is larger than resize {self.resize}.")

    @property
    def peak_learning_rate(self) -> float:
        """The learning rate after the warm-up."""
        return self.learning_rate or LEARNING_RATES[self.optimizer]

    @property
    def preprocessing(self) -> Preprocessing:
        """How photos are prepared for the trained network; its mean and std are the seed's, 0.5 a channel."""
        return Preprocessing(resize=self.resize, crop=self.size, views=VIEWS[self.views])


@dataclass(frozen=True)
class Seed(Recipe):
    """The recipe of the blog post this project began as: 15 epochs of random crops and flips.

    74.9 % on test with one seed, in 5 minutes on two cores of an AMD EPYC.
    """


@dataclass(frozen=True)
class AlexNetBN(Recipe):
    """AlexNet with batch normalisation, trained as well as we can.

    92.4 ± 0.5 % on test over three seeds, each in 43 minutes on one core of an AMD EPYC, two of them side by side.
    """

    batch_norm: bool = True
    epochs: int = 100
    batch_size: int = 64
    optimizer: Literal["sgd", "momentum", "adagrad", "adam", "muon"] = "muon"
    warmup_epochs: float = 3
    cosine: bool = True
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    average_decay: float = 0.998
    first_size: int | None = 128
    crop_scale: float | None = 0.2
    trivial_augment: bool = True
    grayscale: float = 0.1
    blur: float = 0.1
    noise: float = 0.05
    zoom_out: float = 0.1
    mix: float = 0.1
    views: Literal[1, 4] = 4


@dataclass(frozen=True)
class PlainAlexNet(AlexNetBN):
    """AlexNet layer for layer, without batch normalisation, which learns from labels and from alexnet-bn alike.

    93.2 ± 0.3 % on test over three seeds, each in 59 minutes on one core of an AMD EPYC, two of them side by side.
    """

    batch_norm: bool = False
    muon_learning_rate: float = 0.01
    teacher: str | None = "alexnet-bn"


RECIPES: dict[str, Recipe] = {"seed": Seed(), "alexnet": PlainAlexNet(), "alexnet_bn": AlexNetBN()}
"""The recipes by the names they have on the command line."""


def check(recipe: Recipe) -> Recipe:
    """The recipe itself, if each field has a value it can have.

    Raises:
        InvalidRecipe: names the fields that do not.
    """
    try:
        TypeAdapter(type(recipe)).validate_python(vars(recipe))
    except ValidationError as error:
        problems = "; ".join(f"{problem['loc'][0]}: {problem['msg']}" for problem in error.errors())
        raise InvalidRecipe(f"The recipe cannot be run: {problems}.") from error
    return recipe
