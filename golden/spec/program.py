"""The compiled program: what the compiler writes, the engines run and the file holds.

In the file (see `container`) segment ``constants`` is raw and segment ``program`` is JSON: the
fields of `Program` by name, regions as their names, steps with a ``kind`` of chip or host. Segment
``host`` is raw: the host's blobs, of which the JSON has [offset, bytes].
"""

import dataclasses
import json
import math
import os
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from golden.spec.config import Config, ConfigError
from golden.spec.container import ProgramError, SegmentKind, pack, unpack
from golden.spec.isa import HEADER, INSTRUCTION_BYTES
from golden.spec.registers import Region

__all__ = ["DTYPES", "Binding", "ChipStep", "HostStep", "Program", "ProgramError"]

# Bytes of one element.
DTYPES = {"bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "float16": 2, "int32": 4,
          "uint32": 4, "float32": 4, "int64": 8, "uint64": 8, "float64": 8}

_KINDS = {"program": SegmentKind.JSON, "constants": SegmentKind.RAW, "host": SegmentKind.RAW}
_DRAM = 1 << 32
_TAGS = next(item for item in HEADER.fields if item.name == "tag").range[1]


@dataclass(frozen=True)
class Binding:
    """A tensor at a place in DRAM, in the model's own bytes (NHWC, unpadded, little-endian).

    Parameters
    ----------
    name : str
    region : Region
    offset : int
        Bytes from the region's base.
    shape : tuple of int
    dtype : str
        One of DTYPES.
    scale, zero_point : float, int
        real = scale x (stored - zero_point); (1, 0) where nothing is quantized.
    """

    name: str
    region: Region
    offset: int
    shape: tuple[int, ...]
    dtype: str
    scale: float = 1.0
    zero_point: int = 0

    @property
    def bytes(self) -> int:
        """Size in bytes."""
        return math.prod(self.shape) * DTYPES[self.dtype]


@dataclass(frozen=True)
class ChipStep:
    """One run of the chip: ``bytes`` of instructions at ``offset`` in the constants."""

    offset: int
    bytes: int


@dataclass(frozen=True)
class HostStep:
    """One operator run by the host, from DRAM to DRAM.

    Parameters
    ----------
    op : str
        Operator, as the host's table names it.
    name : str
        Layer, for reports.
    attrs : dict
        The operator's parameters, representable in JSON.
    inputs, outputs : list of Binding
    blobs : dict of str to bytes
        Parameters that are bytes.
    """

    op: str
    name: str
    attrs: dict[str, Any] = field(default_factory=dict)
    inputs: list[Binding] = field(default_factory=list)
    outputs: list[Binding] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)


