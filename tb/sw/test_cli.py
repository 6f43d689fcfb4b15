"""The command line in process: results on stdout, one line and an exit code for every refusal."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from golden.spec.config import preset
from sw.cli import main
from sw.session import open_model
from sw.zoo import NETWORKS
from tb.lib.command_line import run

GOLDEN = ("--engine", "golden")


def refusal(capsys, *arguments):
    """(exit code, message) of a command that must be refused with one line and nothing else."""
    code, out, err = run(capsys, *arguments)
    lines = [line for line in err.splitlines() if not line.endswith("…")]  # progress
    assert not out and len(lines) == 1 and lines[0].startswith("sentei: error: "), (out, err)
    return code, lines[0].removeprefix("sentei: error: ")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of all kinds, good and bad."""
    folder = tmp_path_factory.mktemp("files")
    model = NETWORKS["dscnn"].model.read_bytes()
    (folder / "text.tflite").write_text("hello")
    (folder / "empty.tflite").write_bytes(b"")
    (folder / "short.tflite").write_bytes(model[:4000])
    np.save(folder / "good.npy", np.zeros((1, 49, 10, 1), np.int8))
    np.save(folder / "floats.npy", np.zeros((49, 10), np.float32))
    np.save(folder / "shape.npy", np.zeros((1, 10, 49, 1), np.int8))
    np.save(folder / "type.npy", np.zeros((1, 49, 10, 1), np.int32))
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(folder / "p.png")
    (folder / "names.txt").write_text("\n".join(f"word{index}" for index in range(12)))
    (folder / "two.txt").write_text("a\nb\n")
    code = main(["compile", "dscnn", "--set", "bank_words=2048", "-o",
                 str(folder / "d.sentei")])
    assert code == 0
    raw = (folder / "d.sentei").read_bytes()
    (folder / "short.sentei").write_bytes(raw[:len(raw) // 2])
    (folder / "bit.sentei").write_bytes(raw[:-5] + bytes([raw[-5] ^ 1]) + raw[-4:])
    shutil.copy(folder / "text.tflite", folder / "text.sentei")
    return folder


@pytest.mark.parametrize(("arguments", "code", "text"), [
    ([], 2, "arguments are required: COMMAND"),
    (["frobnicate"], 2, "invalid choice: 'frobnicate'"),
    (["run"], 2, "arguments are required: MODEL"),
    (["run", "nonesuch"], 2, "nonesuch: no such file, and no network of the zoo; accepted is"),
    (["run", "."], 2, ".: a folder"),
    (["run", "dscnn", "--frob"], 2, "unrecognized arguments: --frob"),
    (["run", "dscnn", "--engine", "board"], 2, "invalid choice: 'board'"),
    (["run", "dscnn", "--samples", "0"], 2, "'0', accepted is an integer of 1 or more"),
    (["run", "dscnn", "--samples", "61", *GOLDEN], 2, "dscnn has 60, accepted are 1 to 60"),
    (["run", "dscnn", "--samples", "1", "--input", "good.npy"], 2, "--input and --samples"),
    (["run", "dscnn", "--waves", "x.fst"], 2, "--waves: only --engine rtl has signals"),
    (["run", "dscnn", "--engine", "rtl", "--waves", "x.txt"], 2, "accepted is FILE.fst"),
    (["run", "dscnn", "--engine", "rtl", "--waves", "x.fst", "--from", "9", "--to", "3"], 2,
     "accepted is 0 <= from <= to"),
    (["run", "dscnn", "--from", "3"], 2, "--waves"),
    (["run", "dscnn", "--dense", *GOLDEN], 2, "--dense: --engine golden has no chip"),
    (["run", "d.sentei", "--input", "good.npy", *GOLDEN], 2, "needs the model itself"),
    (["run", "d.sentei", "--input", "good.npy", "--check"], 2, "--check needs the model itself"),
    (["run", "d.sentei", "--input", "good.npy", "--dense"], 2, "this is compiled"),
    (["compile", "dscnn", "-o", "no/where"], 2, "no/where: No such file or directory"),
    (["compile", "d.sentei", "-o", "x"], 2, "compiled already"),
    (["report", "dscnn", "-o", "no/where.html"], 2, "no such folder"),
    (["report", "dscnn", "-o", "x.html", *GOLDEN], 2, "no cycles to report"),
    (["inspect", "nonesuch"], 2, "nonesuch: No such file or directory"),
    (["run", "text.tflite"], 3, "not a TensorFlow Lite file"),
    (["run", "empty.tflite"], 3, "not a TensorFlow Lite file"),
    (["run", "short.tflite"], 3, "damaged or truncated"),
    (["run", "short.sentei", "--input", "good.npy"], 3, "its header says"),
    (["run", "bit.sentei", "--input", "good.npy"], 3, "checksum of segment"),
    (["inspect", "bit.sentei"], 3, "checksum of segment"),
    (["inspect", "text.sentei"], 3, "begins with b'hello'"),
    (["run", "dscnn", "--input", "shape.npy", *GOLDEN], 4,
     "int8[1, 10, 49, 1], accepted for input input_1 is int8[1, 49, 10, 1]"),
    (["run", "dscnn", "--input", "type.npy", *GOLDEN], 4, "type int32; accepted"),
    (["run", "dscnn", "--input", "none.npy", *GOLDEN], 4, "none.npy: no such file"),
    (["run", "dscnn", "--input", "p.png", *GOLDEN], 4, "not a recording"),
    (["run", "vww", "--input", "two.txt", *GOLDEN], 4, "not a picture"),
    (["run", "dscnn", "--input", "other=good.npy", *GOLDEN], 4, "names no input"),
    (["run", "dscnn", "--labels", "two.txt", *GOLDEN], 4, "--labels has 2 names"),
    (["run", "dscnn", "--preset", "huge"], 5, "no preset 'huge'; presets are tiny, tiny_drp, base"),
    (["run", "dscnn", "--set", "lanes=5"], 5, "lanes is 5, accepted is 4, 8, 16 or 32"),
    (["run", "dscnn", "--set", "frob=5"], 5, "no configuration field 'frob'; fields are"),
    (["run", "dscnn", "--set", "lanes"], 5, "accepted is field=value with an integer"),
    (["run", "dscnn", "--dram-latency", "-1"], 5, "dram_latency is -1, accepted is"),
    (["run", "d.sentei", "--input", "good.npy", "--preset", "base"], 5,
     "compiled for another configuration"),
    (["run", "d.sentei", "--input", "good.npy", "--set", "bank_words=2048", "--set",
      "columns=4"], 5,
     "compiled for another configuration"),
])
def test_refusals(files, capsys, arguments, code, text):
    found, message = refusal(capsys, *arguments)
    assert found == code and text in message


def test_golden_run_is_checked_and_saved(files, capsys, tmp_path):
    code, out, err = run(capsys, "run", "dscnn", "--samples", 12, "--check", "--json", "--output",
                         tmp_path / "out", *GOLDEN)
    data = json.loads(out)
    assert code == 0 and data["samples"] == 12 and data["mismatches"] == 0
    assert data["correct"] >= 10 and data["network"] == "dscnn" and data["engine"] == "golden"
    assert data["bytes_compared"] == 12 * 12
    assert err.splitlines()[0] == "reading dscnn …"
    saved = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in saved] == [f"{index:03d}_Identity.npy" for index in range(12)]
    answers = [int(np.load(path).argmax()) for path in saved]
    assert answers == [entry["index"] for entry in data["answers"]]


def test_user_model_with_labels(files, capsys, tmp_path):
    """A model that the zoo doesn't know by its bytes."""
    mine = tmp_path / "mine.tflite"
    mine.write_bytes(NETWORKS["dscnn"].model.read_bytes() + b"\0")
    code, out, _ = run(capsys, "run", mine, "--input", "good.npy", "floats.npy", "--labels",
                       "names.txt", "--json", *GOLDEN)
    data = json.loads(out)
    assert code == 0 and data["network"] == "mine" and data["correct"] is None
    assert [entry["sample"] for entry in data["answers"]] == ["good.npy", "floats.npy"]
    assert all(entry["label"].startswith("word") for entry in data["answers"])
    code, message = refusal(capsys, "run", mine, *GOLDEN)
    assert code == 2 and "takes input_1 int8[1, 49, 10, 1]" in message


def test_mismatch_has_its_own_exit_code(files, capsys, monkeypatch):
    """A reference that differs in one byte of the second sample."""
    import sw.reference

    true, calls = sw.reference.run_litert, []

    def differs(path, inputs):
        outputs = true(path, inputs)
        calls.append(1)
        if len(calls) == 3:  # the first call is the early one
            outputs[0].reshape(-1)[0] += 1
        return outputs

    monkeypatch.setattr(sw.reference, "run_litert", differs)
    code, out, err = run(capsys, "run", "dscnn", "--samples", 3, "--check", "--json", *GOLDEN)
    data = json.loads(out)
    assert code == 8 and data["mismatches"] == 1 and data["bytes_different"] == 1
    assert err.splitlines()[-1] == ("sentei: error: 1 of 3 samples differ from LiteRT's "
                                    "reference kernels")


def test_reference_that_refuses_has_its_own_exit_code(files, capsys, monkeypatch):
    import sw.reference
    from sw.errors import ReferenceError_

    def refuses(path, inputs):
        raise ReferenceError_(f"{path}: LiteRT refuses the file: no")

    monkeypatch.setattr(sw.reference, "run_litert", refuses)
    code, message = refusal(capsys, "run", "dscnn", "--check", *GOLDEN)
    assert code == 9 and message.endswith("LiteRT refuses the file: no")


def test_internal_errors_have_no_trace_without_debug(capsys, monkeypatch):
    import sw.commands.running

    def broken(*_):
        raise KeyError("oh")

    monkeypatch.setattr(sw.commands.running, "open_model", broken)
    code, _, err = run(capsys, "run", "dscnn")
    assert code == 1 and "Traceback" not in err
    assert "internal error, please report it: KeyError: 'oh' (--debug" in err
    code, _, err = run(capsys, "run", "dscnn", "--debug")
    assert code == 1 and "Traceback" in err


def test_interrupt(capsys, monkeypatch):
    import sw.commands.running

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sw.commands.running, "open_model", interrupted)
    assert run(capsys, "run", "dscnn")[0] == 130


