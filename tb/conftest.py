"""The order of the test files, with which two workers are done at the same time."""

from pathlib import Path

# What builds much of what others need comes first, without another one that would wait for it;
# then long files; many short ones last.
FIRST = ("e2e/test_networks_rtl.py", "gate", "board", "cocotb", "e2e", "formal", "fuzz", "sw")


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    ranks = {part: rank for rank, part in enumerate(FIRST)}

    def rank(item):
        place = item.path.relative_to(here)
        return min(ranks.get(str(part), len(FIRST)) for part in (place, *place.parents))

    items.sort(key=rank)
