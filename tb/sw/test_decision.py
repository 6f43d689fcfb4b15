"""Networks that end at a decision: what is cut off, the answer, what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from golden import executor
from golden.attributes import Softmax
from golden.edges import DequantizeLinear, FloatSoftmax, QuantizeLinear
from golden.extreme import ArgMax
from golden.graph import Graph, Node, Quant, Quantize, Tensor
from golden.spec.numerics import IDENTITY
from sw import cli
from sw.errors import InputError, UsageError
from sw.inputs import TensorSpec
from sw.report.answers import Reader
from sw.session import open_model
from sw.session.decision import DecisionReference, with_decision
from sw.session.model import Model

ONNX = Path(__file__).parents[1] / "data" / "onnx"


def model(*chain, shape=(1, 6)):
    """A network of operators one after the other, with types as theirs."""
    kinds = [chain[0].types()[0], *(attrs.types()[1] for attrs in chain)]
    names = [f"t{number}" for number in range(len(kinds))]
    graph = Graph("chain", {name: Tensor(name, shape, kind, Quant(0.1, 0))
                            for name, kind in zip(names, kinds, strict=True)},
                  [Node(f"n{number}", (names[number],), (names[number + 1],), attrs)
                   for number, attrs in enumerate(chain)], (names[0],), (names[-1],))
    graph.validate()
    specs = [TensorSpec(name, shape, np.dtype(kinds[at]), 0.1, 0)
             for name, at in ((names[0], 0), (names[-1], -1))]
    return Model("chain", Path("chain"), specs[:1], specs[1:], graph=graph)


EXACT = Softmax(multiplier=1 << 30, pre=5, least_difference=-99)
TO_FLOAT = DequantizeLinear(scale=0.1, zero=3)
TO_UINT8 = Quantize(input_type="int8", output_type="uint8", input_zero=0, scale=IDENTITY,
                    output_zero=128)


@pytest.mark.parametrize(("chain", "kept"), [
    ((EXACT,), 1), ((EXACT, TO_UINT8), 1), ((EXACT, TO_FLOAT), 1),
    ((EXACT, TO_FLOAT, FloatSoftmax(axis=1)), 1)])
def test_what_keeps_the_order_goes(chain, kept):
    """The answer is that of the whole network all the same."""
    whole = model(*chain)
    cut = with_decision(whole)
    assert [type(node.attrs) for node in cut.graph.nodes] == [
        *(type(attrs) for attrs in chain[:kept]), ArgMax]
    assert cut.classes == 6 and [str(spec) for spec in cut.outputs] == ["class int32[1]"]
    for seed in range(5):
        x = np.random.default_rng(seed).integers(-128, 128, (1, 6), np.int8)
        (number,) = executor.run(cut.graph, {"t0": x})["class"]
        (values,) = executor.run(whole.graph, {"t0": x}).values()
        assert number == values.argmax()


@pytest.mark.parametrize("chain", [
    (EXACT, TO_FLOAT, QuantizeLinear(scale=0.1, zero=0)),  # may make values equal: stays
    (EXACT, Quantize(input_type="int8", output_type="int8", input_zero=0,
                     scale=(1 << 30, 0, 0), output_zero=0))])
def test_what_doesnt_stays(chain):
    assert len(with_decision(model(*chain)).graph.nodes) == len(chain) + 1


@pytest.mark.parametrize(("made", "text"), [
    (lambda: model(EXACT, shape=(1, 3, 4)), "t1 int8.*accepted is one of 8-bit classes"),
    (lambda: model(EXACT, shape=(1, 1)), "accepted is one of 8-bit classes"),
    (lambda: model(EXACT, DequantizeLinear(scale=1e-9, zero=0), FloatSoftmax(axis=1)),
     "t3 float32.*accepted is one of 8-bit classes"),
    (lambda: with_decision(model(EXACT)), "it has a 'class' already"),
    (lambda: Model("m", Path("m"), [], []), "--decide needs the model itself"),
    (lambda: open_model("autoencoder"), "it reconstructs its input")])
def test_refusals(made, text):
    with pytest.raises(UsageError, match=text):
        with_decision(made())


def test_reference():
    class Values:
        title = "values"

        def outputs(self, inputs):
            return [inputs["x"]]

    reference = DecisionReference(Values())
    assert reference.title == "values"
    (found,) = reference.outputs({"x": np.array([[1.0, 5.0, 5.0]])})
    assert found.tolist() == [1] and found.dtype == np.int32


def test_reader():
    output = [TensorSpec("class", (1,), np.dtype(np.int32))]
    answer = Reader([], output, None, ("a", "b"), 2).read({}, {"class": np.array([1])}, 0)
    assert (answer.text, answer.index, answer.right) == ("b, wrong: it is a", 1, False)
    with pytest.raises(InputError, match=r"has 2 names.*has 3 classes"):
        Reader([], output, None, ("a", "b"), 3)


def test_onnx_ends_on_the_chip():
    """What the host did at the end is gone."""
    graph = with_decision(open_model(str(ONNX / "resnet8_qdq.onnx"))).graph
    assert [node.op for node in graph.nodes][-2:] == ["FullyConnected", "ArgMax"]


def test_command(capsys):
    """From a camera's frame to the class in one step of the chip, as LiteRT has it."""
    assert cli.main(["run", "vww", "--camera", "nv12:160x120", "--decide", "--check",
                     "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["bytes_different"] == 0
    units = {row["operator"]: row["unit"] for row in report["layers"]}
    assert units["ArgMax"] == units["CameraInput"] == "drp" and "host" not in units.values()
    assert report["answers"][0]["label"] in ("person", "no person")
