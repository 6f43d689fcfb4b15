"""The program file: round trip, damage, and values that must be refused."""

import copy
import dataclasses
import json
import struct
import zlib

import pytest

from golden.spec import container
from golden.spec.config import preset
from golden.spec.container import SegmentKind
from golden.spec.program import Binding, ChipStep, HostStep, Program, ProgramError
from golden.spec.registers import Region

KINDS = {"program": SegmentKind.JSON, "constants": SegmentKind.RAW, "host": SegmentKind.RAW}


def make() -> Program:
    config = preset("tiny")
    picture = Binding("in", Region.INPUT, 0, (1, 4, 4, 3), "int8", 0.5, -3)
    logits = Binding("logits", Region.WORK, 16, (1, 10), "int8", 0.25, 4)
    result = Binding("out", Region.OUTPUT, 0, (1, 10), "float32")
    return Program(
        network="small", config=dataclasses.asdict(config), digest=config.digest(),
        constants=bytes(range(192)), regions={Region.INPUT: 48, Region.WORK: 26,
                                              Region.OUTPUT: 40, Region.LOG: 64},
        inputs=[picture], outputs=[result],
        steps=[ChipStep(64, 128), HostStep("softmax", "last", {"beta": 1.0}, [logits], [result],
                                      {"first": b"abc", "second": b"defgh"})],
        layers=[{"tag": 3, "name": "conv", "operator": "CONV_2D", "unit": "chip", "macs": 100,
                 "ideal_cycles": 9}],
        info={"sparsity": 0.5})


def test_round_trip(tmp_path):
    program = make()
    path = tmp_path / "small.sntp"
    program.save(path)
    again = Program.load(path)
    assert again == program
    assert again.to_bytes() == program.to_bytes() == path.read_bytes()
    assert again.chip() == preset("tiny")
    assert (again.layer(3), again.layer(4)) == ("conv", "tag 4")
    assert again.inputs[0].bytes == 48
    assert again.region_bytes(Region.CONSTANTS) == 192


def test_every_changed_byte_is_refused():
    raw = make().to_bytes()
    for position in range(len(raw)):
        for flip in (1, 0x80, 0xFF):
            bad = bytearray(raw)
            bad[position] ^= flip
            with pytest.raises(ProgramError):
                Program.from_bytes(bytes(bad))


def test_every_truncation_and_extension_is_refused():
    raw = make().to_bytes()
    for length in range(len(raw)):
        with pytest.raises(ProgramError):
            Program.from_bytes(raw[:length])
    with pytest.raises(ProgramError, match="bytes long"):
        Program.from_bytes(raw + b"\0")


def test_damage_is_named(tmp_path):
    raw = make().to_bytes()
    path = tmp_path / "bad.sntp"
    for position, text in ((0, "begins with"), (8, "version"), (12, "header's checksum"),
                           (len(raw) - 1, "checksum of segment 'host'"),
                           (len(raw) - 9, "checksum of segment 'constants'"),
                           (130, "checksum of segment 'program'")):
        path.write_bytes(raw[:position] + bytes([raw[position] ^ 1]) + raw[position + 1:])
        with pytest.raises(ProgramError, match=text) as caught:
            Program.load(path)
        assert str(path) in str(caught.value)


def rewritten(change) -> bytes:
    """A file with valid checksums whose JSON has been changed."""
    digest, segments = container.unpack(make().to_bytes(), KINDS)
    content = json.loads(segments["program"])
    content = change(content) or content
    return container.pack(digest, {
        "program": (SegmentKind.JSON, json.dumps(content).encode()),
        "constants": (SegmentKind.RAW, segments["constants"]),
        "host": (SegmentKind.RAW, segments["host"])})


def paths(value, path=()):
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from paths(value[key], (*path, key))
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from paths(item, (*path, index))


