"""Folds and scans, in the reference and while tracing.

Which axes are reduced is the kernel's business, not the body's; the run under way says so.
"""

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from sw.drp.expression import Expression, Tracer

__all__ = ["Reduction"]

_current: contextvars.ContextVar["Reduction"] = contextvars.ContextVar("reduction")


class Reduction:
    """How the kernel under way reduces.

    Parameters
    ----------
    axes : int
        Axes reduced; in the reference they are the last ones of every array.
    along : int
        Axis of x, which scans follow, in the reference's arrays.
    tracer : Tracer, optional
        While tracing.

    Members
    -------
    folded : set of int
        Numbers of the expressions that folds gave.
    """

    def __init__(self, axes: int, along: int, tracer: Tracer | None = None) -> None:
        self.axes, self._along, self._tracer = axes, along, tracer
        self.folded: set[int] = set()

    @staticmethod
    def find(value: Any) -> "Reduction":
        """The one of the run under way."""
        del value
        try:
            return _current.get()
        except LookupError:
            raise RuntimeError("fold and scan work in kernels only") from None

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """While the kernel's body runs."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def fold(self, function: Callable[[Any, Any], Any], first: Any, value: Any) -> Any:
        """See ``functions.fold``."""
        if self._tracer is not None:
            if not self.axes:
                raise self._tracer.error("fold reduces the axes that the result lacks, and it has "
                                         "them all; name fewer axes in Out, or write scan")
            found = self._trace(function, first, value, self.axes - 1)
            self.folded |= {item.number for item in _tuple(found)}
            return found
        flat = [_flat(item, self.axes) for item in _tuple(value)]
        steps = max(item.shape[-1] for item in flat)
        acc = _start(first)
        for step in range(steps):
            acc = function(acc, _like(value, [
                item[..., step if item.shape[-1] > 1 else 0] for item in flat]))
        found = [np.asarray(item)[(..., *[None] * self.axes)] for item in _tuple(acc)]
        return _like(acc, found)

    def scan(self, function: Callable[[Any, Any], Any], first: Any, value: Any) -> Any:
        """See ``functions.scan``."""
        if self._tracer is not None:
            return self._trace(function, first, value, 0)
        axis = self._along
        acc, found = _start(first), []
        for step in range(max(item.shape[axis] for item in _tuple(value))):
            acc = function(acc, _like(value, [np.take(item, step, axis)
                                              for item in _tuple(value)]))
            found.append(acc)
        stacked = [np.stack([_tuple(item)[n] for item in found], axis)
                   for n in range(len(_tuple(acc)))]
        return _like(acc, stacked)

    def _trace(self, function: Callable[[Any, Any], Any], first: Any, value: Any,
               level: int) -> Any:
        tracer = self._tracer
        assert tracer is not None
        like = next((item for item in _tuple(value) if isinstance(item, Expression)), None)
        if like is None:
            raise tracer.error("fold and scan need a stream's value")
        phis = []
        for item in _tuple(first):
            if not isinstance(item, (int, np.integer)):
                raise tracer.error(f"a fold begins with an integer, not {type(item).__name__}")
            phis.append(tracer.leaf("phi", dtype=like.dtype, bytes=like.bytes,
                                    constant=tracer.constant(int(item), like).constant,
                                    level=level))
        after = function(_like(first, phis), value)
        results = _tuple(after)
        if len(results) != len(phis):
            raise tracer.error(f"the fold's function gives {len(results)} values, it was given "
                               f"{len(phis)}")
        for phi, result in zip(phis, results, strict=True):
            if not isinstance(result, Expression):
                raise tracer.error("a fold's function must compute with its accumulator")
            phi.back = result
        return after


def _tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _like(given: Any, values: list[Any]) -> Any:
    return tuple(values) if isinstance(given, tuple) else values[0]


def _start(first: Any) -> Any:
    return _like(first, [np.int32(item) for item in _tuple(first)])


def _flat(value: np.ndarray, axes: int) -> np.ndarray:
    """The last axes as one."""
    kept = value.shape[:value.ndim - axes]
    return value.reshape(*kept, -1)