def test_termination():
    program = ("import signal, sys; import sw.commands.running as running, sw.cli\n"
               "running.open_model = lambda *_: signal.raise_signal(signal.SIGTERM)\n"
               "sys.exit(sw.cli.main(['run', 'dscnn', '--engine', 'golden']))")
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 143


@pytest.mark.parametrize("command", ["", "run", "compile", "inspect", "report", "zoo", "verilog",
                                     "prune", "evaluate"])
def test_help_teaches(capsys, command):
    code, out, err = run(capsys, *command.split(), "--help")
    assert code == 0 and not err
    assert "examples:" in out and f"sentei {command}" in out


def test_zoo(capsys):
    code, out, _ = run(capsys, "zoo")
    assert code == 0 and all(name in out for name in NETWORKS)
    code, out, _ = run(capsys, "zoo", "--json")
    assert [entry["name"] for entry in json.loads(out)] == list(NETWORKS)


def test_compile_and_inspect(files, capsys, tmp_path):
    code, out, _ = run(capsys, "compile", "resnet8", "-o", tmp_path / "r.sentei", "--json")
    facts = json.loads(out)
    assert code == 0 and facts["macs_dense"] > 12_000_000
    assert facts["digest"] == f"0x{preset('base').digest():08x}"
    assert facts["file_bytes"] == (tmp_path / "r.sentei").stat().st_size
    code, out, _ = run(capsys, "inspect", tmp_path / "r.sentei")
    assert code == 0 and "memory map" in out and "  MAC " in out
    code, out, _ = run(capsys, "inspect", tmp_path / "r.sentei", "--json")
    steps = json.loads(out)["steps"]
    assert steps[0]["kind"] == "chip" and steps[0]["instructions"][-1]["opcode"] == "END"


