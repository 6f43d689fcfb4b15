"""Python of a kernel's body that decides on data, rewritten to choose instead.

``a if c else b``, ``if``/``else`` with assignments, ``and``, ``or``, ``not`` and chained
comparisons keep their meaning for plain Python values and become selections for data. What can't
be is refused with file, line and what to write instead.
"""

import ast
import inspect
import textwrap
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from sw.drp.errors import KernelError, at_line
from sw.drp.expression import Expression
from sw.drp.functions import where
from sw.drp.window import Window

__all__ = ["rewrite"]

_REFUSED: dict[type[ast.AST], str] = {
    ast.While: "while; write for over a range, or fold",
    ast.Try: "try; kernels have no exceptions",
    ast.With: "with; a kernel only computes",
    ast.Yield: "yield; return the result, one value an element",
    ast.YieldFrom: "yield; return the result, one value an element",
    ast.Await: "await; a kernel only computes",
    ast.AsyncFunctionDef: "async; a kernel only computes",
    ast.ClassDef: "class; define it outside of the kernel",
    ast.Global: "global; pass a scalar or a Table",
    ast.Nonlocal: "nonlocal; return the value, or fold",
    ast.Delete: "del; simply don't use the name",
    ast.Import: "import; import outside of the kernel",
    ast.ImportFrom: "import; import outside of the kernel",
    ast.Match: "match; write if and else",
}


class _Missing:
    """Value of a name that has none."""


_MISSING = _Missing()


def rewrite(function: Callable[..., Any]) -> tuple[Callable[..., Any], str, set[str]]:
    """(the function rewritten, its file, the names it uses).

    Raises
    ------
    KernelError
        At the line of what a kernel can't have.
    """
    try:
        lines, first = inspect.getsourcelines(function)
        file = inspect.getsourcefile(function) or "<kernel>"
    except (OSError, TypeError):
        raise KernelError(f"{function.__name__}: its source can't be read; define kernels in a "
                          "file") from None
    tree = ast.parse(textwrap.dedent("".join(lines)))
    ast.increment_lineno(tree, first - 1)
    definition = tree.body[0]
    if not isinstance(definition, ast.FunctionDef):
        raise KernelError(f"{file}:{first}: a kernel is a function written with def")
    definition.decorator_list = []
    definition.returns = None
    for argument in [*definition.args.posonlyargs, *definition.args.args,
                     *definition.args.kwonlyargs]:
        argument.annotation = None
    definition.args.defaults = []
    definition.args.kw_defaults = [None] * len(definition.args.kwonlyargs)
    _refuse(definition, file)
    names = {node.id for node in ast.walk(definition) if isinstance(node, ast.Name)}
    new = ast.fix_missing_locations(_Rewriter(file).visit(tree))
    return _rebuilt(function, new.body[0], file), file, names


def _rebuilt(function: Callable[..., Any], definition: ast.stmt, file: str) -> Callable[..., Any]:
    """The rewritten function among the globals and closure of the original one."""
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    cells["__drp"] = types.CellType(_Runtime(file))
    names = ast.arguments([], [ast.arg(name) for name in cells], None, [], [], None, [])
    outer = ast.FunctionDef("__outer", names, [definition], [])
    module = ast.fix_missing_locations(ast.Module([outer], []))
    code: types.CodeType = compile(module, file, "exec")
    for name in ("__outer", function.__name__):
        code = next(item for item in code.co_consts
                    if isinstance(item, types.CodeType) and item.co_name == name)
    return types.FunctionType(code, function.__globals__, function.__name__, None,
                              tuple(cells[name] for name in code.co_freevars))


def _refuse(tree: ast.FunctionDef, file: str) -> None:
    nodes = list(ast.walk(tree))
    used = [node for node in nodes if isinstance(node, ast.Name) and node.id == tree.name]
    own = any(isinstance(node.ctx, ast.Store) for node in used) or any(
        isinstance(node, ast.arg) and node.arg == tree.name for node in nodes)
    if used and not own:
        raise KernelError(f"{file}:{used[0].lineno}: {tree.name} can't call itself; write for over "
                          "a range, or fold")
    for node in nodes:
        for kind, text in _REFUSED.items():
            if isinstance(node, kind):
                raise KernelError(f"{file}:{getattr(node, 'lineno', 0)}: a kernel can't have "
                                  f"{text}")