def test_any_value_replaced_is_refused_or_usable():
    """No value of the JSON makes anything but ProgramError, now or when it is used."""
    kept = copy.deepcopy(json.loads(container.unpack(make().to_bytes(), KINDS)[1]["program"]))
    refused = 0
    for path in paths(kept):
        for value in (None, -1, 1 << 70, 0.5, True, "x", "", [], {}, [[]], float("nan")):
            def change(content, path=path, value=value):
                if not path:
                    return value or [value]
                for key in path[:-1]:
                    content = content[key]
                content[path[-1]] = value
                return None
            try:
                program = Program.from_bytes(rewritten(change))
            except ProgramError:
                refused += 1
                continue
            assert Program.from_bytes(program.to_bytes()) == program
            program.chip()
            assert all(program.layer(tag) for tag in range(5)) or "name" in path
            assert all(item.bytes <= program.region_bytes(item.region)
                       for item in (*program.inputs, *program.outputs))
    assert refused > 300


@pytest.mark.parametrize("change, text", [
    (lambda c: c["steps"][0].update(offset=32), "multiple of 64"),
    (lambda c: c["steps"][0].update(bytes=192), r"steps\[0\].offset is 64, accepted is .* 0 to 0"),
    (lambda c: c["steps"][0].update(kind="gpu"), "chip or host"),
    (lambda c: c["inputs"][0].update(offset=1), "0 to 0"),
    (lambda c: c["inputs"][0].update(region="HEAP"), "HEAP"),
    (lambda c: c["inputs"][0].update(dtype="int4"), "int4"),
    (lambda c: c["inputs"][0].update(shape=[1, 4, 4, 4]), "48, the bytes of region INPUT"),
    (lambda c: c["inputs"].append(c["inputs"][0]), "no other"),
    (lambda c: c["config"].update(lanes=5), "lanes is 5, accepted is 4, 8, 16 or 32"),
    (lambda c: c["config"].pop("lanes"), "fields of config"),
    (lambda c: c["layers"][0].update(tag=1 << 16), "65535"),
    (lambda c: c["layers"][0].pop("unit"), r"layers\[0\].unit"),
    (lambda c: c.update(more=1), "fields of program"),
    (lambda c: c["steps"][1]["blobs"].update(first=[5, 4]),
     r"steps\[1\].blobs.first is 4, .* 0 to 3"),
    (lambda c: c["steps"][1]["blobs"].update(first=[9, 0]),
     r"steps\[1\].blobs.first is 9, .* 0 to 8"),
    (lambda c: c["steps"][1]["blobs"].update(first=3), r"accepted is \[offset, bytes\]"),
    (lambda c: c["steps"][1].update(blobs=[]),
     r"steps\[1\].blobs is \[\], accepted is an object"),
    (lambda c: c["info"].update(deep=float("inf")), "not a number"),
])
def test_refusals_name_the_field(change, text):
    with pytest.raises(ProgramError, match=text):
        Program.from_bytes(rewritten(lambda content: change(content) and None))


def test_segments_are_checked():
    good = make()
    json_part = (SegmentKind.JSON, b"[" * 100_000)
    raw_part = (SegmentKind.RAW, b"")
    for segments, text in (
            ({"program": json_part, "constants": raw_part, "host": raw_part}, "not JSON"),
            ({"program": (SegmentKind.JSON, b"\xff"), "constants": raw_part, "host": raw_part},
             "not JSON"),
            ({"program": json_part}, "expected are"),
            ({"program": json_part, "constants": raw_part, "more": raw_part}, "'more'"),
            ({"program": (SegmentKind.RAW, b"{}"), "constants": raw_part}, "of kind 1")):
        with pytest.raises(ProgramError, match=text):
            Program.from_bytes(container.pack(good.digest, segments))
    # A directory that claims more than the file holds, under a valid checksum.
    raw = bytearray(good.to_bytes())
    header, entry = struct.Struct("<8sHHIQI"), struct.Struct("<16sIIQ")
    raw[header.size + entry.size - 8:header.size + entry.size] = struct.pack("<Q", 1 << 60)
    raw[header.size - 4:header.size] = bytes(4)
    raw[header.size - 4:header.size] = struct.pack(
        "<I", zlib.crc32(bytes(raw[:header.size + 3 * entry.size])))
    with pytest.raises(ProgramError, match="longer than the file"):
        Program.from_bytes(bytes(raw))


def test_writing_refuses_what_reading_would():
    program = make()
    program.info["call"] = print
    with pytest.raises(ProgramError, match="not representable"):
        program.to_bytes()
    program = make()
    program.regions[Region.CONSTANTS] = 3
    with pytest.raises(ProgramError, match="other than CONSTANTS"):
        program.to_bytes()
