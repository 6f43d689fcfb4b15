"""Column and Array: sums and greatest values of random tokens, on time, column after column."""

import random

import pytest

from golden.spec.config import preset
from hw.mac.array import Array
from hw.mac.column import Column
from hw.mac.layouts import slots
from tb.pysim import simulate

TINY = preset("tiny")
CONFIGS = {
    "tiny": TINY,
    "odd": TINY.replace(columns=5, lanes=16, drain=4, lut_columns=2, weight_rows=64),
    "one": TINY.replace(columns=1, lut_columns=0),
}


def ports(tokens):
    """Tokens as columns want them: each says which word the following one takes."""
    def read_for(token):
        return {"pop": token["flags"]["pop"], "slot": token["slot"]} if token else {}

    return [{**{key: value for key, value in (token or {}).items() if key != "slot"},
             "next": read_for(following)}
            for token, following in zip([None, *tokens], [*tokens, None], strict=True)]


def signed_byte(value):
    return (value & 255) - 256 * (value >> 7 & 1)


def random_tokens(config, rng, tiles):
    """Tokens of whole tiles with bubbles; None is a bubble. The first of a tile pops."""
    tokens = []
    for _ in range(tiles):
        is_max = rng.randint(0, 1)
        rows = rng.randint(1 + is_max, 9)
        for row in range(rows):
            tokens += [None] * (rng.random() < 0.2)
            add = row < rows - 1 if is_max else rng.random() < 0.9
            tokens.append({
                "flags": {"pop": int(row == 0 or rng.random() < 0.5), "add": int(add),
                          "last": int(row == rows - 1), "max": is_max},
                "slot": rng.randrange(slots(config)),
                "value": [rng.randint(-128, 127) if add and not is_max else int(add)
                          for _ in range(config.lanes)],
                "index": [rng.randrange(config.group) for _ in range(config.lanes)]})
    return tokens


def expected(config, tokens, words):
    """(number of the token with last, max, sums) of every tile of one column.

    ``words``: per slot what is written. With ``max`` the sums are signed bytes.
    """
    found, products, word = [], [], None
    for number, token in enumerate(tokens):
        if token is None:
            continue
        flags = token["flags"]
        if flags["pop"]:
            word = read(config, words[token["slot"]])
        if flags["add"]:
            # With max what is written is inverted.
            row = [~byte for byte in word] if flags["max"] else word
            products.append([value * row[index] for value, index in zip(
                token["value"], token["index"], strict=True)])
        if flags["last"]:
            reduce = max if flags["max"] else sum
            found.append((number, flags["max"],
                          [reduce(product[lane] for product in products) if products else 0
                           for lane in range(config.lanes)]))
            products = []
    return found


def random_words(config, rng):
    """What is written to each slot."""
    return [{"word": rng.getrandbits(8 * config.group), "padded": int(rng.random() < 0.3),
             "pad": rng.getrandbits(8), "inverted": rng.randint(0, 1)}
            for _ in range(slots(config))]


def read(config, kept):
    """The M signed bytes that are read of it."""
    if kept["padded"]:
        return [signed_byte(kept["pad"])] * config.group
    word = kept["word"].to_bytes(config.group, "little")
    return [signed_byte(~byte if kept["inverted"] else byte) for byte in word]


def sums_of(item):
    """(max, sums) as ``expected`` has them; a greatest byte is held with its top bit inverted."""
    return item.max, [signed_byte(acc ^ 0x80) if item.max else acc for acc in item.acc]


@pytest.mark.parametrize("lut", [False, True])
@pytest.mark.parametrize("name", ["tiny", "odd"])
def test_column(name, lut):
    """New sums LATENCY + 1 cycles after last, held until the next; tokens handed on in 1."""
    config, rng = CONFIGS[name], random.Random(name)
    words, tokens = random_words(config, rng), random_tokens(config, rng, 60)
    tiles = {number + Column.LATENCY + 1: item
             for number, *item in expected(config, tokens, words)}
    dut = Column(config, lut=lut)

    async def bench(ctx):
        ctx.set(dut.en, 1)
        for slot, word in enumerate(words):
            ctx.set(dut.slot, slot)
            ctx.set(dut.word, word)
            await ctx.tick()
        ctx.set(dut.en, 0)
        ctx.set(dut.word, {})
        held = None
        for cycle, token in enumerate(
                ports([None, *tokens, *[None] * (Column.LATENCY + 2)])[1:], start=-1):
            note = f"{name}, cycle {cycle}"
            ctx.set(dut.i, token)
            assert ctx.get(dut.loaded) == (cycle in tiles), note
            held = tiles.get(cycle, held)
            if held:
                assert list(sums_of(ctx.get(dut.sums))) == held, note
            before = ctx.get(dut.i.as_value())
            await ctx.tick()
            assert ctx.get(dut.o.as_value()) == before, note

    simulate(dut, bench)


@pytest.mark.parametrize("name", CONFIGS)
def test_array(name):
    """Every column computes with its own words, q cycles after column 0."""
    config, rng = CONFIGS[name], random.Random(name)
    words = [random_words(config, rng) for _ in range(config.columns)]
    tokens = random_tokens(config, rng, 30)
    tiles = [{number + Column.LATENCY + 1 + q: item
              for number, *item in expected(config, tokens, words[q])}
             for q in range(config.columns)]
    dut = Array(config)

    async def bench(ctx):
        for slot in range(slots(config)):
            for q in range(config.columns):  # one column at a time, the others' words are wrong
                kept = words[q][slot]
                ctx.set(dut.write, {
                    "slot": slot, "en": 1 << q, "padded": kept["padded"] << q, "pad": kept["pad"],
                    "inverted": kept["inverted"],
                    "words": [kept["word"] if q == p else rng.getrandbits(8)
                              for p in range(config.columns)]})
                await ctx.tick()
        ctx.set(dut.write, {})
        held = [None] * config.columns
        for cycle, token in enumerate(
                ports([None, *tokens, *[None] * (Column.LATENCY + config.columns + 1)])[1:],
                start=-1):
            ctx.set(dut.token, token)
            assert ctx.get(dut.loaded) == (cycle in tiles[0]), f"{name}, cycle {cycle}"
            for q in range(config.columns):
                held[q] = tiles[q].get(cycle, held[q])
                if held[q]:
                    assert list(sums_of(ctx.get(dut.sums[q]))) == held[q], (
                        f"{name}, cycle {cycle}, column {q}")
            await ctx.tick()

    simulate(dut, bench)
