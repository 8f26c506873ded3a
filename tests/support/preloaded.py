"""What most commands need, imported or made once in the process that they are forked from; see ``commands``."""

import torchvision.transforms.v2  # noqa: F401

import train.drawn

_pictures = tuple(train.drawn.images())  # the same in every call, and drawn for four seconds
train.drawn.images = lambda: iter(_pictures)
