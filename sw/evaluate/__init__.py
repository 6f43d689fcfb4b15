"""How right networks are on labelled samples, side by side, and where they part."""

from sw.evaluate.forms import Form, open_form
from sw.evaluate.labelled import Labelled, read_labelled
from sw.evaluate.layers import LayerLoss, layer_losses

__all__ = ["Form", "Labelled", "LayerLoss", "layer_losses", "open_form", "read_labelled"]
