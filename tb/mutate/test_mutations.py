"""Every fault of the table can be planted, and the runner tells a caught one from a sound tree."""

from collections import Counter

import pytest

from tb.mutate.mutations import BLOCKS, MUTATIONS, Mutation
from tb.mutate.runner import ROOT, Outcome, run

BY_ID = {mutation.id: mutation for mutation in MUTATIONS}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.id)
def test_can_be_planted(mutation):
    text = (ROOT / mutation.file).read_text()
    mutated = mutation.mutated(text)
    assert mutated != text
    compile(mutated, mutation.file, "exec")


def test_ids_and_benches():
    assert len(BY_ID) == len(MUTATIONS)
    counts = Counter(mutation.block for mutation in MUTATIONS)
    assert set(counts) == set(BLOCKS)
    assert min(counts.values()) >= 2
    for block in BLOCKS.values():
        for bench in block.benches:
            assert (ROOT / "tb" / "unit" / bench).is_file(), bench


@pytest.mark.parametrize("before", ["no such text", "m.d.sync"])
def test_refuses_text_that_is_not_there_once(before):
    with pytest.raises(ValueError, match="accepted is once"):
        Mutation("stream", "x", "x", before, "").mutated((ROOT / "hw/stream.py").read_text())


def test_caught_and_survived():
    """The watchdog's bench, the quickest, with a fault and without."""
    block, mutation = BLOCKS["control.watchdog"], BY_ID["control.watchdog.limit"]
    result = run(block, mutation)
    assert result.outcome is Outcome.CAUGHT
    assert result.by.startswith("control/test_watchdog.py::")
    assert run(block, None).outcome is Outcome.SURVIVED
