"""The bundled networks: files, samples, licences."""

import csv
from pathlib import Path

import pytest

from sw.errors import UsageError
from sw.session import open_model
from sw.zoo import NETWORKS, find

SAMPLES = Path(find("vww")[0]).parents[1] / "samples"


@pytest.mark.parametrize("name", NETWORKS)
def test_every_sample_fits(name):
    model = open_model(name)
    network = NETWORKS[name]
    samples = network.samples(network.sample_count, model.inputs[0])
    assert len(samples) == network.sample_count
    for sample in samples:
        values = sample.inputs[model.inputs[0].name]
        assert values.shape == model.inputs[0].shape and values.dtype == "int8"
        assert sample.label is None or 0 <= sample.label < len(network.labels)
    if network.labels:
        assert model.outputs[0].shape[-1] == len(network.labels)


@pytest.mark.parametrize(("name", "classes", "each"), [("vww", 2, 12), ("dscnn", 12, 5)])
def test_balance(name, classes, each):
    model = open_model(name)
    samples = NETWORKS[name].samples(NETWORKS[name].sample_count, model.inputs[0])
    labels = [sample.label for sample in samples]
    assert sorted(labels) == sorted(list(range(classes)) * each)
    assert len(set(labels[:classes])) == classes  # the classes take turns


def test_every_sample_has_its_licence():
    for name in NETWORKS:
        with (SAMPLES / name / "labels.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert all(row["licence"].startswith("CC") and row["origin"] for row in rows)
        listed = {row["file"] for row in rows}
        for path in (SAMPLES / name).glob("*.png"):
            assert path.name in listed


def test_small():
    assert sum(path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file()) < 2_000_000


def test_find(tmp_path):
    path, network = find("vww")
    assert network is NETWORKS["vww"] and path.is_file()
    copy = tmp_path / "mine.tflite"
    copy.write_bytes(path.read_bytes())
    assert find(str(copy)) == (copy, network)  # known by its bytes
    copy.write_bytes(path.read_bytes() + b"\0")
    assert find(str(copy)) == (copy, None)
    for bad in ("nonesuch", str(tmp_path)):
        with pytest.raises(UsageError, match="and no network of the zoo; accepted is"):
            find(bad)


def test_too_many_samples():
    with pytest.raises(UsageError, match="--samples 25: vww has 24, accepted are 1 to 24"):
        NETWORKS["vww"].samples(25, open_model("vww").inputs[0])
