"""What most commands need, made once in the process that they are forked from; see ``commands``."""

import train.drawn

_pictures = tuple(train.drawn.images())  # the same in every call, and drawn for four seconds
train.drawn.images = lambda: iter(_pictures)
