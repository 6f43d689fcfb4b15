"""What pruners do in every framework's training loop."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from golden.spec import config as configs
from golden.spec.config import Config
from sw.errors import UsageError
from sw.prune.importance import BaseImportance
from sw.prune.network import BaseNetwork
from sw.prune.schedule import Schedule
from sw.prune.sensitivity import factors, measure
from sw.prune.target import Target

__all__ = ["BasePruner"]

Result = TypeVar("Result")


class BasePruner:
    """Prunes a model while it trains, against the chip's timing.

    A framework's front derives from it: its ``step`` is `_advance`, its ``export`` begins with
    `_warn_unfinished` and ends with `_write`.

    Parameters
    ----------
    build : callable
        Gives the `BaseNetwork` for a chip.
    importance : type
        The front's `BaseImportance`.
    preset : str or Config
        The chip.
    speedup : float, optional
        Over all weights issued, in cycles from doorbell to interrupt.
    rate : float or mapping of str to float, optional
        Instead: share of all prunable weights, or by layer, that goes.
    schedule : Schedule, optional
        In calls of ``step``.
    criterion : str
        Importance: ``magnitude``, ``gradient`` or ``fisher`` (see `criteria.CRITERIA`).
    sensitivity : "output", callable or None
        How layers are compared before the first weights go: each is pruned to a half alone, and
        either the output's error on the example or the callable (given the model, a number that is
        higher for a worse one, such as its loss on held-out data) tells the damage. Importance is
        scaled so that a layer loses what was measured. None: as the criterion says.
    tolerance : float
        Layers whose damage is so many times the median are left alone, if the speed-up allows.

    Members
    -------
    masks : dict of str to bool array
        By layer, as the framework has its weights.
    excluded : list of str
        Layers left alone because of their sensitivity.
    final : bool
        The masks don't change any more.

    Raises
    ------
    UsageError
        For what can't be: the text names it and what is accepted, a speed-up that can be reached
        for one that can't.
    ModelError
        For a model that does what the chip, or the format exported, can't.
    """

    def __init__(self, build: Callable[[Config], BaseNetwork], importance: type[BaseImportance], *,
                 preset: str | Config, speedup: float | None,
                 rate: float | Mapping[str, float] | None, schedule: Schedule | None,
                 criterion: str, sensitivity: str | Callable[[Any], float] | None,
                 tolerance: float) -> None:
        if not (sensitivity in ("output", None) or callable(sensitivity)):
            raise UsageError(f"sensitivity is {sensitivity!r}; accepted are 'output', a callable "
                             "or None")
        try:
            chip = configs.preset(preset) if isinstance(preset, str) else preset
        except configs.ConfigError as error:
            raise UsageError(str(error)) from error
        self._network = build(chip)
        self._importance = importance(self._network, criterion)
        self._target = Target(self._network, speedup, rate,
                              importance(self._network, "magnitude").scores())
        self._schedule = schedule or Schedule()
        self._sensitivity, self._tolerance = sensitivity, tolerance
        self._factors: dict[str, float] | None = None
        self._steps = 0
        self.masks = dict(self._network.masks)
        self.excluded: list[str] = []
        self.final = False

    @property
    def counts(self) -> dict[str, NDArray]:
        """N of every block, [lane blocks, blocks], by layer."""
        return {name: self._network.pattern(name).counts(mask)
                for name, mask in self._network.on_chip(self.masks).items()}

    @property
    def cycles(self) -> int:
        """Doorbell to interrupt with the present masks, by compiler and machine."""
        return self._network.budget.cycles({
            self._network.chip[name]: mask
            for name, mask in self._network.on_chip(self.masks).items()})

    @property
    def dense_cycles(self) -> int:
        """The same with every weight issued."""
        return self._network.budget.dense_cycles

    @property
    def speedup(self) -> float:
        """Of the present masks."""
        return self.dense_cycles / self.cycles

    def state_dict(self) -> dict[str, Any]:
        """All that a checkpoint needs beside the model's and the optimizer's own."""
        stored = self._network.stored
        return {"steps": self._steps, "final": self.final, "excluded": list(self.excluded),
                "factors": self._factors, "asked": self._asked(),
                "masks": {name: stored(mask) for name, mask in self.masks.items()},
                "means": {name: stored(mean) for name, mean in self._importance.means.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint; the model's own is loaded by the caller.

        Raises
        ------
        UsageError
            If it is of another model, chip or target, or no pruner's.
        """
        if absent := sorted({"steps", "final", "excluded", "factors", "asked", "masks",
                             "means"} - set(state)):
            raise UsageError(f"the checkpoint lacks {', '.join(absent)}; accepted is what a "
                             "pruner's state_dict() gave")
        if state["asked"] != self._asked():
            raise UsageError(f"the checkpoint was made for {state['asked']}, this pruner is for "
                             f"{self._asked()}")
        shapes = {name: mask.shape for name, mask in self.masks.items()}
        if {name: mask.shape for name, mask in state["masks"].items()} != shapes:
            raise UsageError("the checkpoint's layers are not this model's: "
                             f"{', '.join(state['masks'])} against {', '.join(shapes)}")
        restored = self._network.restored
        self._steps, self.final = state["steps"], state["final"]
        self.excluded, self._factors = list(state["excluded"]), state["factors"]
        self.masks = {name: restored(name, state["masks"][name]) for name in self.masks}
        self._importance.means = {name: restored(name, mean)
                                  for name, mean in state["means"].items()}
        self._apply()

    def _advance(self, given: Any = None) -> None:
        """A step of training is done; what is given goes to `BaseImportance.observe`."""
        self._steps += 1
        if not self.final:
            self._importance.observe(given)
            if self._schedule.due(self._steps):
                self._decide(self._schedule.progress(self._steps))
        self._apply()

    def _apply(self) -> None:
        """Zero what is pruned."""
        self._network.apply(self.masks)

    def _once(self, decide: Callable[[], Result]) -> Result:
        """What a decision gives; where several processes train, one makes it for all."""
        return decide()

    def _asked(self) -> dict[str, Any]:
        rate = self._target.rate
        return {"digest": self._network.budget.config.digest(), "speedup": self._target.speedup,
                "rate": dict(rate) if isinstance(rate, Mapping) else rate,
                "criterion": self._importance.criterion}

    def _decide(self, progress: float) -> None:
        """Choose masks."""
        def decide() -> tuple[dict[str, NDArray], dict[str, float], list[str]]:
            scores = self._importance.scores()
            weights, excluded = self._factors, self.excluded
            if weights is None:
                weights, excluded = self._compare(scores)
            scores = {name: values * weights[name] for name, values in scores.items()
                      if name not in excluded}
            live = self._network.on_chip(self.masks)
            return self._target.masks(scores, live, progress), weights, excluded

        masks, self._factors, self.excluded = self._once(decide)
        for name, mask in masks.items():
            self.masks[name] = self._network.from_chip(name, mask)
        self.final = progress >= 1

    def _compare(self, scores: Mapping[str, NDArray]) -> tuple[dict[str, float], list[str]]:
        """(factor of each layer's importance, layers to leave alone)."""
        if self._sensitivity is None:
            return dict.fromkeys(scores, 1.0), []
        network, given = self._network, self._sensitivity
        patterns = {name: network.pattern(name) for name in scores}
        with network.inference():
            error = (lambda: given(network.model)) if callable(given) else network.output_error()
            found = measure(scores, patterns, lambda: float(error()), network.only)
        return factors(found), self._target.excluded(found, self._tolerance, scores)

    def _warn_unfinished(self) -> None:
        """Of an export before the schedule's end, to whoever calls the front's ``export``."""
        if not (self.final or self._target.idle):
            warnings.warn(f"exported after {self._steps} of the schedule's {self._schedule.end} "
                          "steps: the pruning is not done", stacklevel=3)

    @staticmethod
    def _write(path: str | Path, raw: bytes) -> None:
        try:
            Path(path).write_bytes(raw)
        except OSError as error:
            raise UsageError(f"{path}: can't be written: {error.strerror}") from error
