"""A case as a file: JSON that says everything about it, so that a shrunk one runs again."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from golden.attributes import Attributes
from golden.executor import OPERATORS
from golden.graph import Graph, Node, Quant, Tensor
from tb.fuzz.case import Case

__all__ = ["load_case", "save_case"]


def save_case(case: Case, path: Path, **more: str) -> None:
    """Write a case, with more texts beside it."""
    graph = case.graph
    content = {**more, **{item.name: getattr(case, item.name)
                          for item in dataclasses.fields(case) if item.name != "graph"},
               "graph": {
                   "name": graph.name, "inputs": graph.inputs, "outputs": graph.outputs,
                   "tensors": [dataclasses.asdict(t) for t in graph.tensors.values()],
                   "nodes": [{"name": node.name, "inputs": node.inputs, "outputs": node.outputs,
                              "op": node.op, "attrs": vars(node.attrs)} for node in graph.nodes]}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, default=_plain, indent=1) + "\n")


def load_case(path: Path) -> Case:
    """Read a case.

    Raises
    ------
    ValueError
        If the file doesn't hold one.
    """
    try:
        content = _value(json.loads(path.read_text()))
        graph = content["graph"]
        content["graph"] = Graph(
            graph["name"],
            {t["name"]: Tensor(**{**t, "quant": Quant(**t["quant"])}) for t in graph["tensors"]},
            [Node(n["name"], n["inputs"], n["outputs"], _attributes(n["op"], n["attrs"]))
             for n in graph["nodes"]],
            graph["inputs"], graph["outputs"])
        case = Case(**{item.name: content[item.name] for item in dataclasses.fields(Case)})
        case.graph.validate()
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a case: {type(error).__name__} {error}") from None
    return case


def _attributes(op: str, values: dict[str, Any]) -> Attributes:
    kinds = {kind.__name__: kind for kind in OPERATORS}
    if op not in kinds:
        raise ValueError(f"operator {op!r}")
    return kinds[op](**values)


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return {"dtype": str(value.dtype), "shape": value.shape, "values": value.ravel().tolist()}
    if isinstance(value, np.integer):
        return int(value)
    raise TypeError(f"{type(value).__name__} {value!r}")


def _value(item: Any) -> Any:
    """JSON's value with its arrays and tuples."""
    if isinstance(item, list):
        return tuple(_value(part) for part in item)
    if isinstance(item, dict):
        if item.keys() == {"dtype", "shape", "values"}:
            return np.array(item["values"], item["dtype"]).reshape(item["shape"])
        return {key: _value(part) for key, part in item.items()}
    return item
