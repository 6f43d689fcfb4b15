"""docs/operators.md says what the converters say."""

from pathlib import Path

import pytest

from sw.frontend.onnx.docs import described, page


def test_the_page_is_current():
    path = Path(__file__).parents[2] / "docs" / "operators.md"
    assert path.read_text() == page(), "run `make docs`"


def test_a_converter_that_says_too_little():
    def silent():
        """Silence."""

    with pytest.raises(ValueError, match="silent: its docstring"):
        described(silent)
