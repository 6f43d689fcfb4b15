"""Digits that the CNTK MNIST network reads, float and int8: ``python bench/mnist.py ASSETS``.

Handwritten digits of scikit-learn, enlarged to 28 x 28; the quantizer sees others than those
judged. ``--json FILE`` keeps all.
"""

import sys

import numpy as np
from common import float_outputs, int8_of, int8_outputs, machine, options, say, write
from numpy.typing import NDArray
from PIL import Image

from sw.quantize import Choices

NETWORK, SIZE, INSIDE = "models_onnx/mnist-8.onnx", 28, 20
CALIBRATED = 64


def digits() -> tuple[list[NDArray], NDArray]:
    """([1, 1, 28, 28] each, 0 to 255, white on black; what they are)."""
    from sklearn.datasets import load_digits

    data, found = load_digits(), []
    for picture in data.images:
        large = Image.fromarray(np.uint8(picture * 255 / 16)).resize(
            (INSIDE, INSIDE), Image.Resampling.BICUBIC)
        canvas = np.pad(np.asarray(large, np.float32), (SIZE - INSIDE) // 2)
        found.append(canvas[None, None])
    return found, data.target


def main() -> int:
    args = options(__doc__).parse_args()
    path = args.assets / NETWORK
    samples, right = digits()
    judged = samples[CALIBRATED:]
    model, _ = int8_of(path, samples[:CALIBRATED], Choices())
    wanted, found = (np.array([int(np.argmax(values)) for (values,) in outputs])
                     for outputs in (float_outputs(path, judged), int8_outputs(model, judged)))
    figures = {"command": "python bench/mnist.py ASSETS", "digits": len(judged),
               "calibration_samples": CALIBRATED, "same": int((wanted == found).sum()),
               "float_right": int((wanted == right[CALIBRATED:]).sum()),
               "int8_right": int((found == right[CALIBRATED:]).sum()), **machine(model, judged[0])}
    say(f"{figures['same']} of {len(judged)} digits are read alike; right are "
        f"{figures['float_right']} float, {figures['int8_right']} int8")
    write(args.json, figures)
    return 0 if figures["same"] == len(judged) and not figures["values_different"] else 1


if __name__ == "__main__":
    sys.exit(main())
