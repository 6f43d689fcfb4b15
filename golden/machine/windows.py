"""What a MAC instruction computes: windows, words, sums, output addresses."""

import numpy as np
from numpy.typing import NDArray

from golden.machine.instruction import Instruction
from golden.spec.config import Config
from golden.spec.isa import ArrayMode, PostMode

__all__ = ["Entries", "Windows"]

# Products that float32 adds up exactly: |product| <= 2**14, significand 24 bits.
_FLOAT32_ROWS = 1 << 10
# Bytes of words looked at in one go.
_CHUNK = 1 << 24


class Entries:
    """The group list of one lane block, as arrays.

    Parameters
    ----------
    items : list of (fields, (values [N, L], indices [N, L]))
        Header fields and rows of its BLOCK items.

    Members
    -------
    n, dy, dx, offset : ndarray [E] int64
    values : ndarray [R, L] int8
    indices : ndarray [R, L] int64
    """

    def __init__(self, items: list[tuple[dict[str, int], tuple[NDArray, ...]]]) -> None:
        self.n, self.dy, self.dx, self.offset = (
            np.array([fields[name] for fields, _ in items], np.int64)
            for name in ("n", "dy", "dx", "offset"))
        self.values = np.concatenate([rows[0] for _, rows in items])
        self.indices = np.concatenate([rows[1] for _, rows in items]).astype(np.int64)


class Windows:
    """The output pixels of a MAC instruction, in raster order.

    Parameters
    ----------
    config : Config
    instruction : Instruction

    Members
    -------
    address : ndarray [P] int64
        Word address of each window's first position, modulo 2**16.
    iy, ix : ndarray [P] int64
        Input position of each window.
    """

    def __init__(self, config: Config, instruction: Instruction) -> None:
        f = instruction.fields
        instruction.need_positive("blocks", "out_width", "out_height")
        pixels = f["out_width"] * f["out_height"]
        tiles = -(-pixels // config.columns)
        instruction.need(f["tiles"] == tiles, f"tiles is {f['tiles']}, must be {tiles}")
        instruction.need(f["post_mode"] in tuple(PostMode), f"post_mode is {f['post_mode']}")
        instruction.need(f["array_mode"] in tuple(ArrayMode), f"array_mode is {f['array_mode']}")
        self._config, self._fields, self._instruction = config, f, instruction
        self._oy, self._ox = np.divmod(np.arange(pixels, dtype=np.int64), f["out_width"])
        row = (f["out_width"] - 1) * f["stride_x"] + f["in_row_step"]
        self.address = (f["in_base"] + self._oy * row + self._ox * f["stride_x"]) & 0xFFFF
        self.iy = f["iy0"] + self._oy * f["stride_y"]
        self.ix = f["ix0"] + self._ox * f["stride_x"]

    def inside(self, dy: NDArray, dx: NDArray, part: slice = slice(None)) -> NDArray:
        """Whether each pixel's word at taps [E] exists, [P, E]; of some pixels."""
        y, x = self.iy[part, None] + dy, self.ix[part, None] + dx
        return ((y >= 0) & (y < self._fields["in_height"])
                & (x >= 0) & (x < self._fields["in_width"]))

    def outputs(self, kind: str, block: int) -> NDArray:
        """Word addresses [P] of a lane block's outputs ("out") or residuals ("res")."""
        f = self._fields
        row = f["out_width"] - 1 + f[f"{kind}_row_step"]
        return (f[f"{kind}_base"] + block * f[f"{kind}_block_step"]
                + self._oy * row + self._ox) & 0xFFFF

    def reads(self, entries: Entries) -> NDArray:
        """Word addresses, each once, that a lane block's entries read."""
        seen = np.zeros(self._config.words, bool)
        for part in self._parts(len(entries.n)):
            address = (self.address[part, None] + entries.offset) % self._config.words
            # What an entry without rows reads has no effect.
            inside = self.inside(entries.dy, entries.dx, part) & (entries.n > 0)
            seen[address[inside]] = True
        return np.flatnonzero(seen)

    def accumulate(self, entries: Entries, words: NDArray) -> NDArray:
        """Accumulators [P, L] of a lane block before bias; int64, not yet wrapped.

        Parameters
        ----------
        entries : Entries
        words : ndarray [words, M] uint8
            The scratchpad.
        """
        parts = [self._fetch(entries, words, part) for part in self._parts(len(entries.n))]
        if self._fields["array_mode"] == ArrayMode.MAX:
            self._instruction.need(
                bool((entries.n[:-1] > 0).all()) and len(entries.n) > 1 and entries.n[-1] == 0,
                "MAX with an entry without rows, but for the last one, which must have none")
            return np.concatenate([self._maximum(entries, part) for part in parts])
        kind = np.float32 if len(entries.values) <= _FLOAT32_ROWS else np.float64
        size, lanes = len(entries.n), self._config.lanes
        matrix = np.zeros((size, self._config.group, lanes), kind)
        of_row = np.repeat(np.arange(size), entries.n)
        np.add.at(matrix, (of_row[:, None], entries.indices, np.arange(lanes)), entries.values)
        flat = matrix.reshape(-1, lanes)
        return np.concatenate([(part.reshape(len(part), -1).astype(kind) @ flat)
                               .astype(np.int64) for part in parts])

    def _parts(self, entries: int) -> list[slice]:
        step = max(_CHUNK // (entries * self._config.group), 1)
        return [slice(i, i + step) for i in range(0, len(self.iy), step)]

    def _fetch(self, entries: Entries, words: NDArray, part: slice) -> NDArray:
        """Words [P, E, M] int8 of some pixels."""
        address = (self.address[part, None] + entries.offset) % self._config.words
        found = words.view(np.int8)[address]
        found[~self.inside(entries.dy, entries.dx, part)] = self._fields["pad_value"]
        return found

    def _maximum(self, entries: Entries, words: NDArray) -> NDArray:
        of_row = np.repeat(np.arange(len(entries.n)), entries.n)
        most = None
        for entry, value, index in zip(of_row, entries.values, entries.indices, strict=True):
            product = words[:, entry, index].astype(np.int64) * value
            self._instruction.need(bool((product == product.astype(np.int8)).all()),
                                   "MAX with a product that is no int8")
            self._instruction.need(bool((product == product.astype(np.int8)).all()),
                                   "MAX with a product that is no int8")
            most = product if most is None else np.maximum(most, product)
        assert most is not None
        return most
