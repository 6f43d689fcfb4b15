"""Inputs: pictures, arrays and recordings to the network's bytes, and what is refused."""

import wave

import numpy as np
import pytest
from PIL import Image

from sw.errors import InputError, UsageError
from sw.inputs import Pictures, SoundFrontEnd, TensorSpec, read_samples
from sw.inputs.arrays import read_array
from sw.inputs.audio import log_mel, log_mel_window, mfcc, read_wav
from sw.zoo import NETWORKS

INT8 = np.dtype("int8")
PICTURE = TensorSpec("picture", (1, 4, 6, 3), INT8, 1 / 255, -128)
GRAY = TensorSpec("gray", (1, 4, 6, 1), INT8, 0.5, 3)
VECTOR = TensorSpec("x", (1, 5), INT8, 0.25, -3)


def save_picture(path, shape=(4, 6, 3), seed=1):
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def test_quantize_rounds_halves_away_from_zero_and_clips():
    spec = TensorSpec("x", (7,), INT8, 0.5, 3)
    real = np.array([0.25, -0.25, 0.24, 1.25, -1.25, 1e6, -1e6], np.float32)
    assert spec.quantize(real).tolist() == [4, 2, 3, 6, 0, 127, -128]
    # the sound front ends drop the fraction after adding the zero point
    assert spec.quantize(real, truncate=True).tolist() == [3, 2, 3, 5, 0, 127, -128]
    assert spec.dequantize(np.array([3, 4, 1])).tolist() == [0.0, 0.5, -1.0]


def test_pixels_fill_the_range(tmp_path):
    pixels = save_picture(tmp_path / "p.png")
    values = Pictures().read(tmp_path / "p.png", PICTURE)
    assert values.dtype == INT8 and values.shape == (1, 4, 6, 3)
    assert (values[0].astype(int) == pixels.astype(int) - 128).all()


def test_mean_and_std(tmp_path):
    pixels = save_picture(tmp_path / "p.png").astype(np.float64)
    spec = TensorSpec("x", (1, 4, 6, 3), INT8, 0.02, 7)
    values = Pictures(mean=(120.0, 110.0, 100.0), std=(60.0,)).read(tmp_path / "p.png", spec)
    steps = (pixels - [120, 110, 100]) / 60 / 0.02
    expected = np.clip(np.trunc(steps + np.copysign(0.5, steps)) + 7, -128, 127)
    assert (np.abs(values[0] - expected) <= 1).all()  # float32 may fall on the other side
    assert (values[0] == expected).mean() > 0.9


def test_color_layout_and_gray(tmp_path):
    pixels = save_picture(tmp_path / "p.png").astype(int) - 128
    bgr = Pictures(color="BGR").read(tmp_path / "p.png", PICTURE)
    assert (bgr[0] == pixels[:, :, ::-1]).all()
    planar = TensorSpec("p", (1, 3, 4, 6), INT8, 1 / 255, -128)
    assert (Pictures().read(tmp_path / "p.png", planar)[0] == pixels.transpose(2, 0, 1)).all()
    assert Pictures().read(tmp_path / "p.png", GRAY).shape == (1, 4, 6, 1)


def test_resize(tmp_path):
    wide = np.zeros((10, 40, 3), np.uint8)
    wide[:, :20] = 255
    Image.fromarray(wide).save(tmp_path / "w.png")
    spec = TensorSpec("x", (1, 8, 8, 3), INT8, 1.0, -128)
    results = {mode: Pictures(resize=mode).read(tmp_path / "w.png", spec)[0, :, :, 0]
               for mode in ("stretch", "crop", "pad")}
    assert (results["stretch"][:, :3] == 127).all() and (results["stretch"][:, 5:] == -128).all()
    assert results["crop"][4, 0] == 127 and results["crop"][4, 7] == -128
    assert (results["pad"][0] == -128).all() and results["pad"][4, 0] == 127