class _Rewriter(ast.NodeTransformer):
    def __init__(self, file: str) -> None:
        self._file, self._count = file, 0

    def _call(self, name: str, *arguments: ast.expr) -> ast.expr:
        return ast.Call(ast.Attribute(ast.Name("__drp", ast.Load()), name, ast.Load()),
                        list(arguments), [])

    def _later(self, body: ast.expr) -> ast.expr:
        empty = ast.arguments([], [], None, [], [], None, [])
        return ast.Lambda(empty, body)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        return ast.copy_location(self._call(
            "choose", node.test, self._later(node.body), self._later(node.orelse)), node)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        name = "both" if isinstance(node.op, ast.And) else "either"
        found = node.values[-1]
        for value in reversed(node.values[:-1]):
            found = self._call(name, value, self._later(found))
        return ast.copy_location(found, node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Not):
            return ast.copy_location(self._call("negate", node.operand), node)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if len(node.ops) == 1:
            return node
        values = [node.left, *node.comparators]
        pairs: list[ast.expr] = [ast.Compare(values[n], [op], [values[n + 1]])
                                 for n, op in enumerate(node.ops)]
        found = pairs[-1]
        for pair in reversed(pairs[:-1]):
            found = self._call("both", pair, self._later(found))
        return ast.copy_location(found, node)

    def visit_If(self, node: ast.If) -> Any:
        for part in node.body + node.orelse:
            for inner in ast.walk(part):
                if isinstance(inner, (ast.Return, ast.Break, ast.Continue)):
                    return self._static(node, type(inner).__name__.lower())
        names = sorted({inner.id for part in node.body + node.orelse for inner in ast.walk(part)
                        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)})
        self.generic_visit(node)
        self._count += 1
        tag = self._count
        test, before, then, other = (
            f"__{what}{tag}" for what in ("test", "before", "then", "else"))
        keys = ast.List([ast.Constant(name) for name in names], ast.Load())
        here = ast.Call(ast.Name("locals", ast.Load()), [], [])

        def snapshot(name: str) -> ast.stmt:
            return ast.Assign([ast.Name(name, ast.Store())], self._call("snapshot", here, keys))

        def load(name: str, key: str) -> ast.expr:
            return ast.Subscript(ast.Name(name, ast.Load()), ast.Constant(key), ast.Load())

        dynamic: list[ast.stmt] = [snapshot(before), *node.body, snapshot(then)]
        dynamic += [ast.Assign([ast.Name(name, ast.Store())], load(before, name))
                    for name in names]
        dynamic += [*node.orelse, snapshot(other)]
        dynamic += [ast.Assign([ast.Name(name, ast.Store())], self._call(
            "merge", ast.Name(test, ast.Load()), load(then, name), load(other, name),
            ast.Constant(name))) for name in names]
        plain = ast.If(ast.Name(test, ast.Load()), node.body, node.orelse)
        return [ast.copy_location(item, node) for item in (
            ast.Assign([ast.Name(test, ast.Store())], self._call("test", node.test)),
            ast.If(self._call("is_plain", ast.Name(test, ast.Load())), [plain], dynamic))]

    def _static(self, node: ast.If, what: str) -> ast.AST:
        self.generic_visit(node)
        node.test = ast.copy_location(self._call("must_be_plain", node.test, ast.Constant(what)),
                                      node.test)
        return node


class _Runtime:
    """What rewritten code calls."""

    def __init__(self, file: str) -> None:
        self._file = file

    @staticmethod
    def test(value: Any) -> Any:
        return value.value if isinstance(value, Window) else value

    @staticmethod
    def is_plain(value: Any) -> bool:
        return not isinstance(value, (Expression, np.ndarray, Window))

    def must_be_plain(self, value: Any, what: str) -> Any:
        if not self.is_plain(value):
            raise at_line(self._file, f"{what} inside an if on data; assign in both branches and "
                                      "return once at the end")
        return value

    def choose(self, test: Any, then: Callable[[], Any], other: Callable[[], Any]) -> Any:
        if self.is_plain(test):
            return then() if test else other()
        return where(test, then(), other())

    def both(self, first: Any, second: Callable[[], Any]) -> Any:
        return (first and second()) if self.is_plain(first) else first & second()

    def either(self, first: Any, second: Callable[[], Any]) -> Any:
        return (first or second()) if self.is_plain(first) else first | second()

    def negate(self, value: Any) -> Any:
        return (not value) if self.is_plain(value) else ~value

    @staticmethod
    def snapshot(names: dict[str, Any], keys: list[str]) -> dict[str, Any]:
        return {key: names.get(key, _MISSING) for key in keys}

    def merge(self, test: Any, then: Any, other: Any, name: str) -> Any:
        if then is other:
            return then
        for value, when in ((then, "holds"), (other, "doesn't hold")):
            if value is _MISSING:
                raise at_line(self._file, f"{name} has no value where the condition {when}; assign "
                                          "it in both branches, or before")
        if isinstance(then, tuple) and isinstance(other, tuple) and len(then) == len(other):
            return tuple(where(test, a, b) for a, b in zip(then, other, strict=True))
        return where(test, then, other)
