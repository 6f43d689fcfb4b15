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
    **{name: Block(f"hw/{name}.py", (f"test_{name}.py",))
       for name in ("haul", "wide_mux", "resettable", "copies")},
    **{f"bus.{name}": _block("bus", name, name) for name in ("arbiter", "slice")},
    **{f"link.{name}": _block("link", name, bench) for name, bench in (
        ("uart_receiver", "uart"), ("uart_transmitter", "uart"), ("crc", "frames"),
        ("frame_buffer", "frames"), ("deframer", "frames"), ("framer", "frames"),
        ("bus_port", "bus_port"), ("engine", "engine"))},
    **{f"sdram.{name}": _block("sdram", name, bench) for name, bench in (
        ("timing", "timing"), ("rows", "rows_columns"), ("columns", "rows_columns"),
        ("segments", "segments"), ("upkeep", "upkeep"), ("controller", "controller"))},
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
     "(next_block.n <= self.config.group)", "(next_block.n < self.config.group)"),
    ("mem.weight_parser", "index", "stale index: each row that of the first",
     "waiting.eq(waiting[size:])", "waiting.eq(waiting)"),
    ("mem.weight_parser", "rows", "fewer rows than announced are accepted",
     "((n < rows_left) & more_entries)", "(n < rows_left)"),
    ("mem.weight_parser", "step", "every block of a run reads the same words",
     "newest.offset.eq(newest.offset + step)", "newest.offset.eq(newest.offset)"),
    ("mem.weight_parser", "more", "N off by one: a block more in every run",
     "more.eq(block.more)", "more.eq(block.more + 1)"),
    ("mem.weight_parser", "pending", "lost entry: a run goes on over one that was not taken",
     "waits.eq(last & runs & pending)", "waits.eq(0)"),
    ("mem.weight_parser", "rowless", "stale check of what follows a block of no rows",
     "(taken & ~(in_header & head_whole & rowless))", "taken"),

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
     "control.about.pad_value ^ max_mode", "max_mode"),
    ("mac.fetch", "early", "an entry is told of a cycle before its words can be there",
     "stage == self.LATENCY - self.EARLY", "stage == self.LATENCY - self.EARLY - 1"),
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
    ("mac.column", "padded", "a padded word's own bytes count",
     "Mux(kept.padded, kept.pad.replicate(self.config.group),", "Mux(0, kept.word,"),
    ("mac.column", "inverted", "words are never inverted",
     "kept.word ^ kept.inverted.replicate(size)", "kept.word"),

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

    ("haul", "places", "credit off by one: more set out than there is room for",
     "Signal(range(self.DEPTH + 1), init=self.DEPTH)",
     "Signal(range(self.DEPTH + 2), init=self.DEPTH + 1)"),
    ("haul", "back", "the last place stays empty",
     "(places != 1)", "(places != 2)"),
    ("haul", "lost", "a place that is freed alone is forgotten",
     "with m.If(sent[0] != taken[-1]):", "with m.If(sent[0] & ~taken[-1]):"),
    ("haul", "payload", "the next item's payload",
     "end.i.payload.eq(payloads[-1])", "end.i.payload.eq(payloads[-2])"),

    ("wide_mux", "beside", "the item beside",
     "word_select(self.index, self.width)", "word_select(self.index ^ 1, self.width)"),
    ("wide_mux", "beyond", "ones beyond a last item that ends in one",
     "self.items.as_value().word_select(self.index, self.width)",
     "self.items.as_value().as_signed() >> self.index * self.width"),
    ("wide_mux", "order", "items in the wrong order",
     "enumerate(items)]", "enumerate(reversed(items))]"),

    ("resettable", "late", "no register of its own",
     "m.d.sync += held.eq(self._reset)", "m.d.comb += held.eq(self._reset)"),
    ("resettable", "start", "not reset in the first cycle",
     "Signal(init=1, reset_less=True)", "Signal(reset_less=True)"),
    ("resettable", "reset", "not reset at all",
     "ResetInserter(held)(self._component)", "self._component"),

    ("copies", "joined", "copies that synthesis takes for one register",
     "init=(0, ones)[index % 2]", "init=0"),
    ("copies", "inverse", "the third holds the value itself",
     "held.eq(value if index < 2 else ~value)", "held.eq(value)"),
    ("copies", "same", "the inverse is not taken back",
     "found.append(held if index < 2 else ~held)", "found.append(held)"),

    ("bus.arbiter", "starved", "starved client: the second waits for the first to rest",
     "owner.eq(b.valid & (~a.valid | ~last))", "owner.eq(b.valid & ~a.valid)"),
    ("bus.arbiter", "owner", "wrong owner: that of the youngest burst",
     "Array(bits)[(count - 1)[:len(count)]]", "bits[0]"),
    ("bus.arbiter", "both", "both managers are answered",
     "a.valid.eq(bus.valid & ~owner)", "a.valid.eq(bus.valid)"),
    ("bus.arbiter", "burst", "a burst's data ends with its first beat",
     "owners.o.ready.eq(free & valid & last)", "owners.o.ready.eq(free & valid)"),
    ("bus.arbiter", "lost", "lost address: overwritten before it is taken",
     "free.eq((~bus.valid | bus.ready) & Cat(", "free.eq(Cat("),
    ("bus.arbiter", "flight", "dropped stall: more in flight than owners are kept",
     "self.i.ready.eq(count != self.depth)", "self.i.ready.eq(1)"),

    ("bus.slice", "read", "addresses of reads go nowhere",
     '("aw", "w", "ar"), ("b", "r")', '("aw", "w"), ("b", "r")'),
    ("bus.slice", "answer", "answers of writes go nowhere",
     '("aw", "w", "ar"), ("b", "r")', '("aw", "w", "ar"), ("r",)'),
    ("bus.slice", "rate", "an item every other cycle",
     "SkidBuffer(before.payload.shape())",
     '__import__("hw.stream").stream.Queue(shape=before.payload.shape(), depth=1)'),

    ("link.uart_receiver", "middle", "bits are taken at their ends",
     "(1 << (self.phase_bits - 1)) + 5 * self.step // 2", "5 * self.step // 2"),
    ("link.uart_receiver", "vote", "one bad sample makes a bad bit",
     "line.eq((a & b) | (b & c) | (a & c))", "line.eq(c)"),
    ("link.uart_receiver", "stop", "a byte without a stop bit is given",
     "self.valid.eq(line), self.error.eq(~line)", "self.valid.eq(1), self.error.eq(~line)"),
    ("link.uart_receiver", "high", "the next start bit within a long zero",
     'm.next = "HIGH"', 'm.next = "IDLE"'),
    ("link.uart_receiver", "glitch", "a glitch is taken for a start bit",
     "with m.Elif((bits == 0) & line):", "with m.Elif(0):"),

    ("link.uart_transmitter", "stop", "no stop bit between bytes",
     "left.eq(FRAME_BITS), shift", "left.eq(FRAME_BITS - 1), shift"),
    ("link.uart_transmitter", "rate", "the first bit is a cycle too long",
     "phase.eq(self.step)", "phase.eq(0)"),
    ("link.uart_transmitter", "pause", "a cycle between bytes",
     "(left == 0) | ((left == 1) & tick)", "left == 0"),
    ("link.uart_transmitter", "idle", "the line rests at 0",
     "Cat(shift[1:], Const(1, 1))", "Cat(shift[1:], Const(0, 1))"),

    ("link.crc", "bits", "off by one: seven bits of a byte",
     "left.eq(8), byte", "left.eq(7), byte"),
    ("link.crc", "drain", "bytes are taken in while the register is sent",
     "& ~drain)", ")"),
    ("link.crc", "clear", "begins with zeros",
     "self.value.eq(self.value.init)", "self.value.eq(0)"),

    ("link.frame_buffer", "rewind", "a frame given up stays",
     "written.eq(Mux(self.rewind, committed, after))", "written.eq(after)"),
    ("link.frame_buffer", "commit", "off by one: the byte that comes with the commit",
     "m.d.sync += committed.eq(after)", "m.d.sync += committed.eq(written)"),
    ("link.frame_buffer", "early", "bytes are read before their frame is committed",
     "there.eq(committed)", "there.eq(written)"),
    ("link.frame_buffer", "full", "dropped stall: a byte without a place",
     "self.room.eq(written != taken ^ self.depth)", "self.room.eq(1)"),

    ("link.deframer", "crc", "the CRC is ignored",
     "& (crc.value == CRC_RESIDUE)", ""),
    ("link.deframer", "length", "the header's length is ignored",
     "(count == Mux(carries, length, 0))", "(count == Mux(carries, count, 0))"),
    ("link.deframer", "short", "data after a header without any",
     "(count == Mux(carries, length, 0))", "(count == Mux(carries, length, count))"),
    ("link.deframer", "lost", "lost frame acted upon: what had no room is cut off",
     "m.Elif(self.error | (keep & delayed & ~buffer.room)):", "m.Elif(self.error):"),
    ("link.deframer", "error", "a bad byte is taken for none",
     "m.Elif(self.error | (keep & delayed & ~buffer.room)):",
     "m.Elif(keep & delayed & ~buffer.room):"),
    ("link.deframer", "escape", "an ESCAPE before the FLAG is forgiven",
     "& ~bad & ~escape &", "& ~bad &"),
    ("link.deframer", "rewind", "a bad frame's bytes stay",
     "buffer.rewind.eq(after & ~good)", "buffer.rewind.eq(0)"),

    ("link.framer", "stuff", "ESCAPE is sent as it is",
     "plain.eq((raw != FLAG) & (raw != ESCAPE))", "plain.eq(raw != FLAG)"),
    ("link.framer", "inverse", "the CRC is not inverted",
     "raw.eq(~crc.value[:8])", "raw.eq(crc.value[:8])"),
    ("link.framer", "tail", "off by one: three bytes of CRC",
     "tail == CRC_BYTES - 1", "tail == CRC_BYTES - 2"),
    ("link.framer", "twice", "an escaped byte is in the CRC twice",
     "self.i.ready.eq(taken), crc.start.eq(taken)", "self.i.ready.eq(taken), crc.start.eq(1)"),
    ("link.framer", "stale", "the CRC goes on from the frame before",
     "m.d.comb += crc.clear.eq(1)", "m.d.comb += crc.clear.eq(0)"),

    ("link.bus_port", "withdrawn", "a request is withdrawn before it is taken",
     "with m.If(channel.valid & channel.ready):", "with m.If(channel.valid):"),
    ("link.bus_port", "stale", "stale strobes of the beat before",
     "m.d.sync += strobes.eq(0)", "m.d.sync += strobes.eq(strobes)"),
    ("link.bus_port", "strobes", "the strobe beside",
     "Cat(strobes[1:], keep)", "Cat(strobes[1:], keep)[::-1]"),
    ("link.bus_port", "busy", "idle in the cycle after it was asked",
     "with m.If(self.write | self.read):", "with m.If(write | read):"),
    ("link.bus_port", "refused", "a refused write counts as done",
     "self.response.eq(bus.b.p.resp)", "self.response.eq(0)"),
    ("link.bus_port", "lane", "bytes of the first word only",
     "got.word_select(lane[2:], 32)", "got[:32]"),

    ("link.engine", "sequence", "sequence off by one: acts upon a request that came too early",
     "fresh.eq(distance == 0)", "fresh.eq(distance <= 1)"),
    ("link.engine", "window", "window off by one: the oldest repetition is refused",
     "repeated.eq(distance >= 256 - WINDOW)", "repeated.eq(distance > 256 - WINDOW)"),
    ("link.engine", "again", "a write that is repeated is done again",
     "with m.Elif(~fresh & ~(self.is_access & ~self.carries)):",
     "with m.Elif(~fresh & ~self.is_access):"),
    ("link.engine", "status", "a refused request's status is kept for another one's",
     "m.d.comb += self.keep.eq(self.fresh)", "m.d.comb += self.keep.eq(1)"),
    ("link.engine", "hello", "HELLO counts in the sequence",
     "with m.If(fresh & ~self.is_hello):", "with m.If(fresh):"),
    ("link.engine", "outside", "memory is taken to be twice as large",
     "self.hello.memory_bytes.bit_length() - 1:", "self.hello.memory_bytes.bit_length():"),
    ("link.engine", "late", "waits for ever for a bus that never answered",
     "with m.Elif(self.late):  # an", "with m.Elif(0):  # an"),
    ("link.engine", "skip", "a refused write's data is taken for the next request",
     "with m.If(~self.carries | (self.length == 0)):", "with m.If(1):"),

    ("sdram.timing", "up", "times are rounded down",
     "math.ceil(round(ns * mhz / 1e3, 6))", "math.floor(round(ns * mhz / 1e3, 6))"),
    ("sdram.timing", "interval", "refreshes come a little late",
     "math.floor(self.interval * mhz / 1e3)", "math.ceil(self.interval * mhz / 1e3)"),
    ("sdram.timing", "least", "the least number of cycles is ignored",
     "max(least, math.ceil(", "max(1, math.ceil("),
    ("sdram.timing", "slowest", "the longest refresh period of several",
     '"columns", "refresh_ms")', '"columns")'),

    ("sdram.rows", "rcd", "tRCD short by a cycle",
     "max(cycles.rcd, cycles.rrd, 2) - 2", "max(cycles.rcd, cycles.rrd, 2) - 3"),
    ("sdram.rows", "rp", "tRP short by a cycle",
     "after_precharge = cycles.rp - 1", "after_precharge = cycles.rp - 2"),
    ("sdram.rows", "ras", "tRAS short by a cycle",
     "max(cycles.ras, cycles.rc - cycles.rp) - 1", "max(cycles.ras, cycles.rc - cycles.rp) - 2"),
    ("sdram.rows", "wr", "write recovery short by a cycle",
     "burst + cycles.wr - 2", "burst + cycles.wr - 3"),
    ("sdram.rows", "bank", "wrong bank: the row is noted for the first one",
     "opens.addr.eq(segment.bank)", "opens.addr.eq(0)"),
    ("sdram.rows", "runs", "a row is closed under the segment that runs",
     "\n                         & ~(self.runs & (self.runs_bank == segment.bank))", ""),
    ("sdram.rows", "closed", "rows are taken for open after a refresh",
     "m.d.sync += opened.eq(0)", "m.d.sync += opened.eq(opened)"),

    ("sdram.columns", "turn", "the pins do not rest before a write",
     "m.d.sync += turn.eq(burst + self.cycles.cas)",
     "m.d.sync += turn.eq(burst + self.cycles.cas - 1)"),
    ("sdram.columns", "burst", "a command a cycle early, into the burst before",
     "wait.eq(burst - 1)", "wait.eq(burst - 2)"),
    ("sdram.columns", "part", "the first half of a beat twice",
     "(segment.start << (commands - 1).bit_length()) | part",
     "segment.start << (commands - 1).bit_length()"),
    ("sdram.columns", "last", "each command is a burst's last",
     "self.last.eq(segment.last & done)", "self.last.eq(segment.last)"),
    ("sdram.columns", "error", "a segment in error is read",
     "Mux(segment.error, Command.NOP, Mux(", "Mux(0, Command.NOP, Mux("),

    ("sdram.segments", "cut", "a first segment is as long as a whole one",
     "Mux(last, final, self.SEGMENT - 1) - place[:inside]", "Mux(last, final, self.SEGMENT - 1)"),
    ("sdram.segments", "room", "off by one: a segment without room for its last beat",
     "(room >= self.SEGMENT)", "(room >= self.SEGMENT - 1)"),
    ("sdram.segments", "stored", "off by one: a write whose last beat has not come",
     '(write["len"] < stored)', '(write["len"] <= stored)'),
    ("sdram.segments", "answers", "more answers than there is room for",
     "unanswered != self.answers)", "1)"),
    ("sdram.segments", "starved", "starved reads while there are writes",
     "(direction ^ turn)", "1"),
    ("sdram.segments", "beyond", "an address beyond the part is within it",
     "error.eq(first[end:].any())", "error.eq(0)"),
    ("sdram.segments", "hold", "segments go on while a refresh is due",
     "(may_read | may_write) & ~self.hold", "may_read | may_write"),

    ("sdram.upkeep", "missed", "refresh missed: one becomes due while another one goes",
     "with m.Elif(refresh & ~due):", "with m.Elif(refresh):"),
    ("sdram.upkeep", "interval", "off by one: refreshes a cycle late, each time",
     "Mux(due, cycles.interval - 1, interval - 1)", "Mux(due, cycles.interval, interval - 1)"),
    ("sdram.upkeep", "rp", "tRP short by a cycle",
     "send(Command.PRECHARGE, cycles.rp,", "send(Command.PRECHARGE, cycles.rp - 1,"),
    ("sdram.upkeep", "rfc", "tRFC short by a cycle",
     "send(Command.REFRESH, cycles.rfc)", "send(Command.REFRESH, cycles.rfc - 1)"),
    ("sdram.upkeep", "quiet", "rows are closed while they are in use",
     "self.hold & self.quiet & (power_up == 0)", "self.hold & (power_up == 0)"),
    ("sdram.upkeep", "power_up", "commands before the clock was stable",
     "self.hold & self.quiet & (power_up == 0)", "self.hold & self.quiet"),

    ("sdram.controller", "strobes", "the bytes that are to stay are written",
     "~ahead.o.p.strb", "ahead.o.p.strb"),
    ("sdram.controller", "capture", "words are taken a cycle early",
     "range(self.capture + 1)]", "range(self.capture)]"),
    ("sdram.controller", "lost", "lost command of a row, behind that of a column",
     "rows.command.ready.eq(~columns.command.valid)", "rows.command.ready.eq(1)"),
    ("sdram.controller", "beyond", "a write beyond the part is answered OKAY",
     "answers.i.payload.eq(columns.error)", "answers.i.payload.eq(0)"),
    ("sdram.controller", "order", "swapped words",
     "Cat(words[DATA_BITS:], read.o.p.data)", "Cat(read.o.p.data, words[:-DATA_BITS])"),
]

MUTATIONS = [Mutation(*row) for row in _TABLE]
