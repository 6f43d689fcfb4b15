"""Which operators run as chains: those between which feature maps would go to DRAM and back."""

from collections.abc import Sequence

from golden.spec.config import Config
from sw.compiler.chain import Chain, inner_tensors
from sw.compiler.cost import Cost, op_cost
from sw.compiler.pack import PackedOp
from sw.compiler.plan import Plan, plan_memory, plan_strips
from sw.compiler.strips import Strips
from sw.compiler.window import LayerTensor, Operator, WindowOp
from sw.errors import ModelError

__all__ = ["plan_chains"]

_LONGEST = 6  # operators of a chain
_LEAST_GAIN = 200  # cycles


def plan_chains(config: Config, ops: list[Operator], tensors: dict[str, LayerTensor],
                packed: Sequence[PackedOp | None], chain: bool = True) -> Plan:
    """Place and tile everything, with the chains that save cycles if ``chain``.

    Raises
    ------
    ModelError
        If an operator does not fit even alone.
    """
    costs = [op_cost(config, op, item) if isinstance(op, WindowOp) and item else Cost()
             for op, item in zip(ops, packed, strict=True)]
    chains: list[Chain] = []
    strips = plan_strips(config, ops, tensors, costs)
    plan = plan_memory(config, ops, tensors, costs, chains, strips)
    first = 0
    while chain and first < len(ops):
        tried = [(made, part) for end in range(first + 2, min(first + _LONGEST, len(ops)) + 1)
                 if (part := _chain(config, ops, tensors, costs, first, end))
                 and part.inner - set(plan.resident)
                 and (made := _try(config, ops, tensors, costs, [*chains, part], strips))]
        best, part = min(tried, key=lambda item: item[0].cycles, default=(plan, None))
        if part and best.cycles < plan.cycles - _LEAST_GAIN:
            plan, chains, first = best, [*chains, part], part.first + len(part.ops)
        else:
            first += 1
    return plan


def _chain(config: Config, ops: list[Operator], tensors: dict[str, LayerTensor],
           costs: list[Cost], first: int, end: int) -> Chain | None:
    inner = inner_tensors(ops, tensors, costs, config.group, first, end)
    if inner is None:
        return None
    members = [op for op in ops[first:end] if isinstance(op, WindowOp)]
    return Chain(config, first, members, costs[first:end], tensors, inner)


def _try(config: Config, ops: list[Operator], tensors: dict[str, LayerTensor],
         costs: list[Cost], chains: list[Chain], strips: list[Strips | None]) -> Plan | None:
    try:
        return plan_memory(config, ops, tensors, costs, chains, strips)
    except ModelError:
        return None  # a row of each is too much
