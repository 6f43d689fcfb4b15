"""Traced values: what a kernel's body makes when it is run on symbols.

Equal expressions are one object. Making one simplifies it: constants are folded, and cheaper
operations taken where the result is the same bit for bit.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from golden.drp.arithmetic import evaluate
from golden.drp.stream import TapAt
from golden.spec.drp.operations import OPERATIONS, Op, Subword
from sw.drp.errors import at_line
from sw.drp.intervals import interval
from sw.drp.overloads import Operators

__all__ = ["UNDECIDED", "Expression", "Tracer"]

MASK = 0xFFFFFFFF
# Far more than pieces can be mapped for: a long loop is refused before it fills the memory.
MOST_RECORDED = 4096
UNDECIDED = ("a condition on data decides nothing while the kernel is compiled; write "
             "where(condition, a, b), minimum and maximum for min and max, or an if with "
             "assignments only")
_SUBWORDS = {1: Subword.X4, 2: Subword.X2, 4: Subword.X1}
_SWAPPED = {Op.LT: Op.GT, Op.GT: Op.LT, Op.LE: Op.GE, Op.GE: Op.LE, Op.LTU: Op.GTU, Op.GTU: Op.LTU,
            Op.LEU: Op.GEU, Op.GEU: Op.LEU, Op.SUB: Op.RSUB, Op.RSUB: Op.SUB}
_INVERSE = {Op.LT: Op.GE, Op.GE: Op.LT, Op.GT: Op.LE, Op.LE: Op.GT, Op.LTU: Op.GEU, Op.GEU: Op.LTU,
            Op.GTU: Op.LEU, Op.LEU: Op.GTU, Op.EQ: Op.NE, Op.NE: Op.EQ}
_UNSIGNED = {Op.MIN: Op.MINU, Op.MAX: Op.MAXU, Op.ABSDIFF: Op.ABSDIFFU, Op.LT: Op.LTU,
             Op.LE: Op.LEU, Op.GT: Op.GTU, Op.GE: Op.GEU}
_OPS = {"add": Op.ADD, "sub": Op.SUB, "mul": Op.MUL, "and": Op.AND, "or": Op.OR, "xor": Op.XOR,
        "lshift": Op.SLL, "rshift": Op.SRA, "eq": Op.EQ, "ne": Op.NE, "lt": Op.LT, "le": Op.LE,
        "gt": Op.GT, "ge": Op.GE}
_LOGIC = {Op.AND, Op.OR, Op.XOR, Op.ANDN}
_COMPARISONS = set(_INVERSE)
_INSTEAD = {
    "floordiv": "x >> n for powers of two, or multiply_high(x, factor) for other divisors",
    "truediv": "x >> n for powers of two, or multiply_high(x, factor) for other divisors",
    "mod": "x & (n - 1) for powers of two", "pow": "a product", "matmul": "a fold",
}


@dataclass(eq=False)
class Expression(Operators):
    """One value of each iteration.

    Parameters
    ----------
    tracer : Tracer
    op : Op or str
        ``tap``, ``constant``, ``phi`` (a reduction's value so far), ``gather``, or an operation.
    args : tuple of Expression
        Operands a, b, c.
    dtype : str
        numpy type of the parts; ``bool`` for conditions.
    bytes : int
        Bytes of a part: 4, 2 or 1.
    constant : int
        32 bits, of a constant; distance of LANE; first value of a phi.
    port, tap, table : of taps and look-ups
    level : int
        Of a phi: loops 0 to level are its own.
    back : Expression
        Of a phi: the next value.
    number : int
        Order of making; equal numbers are equal expressions.
    span : (int, int)
        Least and largest value, once known.
    """

    tracer: "Tracer"
    op: Op | str
    args: tuple["Expression", ...] = ()
    dtype: str = "int32"
    bytes: int = 4
    constant: int = 0
    port: int = 0
    tap: TapAt = field(default_factory=TapAt)
    table: int = -1
    level: int = 0
    back: "Expression | None" = None
    number: int = 0
    span: tuple[int, int] | None = None

    __hash__ = object.__hash__
    __eq__ = Operators.__eq__  # type: ignore[assignment]

    @property
    def is_constant(self) -> bool:
        """A constant."""
        return self.op == "constant"

    def _binary(self, name: str, other: Any, reflected: bool) -> Any:
        if name in _INSTEAD:
            raise self.tracer.error(f"the fabric can't do {name}; write {_INSTEAD[name]}")
        return self.tracer.binary(_OPS[name], *((other, self) if reflected else (self, other)))

    def _unary(self, name: str) -> Any:
        if name == "invert":
            return self.tracer.invert(self)
        if self.dtype == "bool":
            raise self.tracer.error("a condition isn't a number; write where(condition, 1, 0)")
        if name == "neg":
            return self.tracer.binary(Op.SUB, 0, self)
        if self.dtype.startswith("u"):
            return self
        return self.tracer.binary(Op.ABSDIFF, self, 0)

    def __bool__(self) -> bool:
        raise self.tracer.error(UNDECIDED)

    def __index__(self) -> int:
        raise self.tracer.error("data can't be an index here; use a Table, or an indirect stream")

    def __iter__(self) -> Iterator[Any]:
        raise self.tracer.error("a value can't be iterated over")


class Tracer:
    """Makes expressions, each once.

    Parameters
    ----------
    file : str
        Source file of the kernel, for errors.
    kernel : str
        Its name, likewise.
    """

    def __init__(self, file: str, kernel: str = "the kernel") -> None:
        self._file, self._kernel = file, kernel
        self._known: dict[tuple[Any, ...], Expression] = {}
        self._count = 0

    def error(self, text: str) -> Exception:
        """A refusal at the kernel's line under way."""
        return at_line(self._file, text)

    def leaf(self, op: str, **fields: Any) -> Expression:
        """A tap, constant or phi; phis are never shared."""
        key = (op, *sorted(fields.items(), key=lambda item: item[0]))
        if op == "phi":
            self._known.pop(key, None)
        return self._recorded(key, op, **fields)

    def _recorded(self, key: tuple[Any, ...], op: Op | str, args: tuple[Expression, ...] = (),
                  **fields: Any) -> Expression:
        """The expression of a key, made if there is none."""
        if key not in self._known:
            if self._count == MOST_RECORDED:
                raise self.error(f"{self._kernel} has more than {MOST_RECORDED:,} operations, "
                                 "accepted are no more; loops of plain Python are unrolled, write "
                                 "fold or several kernels")
            self._count += 1
            self._known[key] = Expression(self, op, args, number=self._count, **fields)
            interval(self._known[key])  # of deep ones without recursion
        return self._known[key]

    def constant(self, value: Any, like: Expression) -> Expression:
        """A Python integer as an operand of ``like``."""
        if like.dtype == "bool":
            if isinstance(value, (bool, np.bool_)):
                return self.raw(MASK if value else 0, like)
            raise self.error(f"{value} with a condition; write where(condition, 1, 0)")
        limits = np.iinfo(like.dtype)
        if not limits.min <= value <= limits.max:
            raise self.error(f"constant {value} doesn't fit {like.dtype} ({limits.min} to "
                             f"{limits.max})")
        bits, word = 8 * like.bytes, 0
        for part in range(32 // bits):
            word |= (value & ((1 << bits) - 1)) << (bits * part)
        return self.raw(word, like)

    def raw(self, word: int, like: Expression) -> Expression:
        """32 bits as a constant of the type of ``like``."""
        return self.leaf("constant", dtype=like.dtype, bytes=like.bytes, constant=word & MASK)

    def operands(self, *values: Any) -> list[Expression]:
        """Values as expressions of one type."""
        values = tuple(value.value if hasattr(value, "value") else value for value in values)
        known = [value for value in values if isinstance(value, Expression)]
        if not known:
            raise self.error("no operand is data")
        found = []
        for value in values:
            if isinstance(value, Expression):
                found.append(value)
            elif isinstance(value, (int, np.integer, np.bool_)):
                found.append(self.constant(value, known[0]))
            else:
                raise self.error(f"{type(value).__name__} {value!r} can't be an operand; accepted "
                                 "are integers and streams' values")
        kinds = sorted({value.dtype for value in found})
        if len(kinds) > 1:
            hint = ("; write where(condition, 1, 0)" if "bool" in kinds
                    else "; streams of one type compute together")
            raise self.error(f"operands are {' and '.join(kinds)}{hint}")
        return found

    def binary(self, op: Op, a: Any, b: Any) -> Expression:
        """An operation on two values."""
        left, right = self.operands(a, b)
        if left.dtype == "bool" and op not in _LOGIC | {Op.EQ, Op.NE}:
            raise self.error("a condition isn't a number; write where(condition, 1, 0)")
        if left.dtype.startswith("u"):
            op = _UNSIGNED.get(op, op)
        if left.bytes != 4 and Subword(_SUBWORDS[left.bytes]) not in OPERATIONS[op].subwords:
            raise self.error(f"{op.name} works on 32-bit values only, not on {left.dtype}; take a "
                             "stream type that isn't packed")
        if op in (Op.SLL, Op.SRA) and right.is_constant and right.constant > 31:
            raise self.error(f"a shift by {right.constant - ((right.constant >> 31) << 32)}, "
                             "accepted are 0 to 31")
        return self.make(op, left, right)

    def invert(self, value: Expression) -> Expression:
        """Not: of a comparison the opposite one."""
        if value.dtype == "bool" and value.op in _INVERSE:
            return self.make(_INVERSE[value.op], *value.args)  # type: ignore[index]
        return self.make(Op.XOR, value, self.raw(MASK, value))

    def where(self, condition: Any, a: Any, b: Any) -> Expression:
        """a where the condition holds, else b."""
        if not isinstance(condition, Expression) or condition.dtype != "bool":
            raise self.error("where needs a condition, such as x > 0")
        if not any(isinstance(item, Expression) or hasattr(item, "value") for item in (a, b)):
            like = Expression(self, "constant", bytes=condition.bytes,
                              dtype={4: "int32", 2: "int16", 1: "int8"}[condition.bytes])
            a, b = self.constant(a, like), self.constant(b, like)
        left, right = self.operands(a, b)
        if left.bytes != condition.bytes:
            raise self.error(f"the condition has parts of {condition.bytes} bytes, the values of "
                             f"{left.bytes}")
        return self.make(Op.SELECT, left, right, condition)

    def make(self, op: Op, *args: Expression, constant: int = 0, table: int = -1) -> Expression:
        """An operation, simplified; the operands fit each other."""
        found = self._fold(op, args, constant)
        if found is None:
            found = self._simpler(op, args)
        if found is not None:
            return found
        if OPERATIONS[op].commutes and args[0].is_constant:
            args = (args[1], args[0], *args[2:])
        elif op in _SWAPPED and args[0].is_constant:
            op, args = _SWAPPED[op], (args[1], args[0])
        elif OPERATIONS[op].commutes and args[0].number > args[1].number and not (
                args[1].is_constant):
            args = (args[1], args[0])
        dtype = "bool" if op in _COMPARISONS else args[0].dtype
        key = (op, *(arg.number for arg in args), constant, table, dtype)
        return self._recorded(key, op, args, dtype=dtype, bytes=args[0].bytes, constant=constant,
                              table=table)

    def lookup(self, table: int, words: int, index: Any) -> Expression:
        """table[index]; a constant part of the index costs nothing."""
        if not isinstance(index, Expression) or index.dtype != "int32":
            raise self.error("a table's index must be a 32-bit value from a stream")
        least, most = interval(index)
        if least < 0 or most >= words:
            index = self.make(Op.AND, index, self.constant(words - 1, index))
        offset = 0
        if index.op is Op.ADD and index.args[1].is_constant:
            index, offset = index.args[0], index.args[1].constant
        return self.make(Op.LOOKUP, index, self.raw(offset, index), table=table)

    def gather(self, position: Expression, port: int, dtype: str) -> Expression:
        """The element of a gathered picture at a position."""
        return self._recorded(("gather", port, position.number), "gather", (position,),
                              dtype=dtype, port=port)

    def _fold(self, op: Op, args: tuple[Expression, ...], constant: int) -> Expression | None:
        if op in (Op.LOOKUP, Op.LANE) or not all(arg.is_constant for arg in args):
            return None
        words = [np.array([arg.constant], np.uint32) for arg in args]
        a, b, c = words + [words[0]] * (3 - len(words))
        result = evaluate(op, a, b, c, _SUBWORDS[args[0].bytes], constant)
        dtype = "bool" if op in _COMPARISONS else args[0].dtype
        return self.leaf("constant", dtype=dtype, bytes=args[0].bytes, constant=int(result[0]))

    def _simpler(self, op: Op, args: tuple[Expression, ...]) -> Expression | None:
        """The same value made otherwise, or None."""
        if op is Op.SELECT:
            return self._simpler_select(*args)
        if len(args) != 2:
            return None
        a, b = args
        if a is b and op in (Op.AND, Op.OR, Op.MIN, Op.MAX, Op.MINU, Op.MAXU):
            return a
        if a is b and op in (Op.SUB, Op.RSUB, Op.XOR, Op.ABSDIFF, Op.ABSDIFFU, Op.ANDN):
            return self.raw(0, a)
        if a.is_constant and OPERATIONS[op].commutes:
            a, b = b, a
        if op is Op.SUB and b.is_constant:
            return self.make(Op.ADD, a, self.make(Op.SUB, self.raw(0, b), b))
        if not b.is_constant:
            return self._without_negation(op, a, b)
        word = b.constant
        if word == 0 and op in (Op.ADD, Op.OR, Op.XOR, Op.SLL, Op.SRL, Op.SRA, Op.SRA_AWAY,
                                Op.SRA_UP, Op.ANDN):
            return a
        if word == 0 and op in (Op.AND, Op.MUL):
            return b
        if word == MASK and op is Op.AND:
            return a
        if op is Op.ADD and a.op is Op.ADD and a.args[1].is_constant:
            total = self._fold(Op.ADD, (a.args[1], b), 0)
            return self.make(Op.ADD, a.args[0], total) if total is not None else None
        if op is Op.MUL and word == 1:
            return a
        if op is Op.ABSDIFF and word == 0:
            return self._distance(a)
        if op is Op.MUL and word == 2:
            return self.make(Op.ADD, a, a)
        if op is Op.MUL and word == MASK:
            return self.make(Op.RSUB, a, self.raw(0, a))
        if op is Op.MUL and word & (word - 1) == 0:
            return self.make(Op.SLL, a, self.raw(word.bit_length() - 1, b))
        if op is Op.SLL and word == 1:
            return self.make(Op.ADD, a, a)
        return None

    def _without_negation(self, op: Op, a: Expression, b: Expression) -> Expression | None:
        """a + (0 - b) and a - (0 - b) without the negation."""
        def negated(value: Expression) -> bool:
            return (value.op is Op.RSUB and value.args[1].is_constant
                    and value.args[1].constant == 0)

        if op is Op.ADD and negated(b):
            return self.make(Op.SUB, a, b.args[0])
        if op is Op.ADD and negated(a):
            return self.make(Op.SUB, b, a.args[0])
        if op is Op.SUB and negated(b):
            return self.make(Op.ADD, a, b.args[0])
        return None

    def _distance(self, a: Expression) -> Expression | None:
        """|x - y| in one operation where the difference can't wrap."""
        if a.op in (Op.SUB, Op.RSUB) and a.dtype == "int32":
            (least, most), (low, high) = (interval(arg) for arg in a.args)
            if max(most - low, high - least) < 1 << 31:
                return self.make(Op.ABSDIFF, *a.args)
        return None

    def _simpler_select(self, a: Expression, b: Expression, c: Expression) -> Expression | None:
        if c.is_constant:
            return a if c.constant else b
        if a is b:
            return a
        if b.is_constant and b.constant == 0:
            return self._masked(Op.AND, a, c)
        if a.is_constant and a.constant == 0:
            return self._masked(Op.ANDN, b, c)
        if a.is_constant and not b.is_constant and c.op in _INVERSE:
            return self.make(Op.SELECT, b, a, self.invert(c))
        return None

    def _masked(self, op: Op, value: Expression, mask: Expression) -> Expression | None:
        """value & mask or value & ~mask, of the value's type."""
        if op is Op.ANDN and mask.op in _INVERSE:
            op, mask = Op.AND, self.invert(mask)
        if op is Op.ANDN and value.is_constant:
            return None
        args = (mask, value) if value.is_constant else (value, mask)
        key = (op, *(arg.number for arg in args), 0, -1, value.dtype)
        return self._recorded(key, op, args, dtype=value.dtype, bytes=value.bytes)
