"""One Verilog module for all instances that are alike."""

import re

__all__ = ["merged"]

_MODULE = re.compile(r"module (\S+?)\s*\((.*?)\);", re.DOTALL)
_INSTANCE = re.compile(r"^  (\S+) +\S+ +\($")
_CONNECTION = re.compile(r"^    \.(\\\S+)( \(.*)$")
# What the back ends number through the whole text.
_NUMBERED = re.compile(r"\\\$auto\$verilog_backend\.cc:\d+:dump_module\$\d+")
_PORT = re.compile(r"^\\port\$")


def merged(text: str) -> str:
    """Verilog, as Amaranth writes it, without the modules that repeat others.

    Amaranth writes a module for every instance, and names ports without a name of their own by
    numbers. Those are named by their places here, and of modules that then have the same text the
    first one stays. Simulators and people have less to read.
    """
    head, *modules = re.split(r"(?m)^(?=module )", text)
    given = {}
    for module in modules:
        found = _MODULE.match(module)
        assert found, module[:80]
        given[found[1]] = module, re.split(r",\s+", found[2])
    return head + "".join(_Merger(given).run())


class _Merger:
    def __init__(self, given: dict[str, tuple[str, list[str]]]) -> None:
        self._given = given
        self._names: dict[str, str] = {}  # module: the one that stays for it
        self._ports: dict[str, dict[str, str]] = {}  # of a module, their new names
        self._seen: dict[str, str] = {}  # text without its name: module
        self._texts: dict[str, str] = {}

    def run(self) -> list[str]:
        """The modules that stay, in the order in which they came."""
        for name in self._given:
            self._visit(name)
        return [self._texts[name] for name in self._given if name in self._texts]

    def _visit(self, name: str) -> str:
        if name in self._names:
            return self._names[name]
        text, ports = self._given[name]
        lines, within = [], None  # the module whose instance this line is in
        for line in text.split("\n"):
            if (found := _INSTANCE.match(line)) and found[1] in self._given:
                within = found[1]
                line = line.replace(within, self._visit(within), 1)
            elif within and (found := _CONNECTION.match(line)):
                port = self._ports[within].get(found[1], found[1])
                line = f"    .{port}{found[2]}"
            elif line == "  );":
                within = None
            lines.append(line)
        text = "\n".join(lines)
        renamed = {port.strip(): f"\\port${place}" for place, port in enumerate(ports)
                   if _PORT.match(port.strip())}
        self._ports[name] = renamed
        for old, new in renamed.items():
            text = text.replace(old + " ", new + " ")
        numbers: dict[str, str] = {}
        text = _NUMBERED.sub(lambda at: numbers.setdefault(
            at[0], f"\\$auto$verilog_backend${len(numbers)}"), text)
        key = text.replace(name, "", 1)
        stays = self._seen.setdefault(key, name)
        if stays == name:
            self._texts[name] = text
        self._names[name] = stays
        return stays
