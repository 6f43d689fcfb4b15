"""Small faults to plant in the RTL, block by block, and the benches that must notice them."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["BLOCKS", "MUTATIONS", "Block", "Mutation"]


@dataclass(frozen=True)
class Block:
    """A module of hw/ and its benches, most telling first (paths in tb/unit)."""

    file: str
    benches: tuple[str, ...]


@dataclass(frozen=True)
class Mutation:
    """One fault: text that is in the block's file exactly once, and what it becomes.

    ``equivalent`` says, where no bench can tell the two apart, why.
    """

    block: str
    name: str
    fault: str
    before: str
    after: str
    equivalent: str = ""

    @property
    def id(self) -> str:
        return f"{self.block}.{self.name}"

    @property
    def file(self) -> str:
        return BLOCKS[self.block].file

    def apply(self, root: Path) -> None:
        """Plant the fault in the tree at ``root``."""
        path = root / self.file
        path.write_text(self.mutated(path.read_text()))

    def mutated(self, text: str) -> str:
        """The source with the fault; ValueError unless the text to change is there once."""
        if (found := text.count(self.before)) != 1:
            raise ValueError(f"{self.id}: its text is {found} times in {self.file}, "
                             f"accepted is once: {self.before!r}")
        return text.replace(self.before, self.after)


def _block(area, name, *benches):
    return Block(f"hw/{area}/{name}.py", tuple(f"{area}/test_{bench}.py" for bench in benches))


BLOCKS = {
    "stream": Block("hw/stream.py", ("test_stream.py",)),
    **{f"control.{name}": _block("control", name, name)
       for name in ("queue", "semaphores", "faults", "watchdog", "registers", "counters", "fetch",
                    "reset")},
    "control.dispatcher": _block("control", "dispatcher", "dispatcher", "sequencer_errors"),
    "control.sequencer": _block("control", "sequencer", "sequencer", "sequencer_errors", "control"),
    **{f"dma.{name}": _block("dma", name, name)
       for name in ("beat_fifo", "burst", "nest", "pack", "runs", "gather_walk", "gather",
                    "read_master", "write_master", "load", "store")},
    **{f"mem.{name}": _block("mem", name, name)
       for name in ("ring", "weight_parser", "weight_store", "scratchpad")},
    "mac.multiplier": _block("mac", "multiplier", "parts"),
    "mac.walker": _block("mac", "walker", "parts", "unit"),
    "mac.fetch": _block("mac", "fetch", "fetch", "unit", "cycles"),
    "mac.issue": _block("mac", "issue", "issue"),
    "mac.select": _block("mac", "select", "select"),
    "mac.column": _block("mac", "column", "column", "parts"),
    "mac.array": _block("mac", "array", "unit"),
    "mac.drain": _block("mac", "drain", "drain"),
    "mac.unit": _block("mac", "unit", "unit", "cycles"),
    **{f"post.{name}": _block("post", name, name)
       for name in ("requantizer", "tables", "parameters", "addresses", "counts", "residual",
                    "writer", "unit")},
}

# (block, name, what fault it is, text before, text after[, why no bench can tell])
_TABLE = [
    ("stream", "wrap", "wraps one row late",
     "Mux(index == self.depth - 1, 0,", "Mux(index == self.depth, 0,"),
    ("stream", "full", "dropped stall: takes an item when full",
     "self.i.ready.eq(~full)", "self.i.ready.eq(1)"),
    ("stream", "skid", "the spare item is lost",
     "m.d.sync += head.eq(spare)", "m.d.sync += head.eq(self.i.payload)"),
    ("stream", "bubble", "registered queue: an item every other cycle",
     "some & (~valid | self.o.ready)", "some & ~valid"),

    ("control.queue", "whole", "off by one: wanted a beat early",
     "held == self.beats - 1", "held == self.beats - 2"),
    ("control.queue", "want", "asks again for what was granted",
     "complete | (self.want & ~self.grant)", "complete | self.want"),
    ("control.queue", "order", "swapped beats",
     "Cat(head[self.beat_bits:], beat)", "Cat(beat, head)"),
    ("control.queue", "busy", "idle with part of an instruction held",
     "beats.o.valid | (held != 0)", "beats.o.valid"),

    ("control.semaphores", "stale", "stale semaphore: one count is taken twice",
     "(count[0] & ~taken[index])", "count[0]"),
    ("control.semaphores", "lost", "lost post: two units post in one cycle",
     "more = sum(recent)", "more = recent.any()"),
    ("control.semaphores", "both", "one count is granted to two units",
     "(clash[:unit] & self.grant[:unit]).any()", "(clash & 0).any()"),
    ("control.semaphores", "hold", "grants go on after an error",
     "self.want[unit] & ~self.hold &", "self.want[unit] &"),
    ("control.semaphores", "clear", "a post survives the start",
     ("with m.If(self.clear):\n                m.d.sync += [count.eq(0), available[index].eq(0)]\n"
      "            with m.Elif"),
     "with m.If"),

    ("control.dispatcher", "beats", "off by one: hands over a beat less",
     "position == self.beats - 1", "position == self.beats - 2"),
    ("control.dispatcher", "settled", "END does not wait for the fetch",
     "~self.halt & self.drained & self.settled", "~self.halt & self.drained"),
    ("control.dispatcher", "settle", "END does not wait for what the last posts overflow",
     "SETTLE = 4", "SETTLE = 1"),
    ("control.dispatcher", "sync", "SYNC does not wait",
     "with m.If(~self.halt & self.drained):", "with m.If(~self.halt):"),
    ("control.dispatcher", "error", "an error in mid-instruction stops it without a fault",
     "with m.If(self.i.valid & beat.resp[1] & ~self.halt):", "with m.If(0):"),

    ("control.sequencer", "clear", "stale semaphores of the run before",
     "semaphores.clear.eq(self.start)", "semaphores.clear.eq(0)"),
    ("control.sequencer", "idle", "a unit in error counts as finished",
     "& ~Cat(port.error.valid for port in ports).any())", ")"),
    ("control.sequencer", "waiting", "waits in the cycle of its grant",
     "queue.want & ~queue.grant", "queue.want"),
    ("control.sequencer", "hold", "grants go on after an error",
     "semaphores.hold.eq(self.fault.valid)", "semaphores.hold.eq(0)"),

    ("control.faults", "first", "the last error, not the first, is kept",
     "with m.If(~self.fault.valid):", "with m.If(first.valid):"),
    ("control.faults", "suspect", "the wrong unit is named",
     "for index in reversed(range(len(self.units))):", "for index in range(len(self.units)):"),
    ("control.faults", "tag", "tag of the next instruction, not of the retired one",
     "m.d.sync += gone.eq(tags.o.payload)", "m.d.sync += gone.eq(self.tag[index])"),

    ("control.watchdog", "limit", "off by one",
     "count == self.limit", "count + 1 == self.limit"),
    ("control.watchdog", "progress", "progress does not count",
     "begins.eq(~self.running | self.progress)", "begins.eq(~self.running)"),
    ("control.watchdog", "pulse", "stays expired while there is progress",
     "self.expired.eq(0)", "self.expired.eq(self.expired)"),

    ("control.registers", "read-only", "a write to a read-only register is answered OKAY",
     'Response.SLVERR if register.access == "ro" else Response.OKAY', "Response.OKAY"),
    ("control.registers", "strobe", "swapped bytes",
     "with m.If(strobe[index]):", "with m.If(strobe[3 - index]):"),
    ("control.registers", "start", "START while busy is not ignored",
     "& ~reset & ~busy & ~self.fault.valid", "& ~reset & ~self.fault.valid"),
    ("control.registers", "error", "an error raises no interrupt",
     "with m.If(finished | (self.fault.valid & ~fault_before)):", "with m.If(finished):"),

    ("control.counters", "running", "counts outside the run",
     "running.eq(self.running)]", "running.eq(1)]"),
    ("control.counters", "carry", "lost carry",
     "self.value[index] + step", "self.value[index][:8] + step"),

    ("control.fetch", "room", "asks for more than it has room for",
     "(owed <= depth - self.RUN_INSTRUCTIONS * self.beats)", "(owed <= depth)"),
    ("control.fetch", "end", "reads past the program's end",
     "Mux(remaining < self.RUN_INSTRUCTIONS, remaining, self.RUN_INSTRUCTIONS)",
     "self.RUN_INSTRUCTIONS"),

    ("control.reset", "second", "looks at quiet a cycle early",
     'm.next = "STOP"', 'm.next = "FLUSH"'),
    ("control.reset", "quiet", "dropped stall: resets a busy bus",
     "with m.If(self.quiet):", "with m.If(self.quiet | 1):"),

    ("dma.beat_fifo", "wrap", "wraps a row early",
     "port.addr == self.depth - 1", "port.addr == self.depth - 2"),
    ("dma.beat_fifo", "full", "dropped stall: takes a beat when full",
     "self.i.ready.eq(~full)", "self.i.ready.eq(1)"),

    ("dma.burst", "exact", "off by one: a run that just fits",
     "ends.eq(left <= room)", "ends.eq(left < room)"),
    ("dma.burst", "page", "a burst crosses 4 KiB",
     "room.eq(self.limit - self.i.p.addr[self.beat_bits:][:limit_bits])",
     "room.eq(self.limit)"),
    ("dma.burst", "carry", "lost carry in the address",
     "block.eq(block + 1)", "block.eq(Cat((block[:3] + 1)[:3], block[3:]))"),

    ("dma.nest", "ends", "inner loops do not count for the end",
     "lasts[:j + 1].all()", "lasts[j]"),
    ("dma.nest", "carry", "lost carry",
     "following.eq(first + step)", "following.eq((first + step)[:12])"),

    ("dma.pack", "exact", "off by one: a beat too many when the last word just fits",
     "(total > group)", "(total >= group)"),
    ("dma.pack", "strobe", "stale strobes in the next run",
     "Mux(self.i.p.last, 0, held_strb | low_strb)", "held_strb | low_strb"),

    ("dma.runs", "edge", "off by one: the last run of a region is refused",
     "offset > most[:-1]", "offset >= most[:-1]"),
    ("dma.runs", "sign", "a region smaller than a run is taken for a large one",
     "beyond.eq(most[-1] | (", "beyond.eq(("),
    ("dma.runs", "beats", "off by one: a beat too many",
     "(1 << self.beat_bits) - 1)", "(1 << self.beat_bits))"),

    ("dma.gather_walk", "tail", "the last word of a pixel keeps bytes of the next",
     "Mux(nest.ends[0], fields.tail, group)", "group"),
    ("dma.gather_walk", "left", "words behind a row's end are not fill",
     "Mux(some < s1_limit, some, s1_limit), 0)", "Mux(some < s1_limit, some, s1_limit), s1_limit)"),
    ("dma.gather_walk", "straddle", "off by one: waits for a beat it needs no byte of",
     "(s2_shift + s2_bytes > group)", "(s2_shift + s2_bytes >= group)"),

    ("dma.gather", "fill", "the wrong byte in the padding",
     "s1.fill) for j", "0) for j"),
    ("dma.gather", "order", "swapped beats",
     "Cat(window, self.beat.payload) >>", "Cat(self.beat.payload, window) >>"),
    ("dma.gather", "stall", "dropped stall: a word before its second beat",
     "\n                       & (~s1.straddles | self.beat.valid)),", "),"),

    ("dma.read_master", "room", "credit off by one",
     "(split.o.p.len < room)", "(split.o.p.len <= room)"),
    ("dma.read_master", "both", "two bursts taken, one sent",
     "free & may_load & ~may_fetch", "free & may_load"),
    ("dma.read_master", "last", "a run ends at each of its bursts",
     "self.r.p.last & route.o.p.last", "self.r.p.last"),
    ("dma.read_master", "flush", "stale data after a flush",
     "(route.o.p.client == index) & ~self.flush", "(route.o.p.client == index)"),

    ("dma.write_master", "spare", "credit off by one: a burst before its last beat",
     "(split.o.p.len < spare)", "(split.o.p.len <= spare)"),
    ("dma.write_master", "flush", "a flushed burst still writes",
     "Mux(self.flush, 0, fifo.o.p.strb)", "fifo.o.p.strb"),
    ("dma.write_master", "done", "a failed burst counts as written",
     "self.b.valid & ~self.bad & unanswered", "self.b.valid & unanswered"),
    ("dma.write_master", "room", "dropped stall: more bursts than may be unanswered",
     "& unanswered.i.ready & ~self.stop", "& ~self.stop"),

    ("dma.load", "post", "posts before the last word is written",
     "self.words.valid & self.words.ready & word.p.last",
     "self.words.valid & word.p.last"),
    ("dma.load", "sink", "words are handed over while another sink works",
     "(load.target == sink) & active.i.ready", "active.i.ready"),
    ("dma.load", "table", "off by one: last entry of a beat lost",
     "taken & (place == entries - 1)", "taken & (place == entries - 2)"),
    ("dma.load", "order", "an error overtakes those of earlier LOADs",
     "issuer.bad & (active.level == handed)", "issuer.bad"),

    ("dma.store", "ahead", "credit off by one: a word without a place",
     "owed == self.WORDS_AHEAD - 1", "owed == self.WORDS_AHEAD"),
    ("dma.store", "tail", "bytes behind a pixel's end are written",
     "Mux(nest.ends[0], store.tail, group)", "group"),
    ("dma.store", "log", "a LOG's counters are read too early",
     "with m.If(alone):", "with m.If(alone | 1):"),
    ("dma.store", "order", "an error overtakes earlier STOREs",
     "alone & (issuer.bad | bad_word)", "issuer.bad | bad_word"),

    ("mem.ring", "pass", "N off by one from the second pass on",
     "Mux(pass_end, length, left - 1)", "Mux(pass_end, length - 1, left - 1)"),
    ("mem.ring", "start", "a pass starts at the wrong place",
     "m.d.comb += here_next.eq(start)", "m.d.comb += here_next.eq(home)"),
    ("mem.ring", "free", "freed before its last reading",
     "freed.eq(issue & last_pass & ~keep)", "freed.eq(issue & first_pass & ~keep)"),
    ("mem.ring", "fresh", "dropped stall: reads what was not written",
     "& room & (~first_pass | some)", "& room"),

    ("mem.weight_parser", "n", "N = M is refused",
     "(block.n <= self.config.group)", "(block.n < self.config.group)"),
    ("mem.weight_parser", "index", "stale index: each row that of the first",
     "waiting.eq(waiting[size:])", "waiting.eq(waiting)"),
    ("mem.weight_parser", "rows", "fewer rows than announced are accepted",
     "((count < rows_left) & more_entries)", "(count < rows_left)"),
    ("mem.weight_parser", "step", "every block of a run reads the same words",
     "newest.offset.eq(newest.offset + step)", "newest.offset.eq(newest.offset)"),
    ("mem.weight_parser", "more", "N off by one: a block more in every run",
     "more.eq(block.more)", "more.eq(block.more + 1)"),
    ("mem.weight_parser", "pending", "lost entry: a run goes on over one that was not taken",
     "waits.eq(last & runs & pending)", "waits.eq(0)"),

    ("mem.weight_store", "final", "weights are rewound at each lane block",
     "plans.i.p.final.eq(lengths.o.p.last)", "plans.i.p.final.eq(1)"),
    ("mem.weight_store", "keep", "kept weights are freed",
     "plans.i.p.keep.eq(passes.o.p.keep)", "plans.i.p.keep.eq(0)"),
    ("mem.weight_store", "passes", "the next command's passes from the second lane block on",
     "plans.i.ready & lengths.o.valid & lengths.o.p.last", "plans.i.ready & lengths.o.valid"),

    ("mem.scratchpad", "write", "a blocked write goes to another client's row",
     "asks[0] | asks[2] & ~asks[1]", "asks[0] | asks[2]"),
    ("mem.scratchpad", "stall", "dropped stall: a later client does not wait",
     "enumerate(clients[:index])", "enumerate(clients[:min(index, 1)])"),
    ("mem.scratchpad", "bank", "waits for a client of another bank",
     "earlier.valid & (banks[before] == banks[index])", "earlier.valid"),

    ("mac.multiplier", "sign", "the sign bit's term is added",
     "rest - high if subtract else rest + high", "rest + high"),
    ("mac.multiplier", "carry", "lost carry",
     "len(high)) + 1))", "len(high))))"),

    ("mac.walker", "row", "the next row starts at the next pixel",
     "Mux(row_end, job.in_row_step, job.stride_x)", "job.stride_x"),
    ("mac.walker", "blocks", "off by one: a lane block too many",
     "last_block.eq(blocks_left == 1)", "last_block.eq(blocks_left == 0)"),
    ("mac.walker", "beyond", "columns without a pixel count",
     "Mux(fresh, 0, tile.count) + ~beyond", "Mux(fresh, 0, tile.count) + 1"),

    ("mac.fetch", "edge", "pad at the wrong edge: one row and column too late",
     "(entry.dy <= window.dy_last)", "(entry.dy <= window.dy_last + 1)"),
    ("mac.fetch", "bank", "two columns read a bank at once",
     "for p in range(q)).any()", "for p in range(q - 1)).any()"),
    ("mac.fetch", "pad", "zero instead of the padding value",
     "Mux(before.padded[q], before.about.pad_value, 0)", "0"),
    ("mac.fetch", "slots", "dropped stall: a slot in use is written",
     "room.eq(~full)", "room.eq(1)"),

    ("mac.issue", "n", "N off by one: a row more",
     "final.eq(entry.n == 2)", "final.eq(entry.n == 1)"),
    ("mac.issue", "clear", "dropped stall: a tile ends before the drain is free",
     "go.eq(valid & (self.clear | ~ends) &", "go.eq(valid &"),
    ("mac.issue", "empty", "an entry without rows adds the value on offer",
     "Mux(flags.add, row.value[lane], 0)", "row.value[lane]"),

    ("mac.column", "stale", "the tile before stays in the sums",
     "[acc.eq(0), kept.eq(total)]", "[acc.eq(following), kept.eq(total)]"),
    ("mac.column", "carry", "lost carry out of 16 bits",
     "total.eq(acc + s3_product)",
     "total.eq(Cat((acc[:16] + s3_product)[:16], (acc[16:] + s3_product[15].replicate(16))))"),
    ("mac.column", "sign", "the greatest byte is compared without its sign",
     "distance = Cat(~s3_product[:7], s3_product[7],", "distance = Cat(~s3_product[:8],"),

    ("mac.select", "default", "an item where none is chosen",
     "Mux(hot[place], item, 0)", "Mux(hot[place] | (place == 0), item, 0)"),
    ("mac.select", "beside", "the item beside the chosen one",
     "Mux(hot[place], item, 0)", "Mux(hot[place - 1], item, 0)"),

    ("mac.array", "word", "wrong word: every column writes the first one's",
     "self.write.words[q]", "self.write.words[0]"),
    ("mac.array", "enable", "columns take words that are not theirs",
     "column.en.eq(self.write.en[q])", "column.en.eq(self.write.en[0])"),
    ("mac.array", "sums", "the sums of the next column",
     "self.sums[q].eq(column.sums)", "self.sums[q - 1].eq(column.sums)"),

    ("mac.drain", "clear", "credit off by one: sums are overwritten before they are copied",
     "most = flight + columns - 1", "most = flight + columns"),
    ("mac.drain", "places", "dropped stall: copies into a full queue",
     "| (waiting != 0)) & room)", "| (waiting != 0)))"),
    ("mac.drain", "sign", "sign of the greatest byte",
     "(acc[:8] ^ (1 << 7)).as_signed()", "acc[:8].as_signed()"),

    ("mac.unit", "twice", "an instruction is handed over twice",
     "& (h | taker.ready))", "& taker.ready & ~h)"),
    ("mac.unit", "release", "a slot is released before its word was read",
     "fetcher.release.eq(issuer.token.flags.pop)", "fetcher.release.eq(fetcher.done)"),

    ("post.requantizer", "tie", "rounding: negative ties go up",
     "Mux(s10_sign, s10_value[0] & s10_low,", "Mux(s10_sign, s10_value[0],"),
    ("post.requantizer", "half", "rounding: only the last bits shifted out count",
     "s9_low | low", "low"),
    ("post.requantizer", "product", "rounding of the product",
     "s10_value[0] | ~s10_low", "s10_value[0]"),
    ("post.requantizer", "range", "a large value's lower bits are taken for the value",
     "s9_far | far", "far"),
    ("post.requantizer", "carry", "lost carry between the products",
     'register(signed(34), low_high', 'register(signed(32), low_high'),

    ("post.tables", "bank", "every lane looks up the first lane's byte",
     "read.addr.eq(self.addr[lane])", "read.addr.eq(self.addr[0])"),
    ("post.tables", "sign", "an entry's upper bits are lost",
     "answer.eq(read.data)", "answer.eq(read.data[:24])"),

    ("post.parameters", "early", "the set in use is overwritten",
     "use.eq(whole & (~self.valid | self.drop))", "use.eq(whole)"),
    ("post.parameters", "stale", "a dropped set stays",
     "m.d.sync += self.valid.eq(0)", "m.d.sync += self.valid.eq(self.valid)"),

    ("post.addresses", "row", "the next row follows the last pixel",
     "addr.eq(addr + Mux(row_end, walk.row_step, 1))", "addr.eq(addr + 1)"),
    ("post.addresses", "block", "the third lane block lies on the second",
     "block_addr.eq(next_block)", "block_addr.eq(block_addr)"),
    ("post.addresses", "height", "off by one: a row too many",
     "Mux(self.block_end, one_row, y == 2)", "Mux(self.block_end, one_row, y == 1)"),

    ("post.counts", "tiles", "off by one: a tile too few in the lane blocks after the first",
     "Mux(last_tile, one_tile, tile == 2)", "Mux(last_tile, one_tile, tile == 3)"),
    ("post.counts", "one", "lane blocks of one tile: the second has more",
     "Mux(last_tile, one_tile, tile == 2)", "tile == 2"),

    ("post.residual", "room", "dropped stall: a word without a place",
     "go.eq(~full & inside & ~failed)", "go.eq(inside & ~failed)"),
    ("post.residual", "edge", "off by one: the word behind the scratchpad",
     "walker.o.p.addr < self.config.words", "walker.o.p.addr <= self.config.words"),

    ("post.writer", "stall", "dropped stall: a word is overwritten before it is taken",
     "& (~valid | gone)", ""),
    ("post.writer", "unused", "words of columns without a pixel are written",
     "self.write.valid.eq(valid & held.used)", "self.write.valid.eq(valid)"),
    ("post.writer", "post", "posts before the last word is written",
     "valid & gone & held.last", "valid & held.last"),

    ("post.unit", "residual", "credit off by one: a tile starts without its last word",
     "(present - less >= 0)", "(present - less >= -1)"),
    ("post.unit", "room", "a tile starts without room for its words",
     "(room + writer.left - less >= 0)", "(room >= -columns)"),
    ("post.unit", "constants", "an ADD's constants change before its second pass",
     "job_end & ~add, cooling == 0", "job_end, cooling == 0"),
    ("post.unit", "order", "swapped bytes",
     "word = Cat(earlier, vector)", "word = Cat(vector, earlier)"),
]

MUTATIONS = [Mutation(*row) for row in _TABLE]
