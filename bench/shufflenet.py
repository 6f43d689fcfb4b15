"""ShuffleNetV2 int8 (QLinear, as published) whole: ``python bench/shufflenet.py ASSETS``.

The same class as ONNX Runtime's on every photograph of samples/photos, and cycles of one of them on
the machine. ``--json FILE`` keeps all.
"""

import sys
from pathlib import Path

import numpy as np
from common import int8_outputs, machine, options, photograph, say, write
from numpy.typing import NDArray

from sw.reference_onnx import OnnxReference
from sw.session import open_model

NETWORK, SIZE = "models_onnx/shufflenet-v2-12-int8.onnx", (224, 224)
STEP = 0.1725  # of the network's outputs
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def sample(path: Path) -> NDArray:
    """[1, 3, 224, 224], normalized as ImageNet's networks want it."""
    pixels = photograph(path, SIZE).astype(np.float32) / 255
    made = (pixels - np.float32(MEAN)) / np.float32(DEVIATION)
    return np.ascontiguousarray(made.transpose(2, 0, 1)[None])


def main() -> int:
    args = options(__doc__).parse_args()
    path, rows = args.assets / NETWORK, []
    reference = OnnxReference(path)  # its sums are exact, whatever the processor
    files = sorted((args.assets / "samples/photos").glob("*.[jp][pn]g"))
    samples, model = [sample(file) for file in files], open_model(str(path))
    for file, values, (found,) in zip(files, samples, int8_outputs(model, samples), strict=True):
        wanted = reference.run({model.inputs[0].name: values})[model.outputs[0].name]
        rows.append({"photograph": file.name, "onnx_runtime": int(np.argmax(wanted)),
                     "golden": int(np.argmax(found)),
                     "behind": float(wanted.max() - wanted.ravel()[np.argmax(found)]),
                     "largest_difference": float(np.abs(wanted - found).max())})
    same = sum(row["onnx_runtime"] == row["golden"] for row in rows)
    close = [row for row in rows if 0 < row["behind"] <= STEP]
    say(f"{same} of {len(rows)} classes as ONNX Runtime's, {len(close)} more one step behind its "
        "best")
    figures = {"command": "python bench/shufflenet.py ASSETS", "same": same,
               "one_step_behind": len(close), "photographs": rows,
               **machine(model, samples[0])}
    write(args.json, figures)
    return 0 if same + len(close) == len(rows) and not figures["values_different"] else 1


if __name__ == "__main__":
    sys.exit(main())
