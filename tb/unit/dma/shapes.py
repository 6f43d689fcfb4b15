"""LOAD and STORE fields as the compiler makes them, at random."""

__all__ = ["load_shapes", "random_load", "random_store", "scatter", "store_shapes"]

load_shapes = ("planar", "nhwc", "thin", "tiny_rows", "repeat")
store_shapes = ("planar", "nhwc", "bytes")


def scatter(rng, config, counts):
    """Base and steps [4] (count0, count1, count2, runs) of distinct words, in random loop order."""
    order = rng.sample(range(4), 4)
    steps, size = [0] * 4, rng.choice((1, 1, 2))
    for level in order:
        steps[level] = size
        size *= counts[level]
    span = sum(step * (count - 1) for step, count in zip(steps, counts, strict=True))
    assert span < config.words, (counts, steps)
    base = rng.randrange(config.words - span)
    if rng.random() < 0.3:  # downwards, by wrapping
        base, steps = base + span, [-step % (1 << 16) for step in steps]
    return base, steps


def _with_words(rng, config, fields, name):
    counts = [fields["count0"], fields["count1"], fields["count2"], fields["runs"]]
    base, steps = scatter(rng, config, counts)
    fields[name] = base
    for level, step in zip(("step0", "step1", "step2", "run_step"), steps, strict=True):
        fields[f"{name}_{level}"] = step
    return fields


def _place(rng, fields, aligned, group):
    """Address and stride of the runs, in a region of 8 KiB, sometimes across 4 KiB."""
    size = fields["run_bytes"]
    stride = rng.choice((size, size + rng.randrange(40)))
    span = stride * (fields["runs"] - 1) + size
    address = rng.randrange(8192 - span - group)
    if rng.random() < 0.4 and span > 2 * group:
        address = max(0, 4096 - rng.randrange(span))
    if aligned:
        address, stride = address // group * group, -(-stride // group) * group
        if address + stride * (fields["runs"] - 1) + size > 8192:
            address = 0
    return {**fields, "address": address, "run_stride": stride}


def random_load(rng, config, shape):
    """Fields of a LOAD to the scratchpad, at most a quarter of it; the region has 8 KiB."""
    group = config.group
    fill = rng.randrange(256)
    if shape == "planar" or shape == "repeat":
        columns, rows, runs = rng.randint(1, 6), rng.randint(1, 3), rng.randint(1, 4)
        fields = {"run_bytes": rows * columns * group, "runs": runs, "first": 0, "count0": 1,
                  "step0": 0, "tail": group, "count1": columns, "step1": group, "count2": rows,
                  "step2": columns * group, "row_bytes": columns * group}
        fields = _place(rng, fields, True, group)
        if shape == "repeat":
            fields["run_stride"] = 0
    elif shape == "nhwc":
        channels = rng.randint(1, 2 * group + 3)
        groups = -(-channels // group)
        columns, rows, runs = rng.randint(1, 5), rng.randint(1, 3), rng.randint(1, 2)
        fields = {"run_bytes": columns * channels * rows, "runs": runs, "first": 0,
                  "count0": groups, "step0": group, "count1": columns, "step1": channels,
                  "count2": rows, "step2": columns * channels, "row_bytes": columns * channels,
                  "tail": channels - (groups - 1) * group}
        fields = _place(rng, fields, False, group)
    elif shape == "thin":  # windows of kernel x channels bytes, padded left and right
        channels = rng.randint(1, min(3, group))
        kernel = rng.randint(1, group // channels)
        stride, pad = rng.randint(1, kernel + 1), rng.randrange(kernel)
        width, rows = rng.randint(kernel, kernel + 10), rng.randint(1, 3)
        columns = (width + 2 * pad - kernel) // stride + 1
        one_run = (columns - 1) * stride * channels <= width * channels
        fields = {"run_bytes": width * channels * (rows if one_run else 1),
                  "runs": 1 if one_run else rows, "first": -pad * channels, "count0": 1,
                  "step0": 0, "count1": columns, "step1": stride * channels,
                  "count2": rows if one_run else 1, "step2": width * channels,
                  "row_bytes": width * channels, "tail": kernel * channels}
        fields = _place(rng, fields, False, group)
    else:  # tiny_rows: rows of few bytes with gaps, and windows wholly in the padding
        row, gap = rng.randint(1, group), rng.randint(0, 2 * group)
        columns, rows = rng.randint(1, 3), rng.randint(2, 5)
        step2 = row + gap + columns * group
        fields = {"run_bytes": step2 * (rows - 1) + row, "runs": rng.randint(1, 2),
                  "first": -rng.randrange(group), "count0": 1, "step0": 0, "tail": group,
                  "count1": columns, "step1": group, "count2": rows, "step2": step2,
                  "row_bytes": row}
        fields = _place(rng, fields, False, group)
    return _with_words(rng, config, {**fields, "fill": fill}, "dst")


def random_store(rng, config, shape):
    """Fields of a STORE; the region has 8 KiB."""
    group = config.group
    groups, columns = rng.randint(1, 3), rng.randint(1, 5)
    rows, runs, tail = rng.randint(1, 3), rng.randint(1, 3), rng.randint(1, group)
    if shape == "planar":
        groups, tail = 1, group
    elif shape == "bytes":
        groups, tail = 1, rng.randint(1, 2)
    fields = {"run_bytes": ((groups - 1) * group + tail) * columns * rows, "runs": runs,
              "count0": groups, "count1": columns, "count2": rows, "tail": tail}
    return _with_words(rng, config, _place(rng, fields, shape == "planar", group), "src")
