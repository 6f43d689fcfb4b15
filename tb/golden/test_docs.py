"""docs/isa.md, docs/registers.md and docs/drp_words.md say what golden/spec says."""

from pathlib import Path

import pytest

from golden.spec.docs import pages


@pytest.mark.parametrize("name", sorted(pages()))
def test_generated_pages_are_current(name):
    path = Path(__file__).parents[2] / "docs" / name
    assert path.read_text() == pages()[name], "run `make docs`"
