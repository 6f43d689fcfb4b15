"""Hand-written programs for the machine: a memory that fills up, and its instructions."""

import numpy as np

from golden.machine import Machine
from golden.spec import isa
from golden.spec.isa import Opcode, PostMode, Target, Unit, semaphore
from golden.spec.numerics import IDENTITY
from golden.weights import Block, LaneBlock, block_from_dense, pack

__all__ = ["Rig", "conv_lane_blocks"]

_SIZE = 1 << 20
_UNITS = (Unit.LOAD, Unit.MAC, Unit.STORE)


class Rig:
    """Region 0 is the whole memory; data is put one piece after the other."""

    def __init__(self, config, **options):
        self.config = config
        self.machine = Machine(config, _SIZE, **options)
        self.machine.dram.regions[0] = (0, _SIZE)
        self.free = 0
        self.program = []
        self._last = {}

    def put(self, data):
        """Place bytes, beat aligned; gives their address."""
        raw = np.frombuffer(data if isinstance(data, bytes) else np.ascontiguousarray(data),
                            np.uint8)
        at = self.free
        self.machine.dram.data[at:at + len(raw)] = raw
        self.free = -(-(at + len(raw)) // 64) * 64
        return at

    def room(self, size):
        """Place for bytes that the program writes, filled with a pattern."""
        return self.put(np.full(size, 0xA5, np.uint8))

    def add(self, opcode, **values):
        """Append an instruction as it is."""
        self.program.append(isa.encode(opcode, **values))

    def then(self, opcode, **values):
        """Append an instruction that comes after all before it, by SYNC."""
        if self.program:
            self.add(Opcode.SYNC)
        self.add(opcode, **values)

    def run(self, end=True):
        """Run what was appended; gives the counters."""
        if end:
            self.add(Opcode.END)
        raw = b"".join(self.program)
        return self.machine.run(self.put(raw), len(raw))

    def load_words(self, array, dst):
        """LOAD of an int8 array [..., M] word by word, and what goes with it."""
        at, m = self.put(array), self.config.group
        self.then(Opcode.LOAD, target=Target.SCRATCHPAD, address=at, run_bytes=array.size, runs=1,
                  count0=1, count1=array.size // m, step1=m, count2=1, row_bytes=array.size,
                  tail=m, dst=dst, dst_step1=1)

    def load_nhwc(self, array, dst, fill=0):
        """LOAD of int8 [h, w, c] to planar groups at dst."""
        h, w, c = array.shape
        m = self.config.group
        groups = -(-c // m)
        at = self.put(array)
        self.then(Opcode.LOAD, target=Target.SCRATCHPAD, address=at, run_bytes=array.size, runs=1,
                  count0=groups, step0=m, count1=w, step1=c, count2=h, step2=w * c,
                  row_bytes=w * c, tail=c - (groups - 1) * m, fill=fill, dst=dst,
                  dst_step0=h * w, dst_step1=1, dst_step2=w)

    def load_weights(self, lane_blocks, **values):
        """LOAD of a packed stream."""
        raw = pack(self.config, lane_blocks)
        self.add(Opcode.LOAD, target=Target.WEIGHTS, address=self.put(raw), run_bytes=len(raw),
                 runs=1, **values)

    def load_table(self, table):
        """LOAD of int32 entries from 0 on."""
        raw = np.asarray(table, "<i4").tobytes()
        self.then(Opcode.LOAD, target=Target.TABLE, address=self.put(raw), run_bytes=len(raw),
                  runs=1)

    def store_nhwc(self, src, h, w, c):
        """STORE of planar groups to bytes; gives the address."""
        m = self.config.group
        groups, at = -(-c // m), self.room(h * w * c + 1)
        self.then(Opcode.STORE, address=at, run_bytes=h * w * c, runs=1, count0=groups, count1=w,
                  count2=h, tail=c - (groups - 1) * m, src=src, src_step0=h * w, src_step1=1,
                  src_step2=w)
        return at

    def read(self, at, *shape):
        """An int8 array from memory."""
        return self.machine.dram.data[at:at + np.prod(shape)].view(np.int8).reshape(shape).copy()

    def mac(self, *, in_base, in_shape, out_base, out_shape, blocks, stride=1, pad=(0, 0),
            **values):
        """Fields of a MAC over one tensor at in_base; out planar at out_base."""
        (h, w), (oh, ow) = in_shape, out_shape
        start = in_base - pad[0] * w - pad[1]
        return {
            "blocks": blocks, "out_width": ow, "out_height": oh,
            "tiles": -(-oh * ow // self.config.columns),
            "in_base": start & 0xFFFF, "in_row_step": (stride * w - (ow - 1) * stride) & 0xFFFF,
            "iy0": -pad[0], "ix0": -pad[1], "stride_y": stride, "stride_x": stride,
            "in_height": h, "in_width": w, "out_base": out_base, "out_row_step": 1,
            "out_block_step": oh * ow, "least": -128, "most": 127,
            "post_mode": PostMode.PLAIN, **values}


def conv_lane_blocks(config, kernel, in_shape, bias, multiplier=None, pre=None, post=None):
    """Lane blocks of a dense convolution over one planar tensor.

    ``kernel`` is int8 [kh, kw, c, k]; bias and the rest are [k].
    """
    m, lanes = config.group, config.lanes
    kh, kw, c, k = kernel.shape
    groups, count = -(-c // m), -(-k // lanes)
    padded = np.zeros((kh, kw, groups * m, count * lanes), np.int8)
    padded[:, :, :c, :k] = kernel
    h, w = in_shape

    def lane(values, default, block):
        full = np.full(count * lanes, default, np.int64)
        if values is not None:
            full[:k] = values
        return full[block * lanes:(block + 1) * lanes]

    result = []
    for b in range(count):
        blocks = []
        for g in range(groups):
            for dy in range(kh):
                for dx in range(kw):
                    values, indices = block_from_dense(
                        padded[dy, dx, g * m:(g + 1) * m, b * lanes:(b + 1) * lanes])
                    if len(values):
                        blocks.append(Block((g * h * w + dy * w + dx) & 0xFFFF, dy, dx, values,
                                            indices))
        result.append(LaneBlock(lane(bias, 0, b), lane(multiplier, IDENTITY[0], b),
                                lane(pre, IDENTITY[1], b), lane(post, IDENTITY[2], b), blocks))
    return result


def sem(producer, consumer):
    """Bit of the semaphore between two units."""
    return 1 << semaphore(producer, consumer)