def test_program_specs_are_the_models(files):
    program, model = open_model("d.sentei"), open_model("dscnn")
    assert program.inputs == model.inputs and program.outputs == model.outputs
    assert program.program.chip() == preset("base", bank_words=2048)


@pytest.mark.parametrize("name", NETWORKS)
def test_machine_equals_litert(capsys, name):
    code, out, _ = run(capsys, "run", name, "--samples", 2, "--check", "--json")
    data = json.loads(out)
    assert code == 0 and data["mismatches"] == 0 and data["engine"] == "machine"
    assert 0 < data["ideal_cycles"] < data["cycles"]
    assert 0 < data["utilization"] <= 1
    assert sum(layer["cycles"] for layer in data["layers"]) == data["cycles"]
    assert sum(layer["bytes_read"] for layer in data["layers"]) == data["bytes_read"]
    assert data["cycles"] == max(entry["cycles"] for entry in data["answers"])
    for layer in data["layers"]:
        assert layer["issued"] + sum(layer["stalls"].values()) == layer["cycles"]


def test_dense_issues_more(capsys):
    sparse, dense = (json.loads(run(capsys, "run", "vww", "--json", *options)[1])
                     for options in ((), ("--dense",)))
    assert dense["macs"] > sparse["macs"] and dense["cycles"] > sparse["cycles"]
    assert dense["macs_dense"] == sparse["macs_dense"]
    assert sum(layer["macs_skipped"] for layer in dense["layers"]) == 0


