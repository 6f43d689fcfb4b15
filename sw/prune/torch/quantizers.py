"""Fake quantization with the chip's numerics: int8 feature maps of one scale and zero point, int8
weights of one scale per output channel, symmetric; scales are any number, not powers of two.

Scaling a channel scales its quantized weights alike, so quantizing before a batch normalization
and folding that in afterwards gives the same integers as folding first.
"""

import torch
from torch import nn

__all__ = ["LEAST", "MOST", "FeatureQuantizer", "WeightQuantizer", "weight_scales"]

LEAST, MOST = -128, 127  # of feature maps; weights are symmetric, +-MOST
_MOMENTUM = 0.05  # of the observed ranges
_HALVES = 2.0**-10  # of a step: more than float32's error, less than any other fraction
_SMALLEST = 1e-8  # range of a feature map that is always zero


def weight_scales(weight: torch.Tensor) -> torch.Tensor:
    """Scale of each output channel, the first axis; 1 for a channel of zeros."""
    size = weight.detach().float().abs().amax(dim=tuple(range(1, weight.ndim)))
    return torch.where(size > 0, size / MOST, torch.ones_like(size))


class WeightQuantizer(nn.Module):
    """Weights as the chip has them.

    Members
    -------
    enabled : bool
        If not, weights pass as they are.
    """

    def __init__(self, enabled: bool) -> None:
        super().__init__()
        self.enabled = enabled

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Rounded to the chip's steps; gradients pass straight."""
        if not self.enabled:
            return weight
        with torch.autocast(weight.device.type, enabled=False):
            scales = weight_scales(weight)
            return torch.fake_quantize_per_channel_affine(
                weight.float(), scales, torch.zeros_like(scales, dtype=torch.int32), 0, -MOST,
                MOST)


class FeatureQuantizer(nn.Module):
    """A feature map as the chip has it.

    Members
    -------
    enabled : bool
        If not, values pass as they are; the range is observed all the same.
    observing : bool
        Does the range follow what is seen in training?
    least, most : tensor of float32
        The range; empty (least > most) before anything was seen.
    """

    least: torch.Tensor
    most: torch.Tensor

    def __init__(self, enabled: bool) -> None:
        super().__init__()
        self.enabled = enabled
        self.observing = True
        self.register_buffer("least", torch.tensor(torch.inf))
        self.register_buffer("most", torch.tensor(-torch.inf))

    def forward(self, values: torch.Tensor, observe: bool = True) -> torch.Tensor:
        """Rounded to the chip's steps; ``observe`` is off for what another feature map's scale
        is used for."""
        with torch.autocast(values.device.type, enabled=False):
            values = values.float()
            if observe and self.observing and (self.training or self.least > self.most):
                self._observe(values.detach())
            if not self.enabled:
                return values
            scale, zero = self.steps()
            # The chip rounds halves up, this function to even; pools meet halves often.
            values = values + scale * _HALVES
            return torch.fake_quantize_per_tensor_affine(values, scale, zero, LEAST, MOST)

    def steps(self) -> tuple[torch.Tensor, torch.Tensor]:
        """(scale, zero point): zero itself is a step."""
        least, most = self.least.clamp(max=0.0), self.most.clamp(min=0.0)
        scale = (most - least).clamp(min=_SMALLEST) / (MOST - LEAST)
        zero = (LEAST - least / scale).round().clamp(LEAST, MOST).to(torch.int32)
        return scale, zero

    def _observe(self, values: torch.Tensor) -> None:
        least, most = values.amin(), values.amax()
        if not bool(torch.isfinite(least) & torch.isfinite(most)):
            return  # a batch that overflowed in half precision is dropped by its optimizer, too
        if self.least > self.most:
            self.least.copy_(least)
            self.most.copy_(most)
        else:
            self.least.lerp_(least, _MOMENTUM)
            self.most.lerp_(most, _MOMENTUM)
