"""Walks over output pixels, for the benches of what an AddressWalker leads."""

__all__ = ["expected", "random_walk"]


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
