"""What the scripts about whole ONNX networks share."""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from PIL import Image

from golden.spec.config import preset
from sw.quantize import Choices, Quantized, input_specs, prepare, quantize, read_float
from sw.quantize.session import open_session
from sw.report.placement import Placement
from sw.session import GoldenEngine, Model, compiled, open_engine, open_model

__all__ = ["float_outputs", "int8_of", "int8_outputs", "machine", "options", "photograph", "say",
           "write"]

_FOLDER = tempfile.TemporaryDirectory()  # of quantized networks


def options(document: str | None) -> argparse.ArgumentParser:
    """Arguments that all scripts have."""
    parser = argparse.ArgumentParser(description=document)
    parser.add_argument("assets", type=Path, help="folder with the networks and samples")
    parser.add_argument("--json", type=Path, help="write the figures here")
    return parser


def say(text: str) -> None:
    """What is being done, or has been found."""
    print(text, flush=True)


def write(path: Path | None, figures: dict[str, Any]) -> None:
    """The figures as JSON, if they are asked for."""
    if path:
        path.write_text(json.dumps(figures, indent=1) + "\n")


def photograph(path: Path, size: tuple[int, int] | None = None) -> NDArray:
    """RGB pixels [rows, columns, 3]; stretched to (rows, columns) if given."""
    with Image.open(path) as picture:
        made = picture.convert("RGB")
        if size:
            made = made.resize(size[::-1], Image.Resampling.BILINEAR)
        return np.asarray(made)


def int8_of(path: Path, samples: list[NDArray],
            choices: Choices) -> tuple[Model, Quantized]:
    """The float network of one input, quantized on samples."""
    started = time.perf_counter()
    model = prepare(path, read_float(path, {}))
    (spec,) = input_specs(model)
    found = quantize(model, [{spec.name: sample} for sample in samples], choices)
    target = Path(_FOLDER.name) / f"{path.stem}_int8.onnx"
    onnx.save(found.model, target)
    say(f"{path.stem}: quantized on {len(samples)} samples in "
        f"{time.perf_counter() - started:.0f} s ({found.chosen.method}, "
        f"{found.chosen.score:.1f} dB where the chip's part ends)")
    return open_model(str(target)), found


def float_outputs(path: Path, samples: list[NDArray]) -> list[list[NDArray]]:
    """What the float network gives for each sample, in ONNX Runtime."""
    session = open_session(onnx.load(path))
    (name,) = [item.name for item in session.get_inputs()]
    return [session.run(None, {name: sample}) for sample in samples]


def int8_outputs(model: Model, samples: list[NDArray]) -> list[list[NDArray]]:
    """What golden gives for each sample."""
    assert model.graph is not None
    engine, names = GoldenEngine(model.graph), [item.name for item in model.outputs]
    found = [engine.run({model.inputs[0].name: sample}).outputs for sample in samples]
    return [[given[name] for name in names] for given in found]


def machine(model: Model, sample: NDArray, *, dense: bool = False) -> dict[str, Any]:
    """Figures of one inference on preset base, every value held against golden's."""
    config, inputs = preset("base"), {model.inputs[0].name: sample}
    program = compiled(model, config, dense=dense)
    say(f"{program.network}: compiled in {program.info['compile_seconds']:.0f} s; on the machine")
    engine = open_engine("machine", config, program)
    try:
        result = engine.run(inputs)
    finally:
        engine.close()
    assert model.graph is not None
    wanted = GoldenEngine(model.graph).run(inputs).outputs
    rows = program.layers
    macs = sum(row["macs"] for row in rows)
    found = {
        "cycles": result.cycles, "ideal_cycles": sum(row["ideal_cycles"] for row in rows),
        "macs_dense": macs, "use_of_peak": macs / (config.macs_per_cycle * result.cycles),
        "share_of_macs_on_chip": Placement.of(program).share,
        "bytes_read": result.counters["beats_read"] * config.group,
        "bytes_written": result.counters["beats_written"] * config.group,
        "compile_seconds": program.info["compile_seconds"],
        "host": [{"name": row["name"], "operator": row["operator"], "why": row["why"],
                  "between": row["between"]} for row in rows if row["unit"] == "host"],
        "values_compared": sum(values.size for values in wanted.values()),
        "values_different": sum(int(np.sum(result.outputs[name] != values))
                                for name, values in wanted.items())}
    say(f"{result.cycles:,} cycles{', dense' if dense else ''}, {found['use_of_peak']:.1%} of "
        f"peak; {found['share_of_macs_on_chip']:.1%} of MACs on the chip; "
        f"{sum(item['between'] for item in found['host'])} parts of the host's between the "
        f"chip's; {found['values_different']} of {found['values_compared']:,} values differ from "
        "golden's")
    return found