@pytest.mark.parametrize(("pictures", "spec", "error", "text"), [
    (Pictures(color="gray"), PICTURE, InputError, "color gray does not fit the 3 channels"),
    (Pictures(layout="NCHW"), PICTURE, InputError, "takes no pictures in layout NCHW"),
    (Pictures(), VECTOR, InputError, "takes no pictures"),
    (Pictures(std=(0.0,)), PICTURE, UsageError, "--std is 0"),
    (Pictures(mean=(1.0, 2.0)), PICTURE, UsageError, "--mean has 2 values"),
])
def test_pictures_that_do_not_fit(tmp_path, pictures, spec, error, text):
    save_picture(tmp_path / "p.png")
    with pytest.raises(error, match=text):
        pictures.read(tmp_path / "p.png", spec)


def test_damaged_pictures_are_refused(tmp_path):
    path = tmp_path / "p.png"
    save_picture(path, (40, 60, 3))
    raw = path.read_bytes()
    for size in range(0, len(raw) - 40, 97):
        path.write_bytes(raw[:size])
        with pytest.raises(InputError, match=r"p\.png"):
            Pictures().read(path, PICTURE)


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32])
def test_pictures_of_more_than_8_bits_are_refused(tmp_path, kind):
    Image.fromarray(np.full((4, 6), 300, kind)).save(tmp_path / "p.tif")
    with pytest.raises(InputError, match=r"p\.tif: a picture of more than 8 bits a pixel"):
        Pictures().read(tmp_path / "p.tif", GRAY)


def test_arrays(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.array([1, -2, 3, -4, 5], np.int8))
    assert read_array(path, VECTOR).tolist() == [[1, -2, 3, -4, 5]]
    np.save(path, np.array([[0.25, 0.5, -0.25, 100, -100]]))
    assert read_array(path, VECTOR).tolist() == [[-2, -1, -4, 127, -128]]


@pytest.mark.parametrize(("values", "text"), [
    (np.zeros((1, 6), np.int8), r"int8\[1, 6\], accepted for input x is int8\[1, 5\]"),
    (np.zeros((5, 5), np.float32), r"float32\[5, 5\]"),
    (np.zeros((1, 5), np.int16), "type int16; accepted"),
    (np.zeros((1, 5), np.uint8), "type uint8; accepted"),
    (np.zeros((1, 5), bool), "type bool; accepted"),
    (np.full((1, 5), np.nan, np.float32), "NaN or infinity"),
    (np.array([[1, 2, 3, 4, None]], dtype=object), "not a readable .npy"),
])
def test_arrays_that_do_not_fit(tmp_path, values, text):
    np.save(tmp_path / "x.npy", values, allow_pickle=True)
    with pytest.raises(InputError, match=text):
        read_array(tmp_path / "x.npy", VECTOR)


def test_damaged_arrays_are_refused(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((1, 5), np.int8))
    raw = path.read_bytes()
    for size in range(len(raw)):
        path.write_bytes(raw[:size])
        with pytest.raises(InputError, match=r"x\.npy"):
            read_array(path, VECTOR)


def test_mfcc_gives_the_benchmarks_bytes():
    """The bundled rows are the benchmark's inputs; 12 of them have their recording here."""
    network = NETWORKS["dscnn"]
    spec = TensorSpec("input_1", (1, 49, 10, 1), INT8, 0.5847029089927673, 83)
    rows = {sample.name: sample.inputs["input_1"]
            for sample in network.samples(network.sample_count, spec)}
    recordings = sorted((network.model.parents[1] / "samples/dscnn").glob("*.wav"))
    assert len(recordings) == 12
    for path in recordings:
        [(_, arrays)] = read_samples([str(path)], [spec], Pictures(), SoundFrontEnd.MFCC)
        assert (arrays["input_1"] == rows[path.stem]).all(), path.name


