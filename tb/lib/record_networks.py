"""Records what LiteRT gives for the bundled networks: ``python -m tb.lib.record_networks``.

The golden model's tests compare with this record, and so need no LiteRT.
"""

import zlib
from pathlib import Path

import numpy as np

from sw.frontend.tflite import load
from sw.reference import trace_litert

__all__ = ["MODELS", "RECORD", "checksums", "inputs"]

ROOT = Path(__file__).parents[2]
MODELS = {path.stem: path for path in sorted((ROOT / "sw" / "zoo" / "models").glob("*.tflite"))}
RECORD = ROOT / "tb" / "data" / "networks.npz"


def inputs(name: str, random: int = 3, real: int = 5) -> np.ndarray:
    """Random bytes, then bundled samples of a network."""
    graph = load(MODELS[name])
    shape = graph.tensors[graph.inputs[0]].shape[1:]
    drawn = np.random.default_rng(1).integers(-128, 128, (random, *shape)).astype(np.int8)
    folder = ROOT / "sw" / "zoo" / "samples" / name
    arrays = sorted(folder.glob("*.npy"))
    if arrays:
        samples = np.load(arrays[0]).reshape(-1, *shape)
    else:
        from PIL import Image

        pictures = [np.asarray(Image.open(path).convert("RGB"))
                    for path in sorted(folder.glob("*.png"))]
        samples = (np.array(pictures).astype(np.int16) - 128).astype(np.int8)
    return np.concatenate([drawn, samples[::max(len(samples) // max(real, 1), 1)][:real]])


def checksums(tensors: dict[str, np.ndarray], names: list[str]) -> np.ndarray:
    """CRC-32 of the bytes of each tensor."""
    return np.array([zlib.crc32(tensors[name].tobytes()) for name in names], np.uint32)


def main() -> None:
    """Write the record."""
    record = {}
    for name, path in MODELS.items():
        graph, data = load(path), inputs(name)
        tensors = trace_litert(path, [data])
        record[f"{name}/inputs"] = data
        record[f"{name}/outputs"] = tensors[graph.outputs[0]]
        record[f"{name}/crc"] = checksums(tensors, [node.outputs[0] for node in graph.nodes])
    np.savez_compressed(RECORD, **record)


if __name__ == "__main__":
    main()
