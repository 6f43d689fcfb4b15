"""Walks over output pixels, for the benches of what an AddressWalker leads."""

__all__ = ["ends_of", "expected", "random_walk", "steps_of"]


def expected(walk, columns):
    """(addr, used, last, tag, post) column by column."""
    found = []
    for block in range(walk["blocks"]):
        address = walk["base"] + block * walk["block_step"]
        places = []
        for _ in range(walk["out_height"]):
            places += [(address + x) & 0xFFFF for x in range(walk["out_width"])]
            address = places[-1] + walk["row_step"]
        unused = walk["tiles"] * columns - len(places)
        found += [(place, 1, 0) for place in places] + [(places[-1], 0, 0)] * unused
    found[-1] = (*found[-1][:2], 1)
    return [(*item, walk["tag"], walk["post"]) for item in found]


def random_walk(rng, columns, *, steps=1 << 16):
    """A walk whose base and steps are below ``steps``; with 64 it stays below word 512."""
    width, height = rng.randint(1, 6), rng.randint(1, 4)
    return dict(base=rng.randrange(steps), row_step=rng.randrange(steps),
                block_step=rng.randrange(steps), out_width=width, out_height=height,
                tiles=-(-width * height // columns), blocks=rng.randint(1, 3),
                tag=rng.getrandbits(16), post=rng.getrandbits(16))


def steps_of(walk):
    """The part that an AddressWalker is given."""
    return {name: value for name, value in walk.items() if name not in ("tiles", "blocks")}


def ends_of(walk, columns):
    """(block_end, last) column by column."""
    block = walk["tiles"] * columns
    count = walk["blocks"] * block
    return [((n + 1) % block == 0, n + 1 == count) for n in range(count)]
