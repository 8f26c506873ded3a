"""Muon for convolutions, AdamW for everything else, in one optimizer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic iteration, chosen by Jordan et al. to drive all singular values near 1 in five steps."""


class MuonAdamW(AdamW):
    """AdamW, except for groups with ``muon=True``: their steps are orthogonalised momentum (Jordan et al., 2024).

    A convolution's gradient is taken as a matrix (channels out, channels in x height x width). Making its
    singular values equal lets directions that are rare in the data be learnt as fast as common ones. For the
    linear layers, of 2048 x 4608 weights, it would cost more than their forward and backward pass together.

    Args:
        groups: as of any optimizer; ``lr`` and ``weight_decay`` a group, and ``muon``.
        momentum: decay of the averaged gradient of a Muon group.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float, momentum: float = 0.95) -> None:
        super().__init__([{"muon": False, **group} for group in groups], lr=lr, fused=True)
        self.momentum = momentum

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step of every group."""
        for group in self.param_groups:
            for parameter in group["params"] if group["muon"] else ():
                self._muon_step(parameter, group["lr"], group["weight_decay"])
                parameter.grad = None  # AdamW passes over it
        super().step(closure)

    def _muon_step(self, parameter: Tensor, lr: float, weight_decay: float) -> None:
        gradient, state = parameter.grad, self.state[parameter]
        if gradient is None:
            return
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        average = state["momentum_buffer"]
        average.lerp_(gradient, 1 - self.momentum)
        ahead = gradient.lerp(average, self.momentum)  # as Nesterov's momentum looks ahead
        update = orthogonalise(ahead.flatten(1))
        rows, columns = update.shape
        parameter.mul_(1 - lr * weight_decay)
        parameter.sub_(update.view(parameter.shape), alpha=lr * max(1, rows / columns) ** 0.5)


def orthogonalise(matrix: Tensor, steps: int = 5) -> Tensor:
    """The matrix (M, N) with its singular values all brought near 1, by a Newton-Schulz iteration in bfloat16."""
    a, b, c = NEWTON_SCHULZ
    wide = matrix.shape[0] <= matrix.shape[1]
    x = (matrix if wide else matrix.T).bfloat16()
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x if wide else x.T).to(matrix.dtype)
