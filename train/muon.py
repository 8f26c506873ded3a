"""An optimizer that takes Muon steps on convolutions and AdamW steps on all other parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW, Optimizer

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic iteration that brings all singular values near 1 in five steps (Jordan et al., 2024)."""


class MuonAdamW(AdamW):
    """AdamW, except for parameter groups with ``muon=True``, which take Muon steps (Jordan et al., 2024).

    Muon orthogonalizes the momentum of a convolution as a matrix (out_channels, in_channels x height x width). With
    equal singular values, directions that are rare in the data are learned as fast as common ones. For the linear
    layers, up to 2048 x 4608 weights, this would cost more than their forward and backward pass together.

    Args:
        groups: parameter groups, each with ``params``, ``weight_decay``, and optionally ``lr`` and ``muon``.
        lr: learning rate of groups without one.
        momentum: decay of the moving average of the gradient in Muon groups.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float, momentum: float = 0.95) -> None:
        super().__init__([{"muon": False, **group} for group in groups], lr=lr, fused=True)
        self.momentum = momentum
        # Or a scaler of float16 gradients would leave it to the fused AdamW to unscale them, and Muon's stay scaled.
        self._step_supports_amp_scaling = False

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over a saved state; AdamW's own method would look for its tensors in Muon's parameters, too."""
        Optimizer.__setstate__(self, state)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Take one step in every parameter group."""
        for group in self.param_groups:
            for parameter in group["params"] if group["muon"] else ():
                self._muon_step(parameter, group["lr"], group["weight_decay"])
                parameter.grad = None  # so that AdamW skips it
        super().step(closure)

    def _muon_step(self, parameter: Tensor, lr: float, weight_decay: float) -> None:
        gradient, state = parameter.grad, self.state[parameter]
        if gradient is None:
            return
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        average = state["momentum_buffer"]
        average.lerp_(gradient, 1 - self.momentum)
        nesterov = gradient.lerp(average, self.momentum)
        update = orthogonalize(nesterov.flatten(1))
        rows, columns = update.shape
        parameter.mul_(1 - lr * weight_decay)
        parameter.sub_(update.view(parameter.shape), alpha=lr * max(1, rows / columns) ** 0.5)


def orthogonalize(matrix: Tensor, steps: int = 5) -> Tensor:
    """Bring all singular values of a matrix (M, N) near 1 by a Newton-Schulz iteration in bfloat16."""
    a, b, c = NEWTON_SCHULZ
    wide = matrix.shape[0] <= matrix.shape[1]
    x = (matrix if wide else matrix.T).bfloat16()
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x if wide else x.T).to(matrix.dtype)
