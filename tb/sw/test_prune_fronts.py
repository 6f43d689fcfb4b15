"""The pruner's fronts, where their frameworks may be missing; what they share."""

import sys

import numpy as np
import pytest

import sw.prune
from sw.errors import ToolError, UsageError
from sw.prune import Schedule
from sw.prune.criteria import check_criterion
from sw.prune.names import check_layer
from sw.prune.pattern import Pattern
from sw.prune.sensitivity import Sensitivity, factors, measure


def test_schedule():
    schedule = Schedule(begin=10, end=50, every=20)
    assert [step for step in range(1, 99) if schedule.due(step)] == [30, 50]
    assert [schedule.progress(step) for step in (0, 10, 30, 50, 60)] == [0, 0, 0.875, 1, 1]
    assert [step for step in range(1, 9) if Schedule(begin=0, end=0).due(step)] == [1]
    assert Schedule(begin=3, end=3).due(3)


@pytest.mark.parametrize("settings, text", [
    ({"begin": -1}, "begin of the schedule is -1"), ({"begin": 5, "end": 4}, "end .* is 4"),
    ({"every": 0}, "every .* is 0, accepted is 1")])
def test_schedules_that_are_none(settings, text):
    with pytest.raises(UsageError, match=text):
        Schedule(**settings)


def test_names_that_are_none():
    with pytest.raises(UsageError, match="'taste'; accepted are magnitude, gradient, fisher"):
        check_criterion("taste")
    with pytest.raises(UsageError, match="'c': no such layer; layers are a, b"):
        check_layer("c", ["a", "b"])
    with pytest.raises(UsageError, match="'c' isn't pruned: it is excluded; layers that are: a, b"):
        check_layer("c", ["a", "b"], {"c": "it is excluded"})
    check_layer("a", ["a", "b"], {"c": "it is excluded"})


def test_sensitivity_by_what_each_layer_does():
    """Halves of lanes go, the least first; the error without them is the damage."""
    scores = {"a": np.arange(1.0, 9).reshape(2, 4), "b": np.ones((2, 4))}
    patterns = {name: Pattern((2, 4), 2, 4) for name in scores}
    now = {}

    class Only:
        def __init__(self, name, mask):
            self.name, self.mask = name, mask

        def __enter__(self):
            now[self.name] = self.mask

        def __exit__(self, *_):
            del now[self.name]

    found = measure(scores, patterns, lambda: 1.0 + sum(
        (1 if name == "a" else np.nan) * (~mask).sum() for name, mask in now.items()), Only)
    assert found["a"] == Sensitivity(4.0, 1.0 + 2 + 5 + 6)
    assert found["b"].damage == np.inf and found["b"].lost == 4.0
    weights = factors({"a": Sensitivity(2.0, 1.0), "b": Sensitivity(0.0, 1.0)})
    assert weights == {"a": 2.0, "b": 0.002}
    assert factors({"a": Sensitivity(0.0, 1.0)}) == {"a": 1.0}


def test_without_pytorch(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("sw.prune.torch")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ToolError, match=r"Pruner needs PyTorch: pip install sentei\[torch\]"):
        sw.prune.Pruner  # noqa: B018
    with pytest.raises(AttributeError, match="'Nothing'"):
        sw.prune.Nothing  # noqa: B018


def test_without_tensorflow(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("sw.prune.keras")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(ToolError, match=r"needs TensorFlow: pip install sentei\[tensorflow\]"):
        import sw.prune.keras  # noqa: F401
