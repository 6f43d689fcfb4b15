"""One case of a campaign: a network file, its inputs and the chip that they run on."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from golden.spec.config import Config
from tb.fuzz.base_case import BaseCase
from tb.fuzz.chips import CHIPS
from tb.fuzz.onnx.network import draw

__all__ = ["Case"]

_KEY = "sentei.case"  # of what a saved file says beside its network


@dataclass(frozen=True, eq=False, kw_only=True)
class Case(BaseCase):
    """A network and what is done with it.

    Parameters
    ----------
    model : onnx.ModelProto
    form : str
        One of `tb.fuzz.onnx.sketch.FORMS`; ``float`` is quantized by `sw.quantize` first.
    shapes : dict of str to tuple of int
        Of inputs whose sizes the model leaves open.
    seed : int
        Of the inputs and of how it is quantized.
    """

    model: onnx.ModelProto
    form: str
    shapes: dict[str, tuple[int, ...]]
    seed: int

    @property
    def config(self) -> Config:
        """The chip."""
        return CHIPS[self.chip]

    @classmethod
    def draw(cls, chip: str, number: int, steps: int = 7) -> "Case":
        """The case of that number on that chip."""
        seed = int(np.random.default_rng([number, *chip.encode()]).integers(1 << 31))
        drawn = draw(seed, steps=steps)
        return cls(name=f"{chip}-{number}", chip=chip, model=drawn.model, shapes=drawn.shapes,
                   form=drawn.form, seed=seed)

    @classmethod
    def named(cls, name: str) -> "Case":
        """The case of a name, or of a file that `save` has written.

        Raises
        ------
        ValueError
            If it is neither.
        """
        return cls._loaded(Path(name)) if name.endswith(".onnx") else super().named(name)

    @classmethod
    def _loaded(cls, path: Path) -> "Case":
        try:
            model = onnx.load(path)
            (said,) = (item.value for item in model.metadata_props if item.key == _KEY)
            said = json.loads(said)
            said["shapes"] = {name: tuple(shape) for name, shape in said["shapes"].items()}
            if said["chip"] not in CHIPS:
                raise ValueError(f"chip {said['chip']!r}")
            return cls(model=model, **said)
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is not a case: {type(error).__name__} {error}") from None

    def save(self, path: Path) -> None:
        """Write a file that `named` reads."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        onnx.helper.set_model_props(model, {_KEY: json.dumps(
            {name: getattr(self, name) for name in ("name", "chip", "form", "shapes", "seed")})})
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, path)

    def __str__(self) -> str:
        graph = self.model.graph
        opset = max(item.version for item in self.model.opset_import if not item.domain)
        lines = [f"case {self.name}: {self.form}, opset {opset}, seed {self.seed}"]
        lines += [f"  {node.op_type}({', '.join(node.input)}) -> {', '.join(node.output)} "
                  + " ".join(f"{item.name}={onnx.helper.get_attribute_value(item)}"
                             for item in node.attribute if item.name != "value")
                  for node in graph.node]
        return "\n".join(lines)