@dataclass(kw_only=True)
class Program:
    """A compiled network.

    Parameters
    ----------
    network : str
        Name of the network.
    config : dict
        ``dataclasses.asdict`` of the Config it was compiled for.
    digest : int
        That Config's digest.
    constants : bytes
        Content of Region.CONSTANTS: instructions, weights, tables.
    regions : dict of Region to int
        Bytes that the other regions need.
    inputs, outputs : list of Binding
        The model's, in the model's order.
    steps : list of ChipStep or HostStep
        In order of execution.
    layers : list of dict
        One row a layer: tag (of its instructions), name, operator, unit, macs (dense),
        ideal_cycles, and whatever else reports want; representable in JSON.
    info : dict
        Free; representable in JSON.
    """

    network: str
    config: dict[str, Any]
    digest: int
    constants: bytes
    regions: dict[Region, int]
    inputs: list[Binding]
    outputs: list[Binding]
    steps: list[ChipStep | HostStep]
    layers: list[dict[str, Any]] = field(default_factory=list)
    info: dict[str, Any] = field(default_factory=dict)

    def chip(self) -> Config:
        """The configuration as a Config.

        Raises
        ------
        ProgramError
            If this version of Sentei has no such configuration.
        """
        _keys("config", self.config, {item.name for item in dataclasses.fields(Config)})
        _text("config.name", self.config["name"])
        try:
            return Config(**self.config)
        except ConfigError as error:
            raise ProgramError(f"program: config: {error}") from None

    def region_bytes(self, region: Region) -> int:
        """Bytes of a region, the constants included."""
        return len(self.constants) if region == Region.CONSTANTS else self.regions.get(region, 0)

    def layer(self, tag: int) -> str:
        """Name of the layer with this tag; the tag as text if there is none."""
        return next((row["name"] for row in self.layers if row["tag"] == tag), f"tag {tag}")

    def check(self) -> None:
        """Check every value.

        Raises
        ------
        ProgramError
            Naming the field, its value and what is accepted.
        """
        _text("network", self.network)
        self.chip()
        _integer("digest", self.digest, 0, _DRAM - 1)
        _need(isinstance(self.constants, bytes), "constants", type(self.constants), "bytes")
        _need(isinstance(self.regions, dict), "regions", self.regions, "an object")
        for region, size in self.regions.items():
            _need(isinstance(region, Region) and region != Region.CONSTANTS, "region", region,
                  "a Region other than CONSTANTS")
            _integer(f"regions.{region.name}", size, 0, _DRAM - 1)
        for what in ("inputs", "outputs", "steps", "layers"):
            _need(isinstance(getattr(self, what), list), what, getattr(self, what), "a list")
        self._check_bindings("inputs", self.inputs)
        self._check_bindings("outputs", self.outputs)
        for number, step in enumerate(self.steps):
            self._check_step(f"steps[{number}]", step)
        for number, row in enumerate(self.layers):
            _check_layer(f"layers[{number}]", row)
        _need(isinstance(self.info, dict), "info", self.info, "an object")

    def _check_bindings(self, what: str, bindings: list[Binding], unique: bool = True) -> None:
        names = [binding.name for binding in bindings]
        for number, binding in enumerate(bindings):
            where = f"{what}[{number}]"
            _text(f"{where}.name", binding.name)
            _need(not unique or names.count(binding.name) == 1, f"{where}.name", binding.name,
                  f"a name that no other of {what} has")
            _need(isinstance(binding.region, Region), f"{where}.region", binding.region, "a Region")
            _need(isinstance(binding.shape, tuple), f"{where}.shape", binding.shape, "a tuple")
            for size in binding.shape:
                _integer(f"{where}.shape", size, 1, _DRAM - 1)
            _need(isinstance(binding.dtype, str) and binding.dtype in DTYPES, f"{where}.dtype",
                  binding.dtype, f"one of {', '.join(DTYPES)}")
            _need(isinstance(binding.scale, float) and 0 < binding.scale < math.inf,
                  f"{where}.scale", binding.scale, "a positive finite float")
            _integer(f"{where}.zero_point", binding.zero_point, -_DRAM // 2, _DRAM // 2 - 1)
            room = self.region_bytes(binding.region)
            _need(binding.bytes <= room, f"{where}'s size", binding.bytes,
                  f"at most {room}, the bytes of region {binding.region.name}")
            _integer(f"{where}.offset", binding.offset, 0, room - binding.bytes)

    def _check_step(self, what: str, step: ChipStep | HostStep) -> None:
        if isinstance(step, HostStep):
            _text(f"{what}.op", step.op)
            _text(f"{what}.name", step.name)
            _need(isinstance(step.attrs, dict), f"{what}.attrs", step.attrs, "an object")
            _need(isinstance(step.blobs, dict), f"{what}.blobs", step.blobs, "an object")
            for name, blob in step.blobs.items():
                _text(f"{what}.blobs", name)
                _need(isinstance(blob, bytes), f"{what}.blobs.{name}", type(blob), "bytes")
            # An operator may read one tensor twice.
            self._check_bindings(f"{what}.inputs", step.inputs, unique=False)
            self._check_bindings(f"{what}.outputs", step.outputs)
            return
        _need(isinstance(step, ChipStep), what, step, "a ChipStep or a HostStep")
        _integer(f"{what}.bytes", step.bytes, INSTRUCTION_BYTES, len(self.constants))
        _integer(f"{what}.offset", step.offset, 0, len(self.constants) - step.bytes)
        for name in ("offset", "bytes"):
            value = getattr(step, name)
            _need(value % INSTRUCTION_BYTES == 0, f"{what}.{name}", value,
                  f"a multiple of {INSTRUCTION_BYTES}")

    def to_bytes(self) -> bytes:
        """The file's content; equal programs give equal bytes.

        Raises
        ------
        ProgramError
            If a value is not acceptable.
        """
        self.check()
        content = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)
                   if item.name not in ("constants", "digest")}
        content["regions"] = {region.name: size for region, size in self.regions.items()}
        host = bytearray()
        try:
            text = json.dumps(content, default=partial(_plain, host), allow_nan=False,
                              sort_keys=True)
        except (TypeError, ValueError, RecursionError) as error:
            raise ProgramError(f"program: not representable in JSON: {error}") from None
        return pack(self.digest, {"program": (SegmentKind.JSON, text.encode()),
                                  "constants": (SegmentKind.RAW, self.constants),
                                  "host": (SegmentKind.RAW, bytes(host))})

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Program":
        """A program from a file's content.

        Raises
        ------
        ProgramError
            For anything that is not exactly a program file of this version.
        """
        digest, segments = unpack(bytes(raw), _KINDS)
        try:
            content = json.loads(segments["program"].decode(), parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise ProgramError(f"program file: segment 'program' is not JSON: {error}") from None
        _keys("program", content,
              {item.name for item in dataclasses.fields(cls)} - {"constants", "digest"})
        _need(isinstance(content["regions"], dict), "regions", content["regions"], "an object")
        content["regions"] = {_region("regions", name): size
                              for name, size in content["regions"].items()}
        for name in ("inputs", "outputs"):
            content[name] = _bindings(name, content[name])
        _need(isinstance(content["steps"], list), "steps", content["steps"], "a list")
        content["steps"] = [_step(f"steps[{number}]", step, segments["host"])
                            for number, step in enumerate(content["steps"])]
        program = cls(digest=digest, constants=segments["constants"], **content)
        program.check()
        return program

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file."""
        Path(path).write_bytes(self.to_bytes())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Program":
        """Read a file; a ProgramError names it."""
        try:
            return cls.from_bytes(Path(path).read_bytes())
        except ProgramError as error:
            raise ProgramError(f"{os.fspath(path)}: {error}") from None


def _need(good: bool, what: str, value: object, accepted: object) -> None:
    if not good:
        raise ProgramError(f"program: {what} is {value!r}, accepted is {accepted}")


def _integer(what: str, value: object, least: int, most: int) -> None:
    _need(isinstance(value, int) and not isinstance(value, bool) and least <= value <= most,
          what, value, f"an integer, {least} to {most}")


def _text(what: str, value: object) -> None:
    _need(isinstance(value, str), what, value, "a text")


def _keys(what: str, value: Any, keys: set[str]) -> None:
    _need(isinstance(value, dict), what, value, "an object")
    _need(set(value) == keys, f"fields of {what}", list(value), sorted(keys))


def _check_layer(what: str, row: Any) -> None:
    _need(isinstance(row, dict), what, row, "an object")
    _integer(f"{what}.tag", row.get("tag"), 0, _TAGS)
    for name in ("name", "operator", "unit"):
        _text(f"{what}.{name}", row.get(name))
    for name in ("macs", "ideal_cycles"):
        _integer(f"{what}.{name}", row.get(name), 0, (1 << 63) - 1)


def _plain(host: bytearray, value: object) -> object:
    """What JSON holds for a value that it has no notion of; blobs go to ``host``."""
    if isinstance(value, Binding):
        return {**vars(value), "region": value.region.name}
    if isinstance(value, HostStep):
        places = {}
        for name, blob in value.blobs.items():
            places[name] = [len(host), len(blob)]
            host += blob
        return {**vars(value), "kind": "host", "blobs": places}
    if isinstance(value, ChipStep):
        return {**vars(value), "kind": "chip"}
    raise TypeError(f"{type(value).__name__} {value!r}")


def _no_constant(text: str) -> object:
    raise ValueError(f"{text} is not a number")


def _region(what: str, name: object) -> Region:
    _need(isinstance(name, str) and name in Region.__members__, what, name,
          f"one of {', '.join(Region.__members__)}")
    return Region[str(name)]


def _bindings(what: str, items: Any) -> list[Binding]:
    _need(isinstance(items, list), what, items, "a list")
    bindings = []
    for number, item in enumerate(items):
        where = f"{what}[{number}]"
        _keys(where, item, {entry.name for entry in dataclasses.fields(Binding)})
        _need(isinstance(item["shape"], list), f"{where}.shape", item["shape"], "a list")
        bindings.append(Binding(**{**item, "region": _region(f"{where}.region", item["region"]),
                                   "shape": tuple(item["shape"])}))
    return bindings


def _blob(what: str, place: Any, host: bytes) -> bytes:
    _need(isinstance(place, list) and len(place) == 2, what, place, "[offset, bytes]")
    _integer(what, place[0], 0, len(host))
    _integer(what, place[1], 0, len(host) - place[0])
    return host[place[0]:place[0] + place[1]]


def _step(what: str, item: Any, host: bytes) -> ChipStep | HostStep:
    kinds: dict[object, type[ChipStep] | type[HostStep]] = {"chip": ChipStep, "host": HostStep}
    _need(isinstance(item, dict), what, item, "an object")
    kind = item.get("kind")
    _need(isinstance(kind, str) and kind in kinds, f"{what}.kind", kind, "chip or host")
    _keys(what, item, {"kind"} | {entry.name for entry in dataclasses.fields(kinds[kind])})
    values = {name: value for name, value in item.items() if name != "kind"}
    if kind == "host":
        for name in ("inputs", "outputs"):
            values[name] = _bindings(f"{what}.{name}", values[name])
        _need(isinstance(item["blobs"], dict), f"{what}.blobs", item["blobs"], "an object")
        values["blobs"] = {name: _blob(f"{what}.blobs.{name}", place, host)
                           for name, place in item["blobs"].items()}
    return kinds[kind](**values)