def test_memory_options_reach_the_memory(capsys):
    slow, fast = (json.loads(run(capsys, "run", "autoencoder", "--json", *options)[1])
                  for options in (("--dram-bytes", "1", "--dram-latency", "400"), ()))
    assert slow["cycles"] > 2 * fast["cycles"] and slow["digest"] == fast["digest"]


def test_table_of_a_run(capsys):
    code, out, err = run(capsys, "run", "resnet8", "--samples", 1)
    assert code == 0 and "waited for" in out and "inferences/s at 100 MHz" in out
    assert "Softmax" in out and "on the host" not in out
    assert "automobile" in out and "1 of 1 right" in out
    assert err.startswith("reading resnet8 …\n")


def test_program_file_runs_as_the_model_does(files, capsys, tmp_path):
    for model, folder in (("d.sentei", "program"), ("dscnn", "model")):
        code, _, _ = run(capsys, "run", model, "--input", "good.npy", "--output",
                         tmp_path / folder)
        assert code == 0
    first, second = (np.load(tmp_path / folder / "000_Identity.npy")
                     for folder in ("program", "model"))
    assert (first == second).all() and first.shape == (1, 12)
    # it knows whose labels and samples are its own
    data = json.loads(run(capsys, "run", "d.sentei", "--samples", 3, "--json")[1])
    assert data["network"] == "dscnn" and data["correct"] == 3


def test_report(capsys, tmp_path):
    path = tmp_path / "page.html"
    code, out, _ = run(capsys, "report", "dscnn", "--samples", 2, "--check", "-o", path, "--json")
    data = json.loads(out)
    assert code == 0 and data["page"] == str(path) and data["mismatches"] == 0
    text = path.read_text("utf-8")
    assert text.count("<svg") == 3 and f"{data['cycles']:,}" in text
    assert "samples equal to the reference" in text and "2 of 2" in text


@pytest.mark.parametrize("arguments", [["zoo"], ["zoo", "--json"]])
def test_nobody_reads(arguments):
    """As with ``| head``: the exit code of a closed pipe, and no word."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-m", "sw.cli", *arguments], stdout=writing,
                          stderr=subprocess.PIPE, timeout=60)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")