def test_mfcc_of_short_silent_and_long_sound():
    silence = mfcc(np.zeros(100, np.int16))
    assert silence.shape == (49, 10) and np.isfinite(silence).all()
    noise = np.random.default_rng(2).integers(-9000, 9000, 20000).astype(np.int16)
    assert (mfcc(noise) == mfcc(noise[:16000])).all()


def test_log_mel_of_a_tone():
    tone = (12000 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)).astype(np.int16)
    spectrum = log_mel(tone)
    assert spectrum.shape == (32, 128)
    # 1 kHz is mel 15 of 45.2 (Slaney), the bands' middles are 45.2 / 129 apart
    assert abs(int(spectrum[16].argmax()) - round(15 / (45.245 / 129) - 1)) <= 1
    assert spectrum[16].max() - np.median(spectrum[16]) > 40
    assert (log_mel_window(tone) == spectrum[13:18].reshape(-1)).all()
    with pytest.raises(InputError, match="give 3 frames"):
        log_mel_window(tone[:1024])


def write_wav(path, rate=16000, channels=1, width=2, samples=100):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(bytes(samples * channels * width))


@pytest.mark.parametrize(("kind", "text"), [
    ({"rate": 44100}, "44100 Hz, 1 channels, 16 bits; accepted"),
    ({"channels": 2}, "16000 Hz, 2 channels"), ({"width": 1}, "8 bits"),
    ({"samples": 0}, "no samples"),
])
def test_recordings_of_another_kind(tmp_path, kind, text):
    write_wav(tmp_path / "a.wav", **kind)
    with pytest.raises(InputError, match=text):
        read_wav(tmp_path / "a.wav")


def test_no_recording(tmp_path):
    (tmp_path / "a.wav").write_text("hello")
    with pytest.raises(InputError, match="not a readable wave file"):
        read_wav(tmp_path / "a.wav")


def test_several_samples_and_inputs(tmp_path):
    for index in range(4):
        np.save(tmp_path / f"{index}.npy", np.full(5, index, np.int8))
    names = [str(tmp_path / f"{index}.npy") for index in range(4)]
    samples = read_samples(names, [VECTOR], Pictures())
    assert [name for name, _ in samples] == ["0.npy", "1.npy", "2.npy", "3.npy"]
    assert [int(arrays["x"][0, 0]) for _, arrays in samples] == [0, 1, 2, 3]
    other = TensorSpec("y", (5,), INT8, 1.0, 0)
    arguments = [f"y={names[1]}", f"x={names[0]}", f"x={names[2]}", f"y={names[3]}"]
    pairs = read_samples(arguments, [VECTOR, other], Pictures())
    assert [(int(arrays["x"][0, 0]), int(arrays["y"][0])) for _, arrays in pairs] == [
        (0, 1), (2, 3)]
    assert len(read_samples([f"x={names[0]}"], [VECTOR], Pictures())) == 1


@pytest.mark.parametrize(("arguments", "text"), [
    (["x=0.npy"], "every input needs as many files; given are x: 1, y: 0"),
    (["0.npy"], "names no input; accepted is name=FILE with name one of x, y"),
    (["z=0.npy"], "names no input"),
    (["x=none.npy", "y=0.npy"], "no such file"),
    (["x=.", "y=0.npy"], "a folder"),
    (["x=0.wav", "y=0.npy"], "no sound front end"),
])
def test_arguments_that_are_refused(tmp_path, monkeypatch, arguments, text):
    monkeypatch.chdir(tmp_path)
    np.save("0.npy", np.zeros(5, np.int8))
    write_wav("0.wav")
    specs = [VECTOR, TensorSpec("y", (5,), INT8, 1.0, 0)]
    with pytest.raises(InputError, match=text):
        read_samples(arguments, specs, Pictures())


def test_sound_network_takes_no_picture(tmp_path):
    save_picture(tmp_path / "p.png")
    with pytest.raises(InputError, match="not a recording"):
        read_samples([str(tmp_path / "p.png")], [PICTURE], Pictures(), SoundFrontEnd.MFCC)
