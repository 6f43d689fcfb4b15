"""Counts and lists in sentences."""

from sw.words import counted, listed, shortened


def test_words():
    assert [counted(number, "sample") for number in (0, 1, 1000)] == [
        "0 samples", "1 sample", "1,000 samples"]
    assert listed(["a", "b"], 2) == "a, b" and listed(["a", "b", "c"], 1) == "a and 2 more"
    assert shortened("a" * 40) == "a" * 40 and shortened("b" * 40 + "c") == "…" + "b" * 38 + "c"
