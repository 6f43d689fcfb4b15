"""A robot's visual front end on the DRP while a network runs on the AI-MAC.

Two frames of a moving camera: FAST-9 corners with non-maximum suppression, smoothing, BRIEF
descriptors of the strongest corners, Hamming matches, all on the tile fabric; in the same program
as the second frame's corners, an inference on the array. From the matches OpenCV tells how the
camera moved, and the same from its own features (ORB), for comparison. Needs the extra [vision]
(pip install -e .[vision]).

engines:
  numpy      what the kernels mean: results in seconds, no cycles
  simulator  the tile alone, step by step (Python: minutes), no network
  machine    programs of the whole chip, with the timing model (as slow)
  rtl        the same on the generated Verilog; the default

examples:
  python examples/robot_frontend.py -o matches.jpg              the desk that comes with it
  python examples/robot_frontend.py --engine numpy -o matches.jpg
  python examples/robot_frontend.py --network dscnn --json
  python examples/robot_frontend.py mine_1.png mine_2.png --camera 615,615,320,240
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from golden.graph import Graph
from golden.spec.config import PRESETS, Config, preset
from sw.compiler import compile_graph
from sw.driver.device import RunResult
from sw.drp.cache import default_cache
from sw.drp.library import LIBRARY
from sw.drp.library.pipelines import describe, fast9, match
from sw.drp.pipeline import Reference, Simulated
from sw.drp.recorder import Recorder
from sw.errors import SenteiError, ToolError, UsageError
from sw.inputs import Pictures
from sw.report.answers import Reader
from sw.session import Model, open_model
from sw.session.engines import open_engine, open_transport
from sw.zoo import NETWORKS

try:
    import cv2
except ImportError:  # told by main
    cv2 = None

HERE = Path(__file__).parent / "robot"
CAMERA = (520.9, 521.0, 325.1, 249.7)  # of the desk's pictures: focal lengths, centre
DEPTH_UNITS = 5000  # a metre
WORDS = 8  # of 32 tests in a descriptor
REACH = 15  # pixels from a corner that they lie within
CELL = 40  # pixels: corners are taken from such squares in turn
FARTHEST = 64  # bits that a match may differ in, of 256
RATIO = 0.8  # of the nearest distance to the second nearest
FEWEST = 6  # matches that fit: five give an essential matrix, whatever they are


@dataclass(frozen=True)
class Frame:
    """What the front end finds: (row, column) of corners, their descriptors."""

    points: np.ndarray
    descriptors: np.ndarray


@dataclass
class Step:
    """Kernels that follow one another, and their cycles."""

    name: str
    cycles: int | None = None
    kernels: list[tuple[str, int]] = field(default_factory=list)


def pattern() -> np.ndarray:
    """Tests of a descriptor: pairs of places around a corner, normally distributed; int8
    (words, 32, 4)."""
    places = np.random.default_rng(7).normal(0, REACH / 3, (WORDS, 32, 4))
    return np.clip(np.rint(places), -REACH, REACH).astype(np.int8)


def chosen(scores: np.ndarray, most: int) -> np.ndarray:
    """The strongest corners, best of every square first; int16 (n, 2) in order of their rows."""
    inside = np.zeros_like(scores)
    inside[REACH:-REACH, REACH:-REACH] = scores[REACH:-REACH, REACH:-REACH]
    y, x = np.nonzero(inside)
    order = np.argsort(-inside[y, x].astype(int), kind="stable")
    y, x = y[order], x[order]
    rank = np.zeros(len(y), int)  # within its square
    squares = y // CELL * scores.shape[1] + x // CELL
    for square in np.unique(squares):
        mine = np.flatnonzero(squares == square)
        rank[mine] = np.arange(len(mine))
    best = np.argsort(rank, kind="stable")[:most]
    points = np.stack([y[best], x[best]], 1).astype(np.int16)
    return points[np.lexsort((points[:, 1], points[:, 0]))]


def corners(engine: Any, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(FAST-9 scores, smoothed picture for the descriptors)."""
    return fast9.run(engine, picture), engine(LIBRARY["gaussian3"], picture)


class Numpy:
    """What the kernels mean."""

    def __init__(self, engine: Any | None = None) -> None:
        self._engine = engine or Reference()

    def step(self, name: str, work: Callable[..., Any], *arrays: np.ndarray,
             network: "Network | None" = None) -> tuple[Any, Step]:
        """Do some work (engine, arrays) with kernels."""
        return work(self._engine, *arrays), Step(name)


class Simulator(Numpy):
    """The tile alone."""

    def __init__(self, config: Config) -> None:
        assert config.fabric
        super().__init__(Simulated(config.fabric, default_cache()))

    def step(self, name: str, work: Callable[..., Any], *arrays: np.ndarray,
             network: "Network | None" = None) -> tuple[Any, Step]:
        """Do some work (engine, arrays) with kernels."""
        before = len(self._engine.calls)
        found = work(self._engine, *arrays)
        calls = self._engine.calls[before:]
        return found, Step(name, sum(cycles for _, cycles in calls), calls)


@dataclass
class Network:
    """What runs on the array: a zoo network, its input, and the bytes it must give."""

    model: Model
    inputs: dict[str, np.ndarray]
    answer: bytes = b""
    cycles: int = 0
    text: str = ""


class Chip:
    """Programs of the whole chip."""

    def __init__(self, name: str, config: Config) -> None:
        self._name, self._config = name, config
        self._transport = open_transport(name, config, progress=tell)

    def run(self, graph: Graph, inputs: Mapping[str, np.ndarray],
            kernels: Recorder | None = None) -> RunResult:
        """A network, kernels, or both in one program."""
        program = compile_graph(graph, self._config, kernels=kernels)
        engine = open_engine(self._name, self._config, program, transport=self._transport)
        given = kernels.inputs if kernels else {}
        result = engine.run({**inputs, **given})
        for name, wanted in (kernels.outputs if kernels else {}).items():
            if result.outputs[name].tobytes() != wanted.tobytes():
                raise ToolError(f"{name} on {self._name} isn't what the kernel means")
        return result

    def alone(self, network: Network) -> None:
        """The network without kernels beside it."""
        assert network.model.graph
        result = self.run(network.model.graph, network.inputs)
        (output,) = network.model.outputs
        network.answer = result.outputs[output.name].tobytes()
        network.cycles = result.cycles
        network.text = Reader(network.model.inputs, network.model.outputs,
                              network.model.network).read(network.inputs, result.outputs).text

    def step(self, name: str, work: Callable[..., Any], *arrays: np.ndarray,
             network: Network | None = None) -> tuple[Any, Step]:
        """Do some work (engine, arrays) with kernels, in one program with a network if there is
        one."""
        assert self._config.fabric
        recorder = Recorder(self._config.fabric, default_cache())
        found = work(recorder, *arrays)
        graph = network.model.graph if network else Graph("kernels")
        assert graph
        result = self.run(graph, network.inputs if network else {}, recorder)
        if network:
            (output,) = network.model.outputs
            if result.outputs[output.name].tobytes() != network.answer:
                raise ToolError(f"{network.model.name} beside kernels isn't itself")
            return found, Step(name, result.cycles)
        kernels = [(call.compiled.kernel.name, record.delta["cycles"]) for call, record in
                   zip(recorder.recorded, result.log, strict=True)]
        return found, Step(name, result.cycles, kernels)


def summed(steps: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Kernels that ran several times as one."""
    found: dict[str, int] = {}
    for name, cycles in steps:
        found[name] = found.get(name, 0) + cycles
    return list(found.items())


def front_end(runner: Any, pictures: list[np.ndarray], points: int, network: Network | None,
              ) -> tuple[list[Frame], np.ndarray, list[Step], Step | None]:
    """Both frames and their matches; the second one's steps, and its corners beside the network.

    Returns
    -------
    frames, matches int32(n, 3), steps, together
    """
    tests, frames, steps, together = pattern(), [], [], None
    for number, picture in enumerate(pictures):
        beside = network if number else None
        (scores, smooth), step = runner.step("corners", corners, picture, network=beside)
        together = step if beside else together
        steps += [] if number and beside else [step]
        at = chosen(scores, points)
        if len(at) < 8:
            raise UsageError(f"picture {number + 1}: {len(at)} corners; a pose needs 8 matches")
        descriptors, step = runner.step("describe", describe.run, smooth, at, tests)
        steps.append(step)
        frames.append(Frame(at, descriptors))
    found, step = runner.step("match", match.run, *(frame.descriptors for frame in frames))
    # Of each kind the last: of the second frame, its corners those of the first without network.
    kinds = {item.name: item for item in [*steps, step]}
    return frames, found, list(kinds.values()), together


@dataclass(frozen=True)
class Pose:
    """How the camera moved from the first frame to the second.

    Parameters
    ----------
    features : str
        Whose.
    matches, inliers : int
    angle : float
        Of the rotation, degrees.
    rotation, translation : tuple of float
        Rotation vector; translation in metres with depth, else its direction.
    """

    features: str
    matches: int
    inliers: int
    angle: float
    rotation: tuple[float, ...]
    translation: tuple[float, ...]


def pose(features: str, first: np.ndarray, second: np.ndarray, camera: np.ndarray,
         depth: np.ndarray | None) -> tuple[Pose, np.ndarray]:
    """From matched (x, y) of both frames; and which of them fit. With the first frame's depth by
    PnP, else by the essential matrix."""
    cv2.setRNGSeed(1)
    if depth is not None:
        column, row = np.rint(first).astype(int).T
        z = depth[row, column] / DEPTH_UNITS
        known = np.flatnonzero(z > 0)
        rays = (first - camera[:2, 2]) / camera[[0, 1], [0, 1]]
        places = np.concatenate([rays * z[:, None], z[:, None]], 1)[known]
        if len(known) < 6:
            raise UsageError(f"{features}: {len(known)} matches with depth; accepted are 6 or more")
        _, turned, moved, inside = cv2.solvePnPRansac(
            places, second[known], camera, None, reprojectionError=2.0, iterationsCount=500)
        fits = known[inside[:, 0]] if inside is not None else known[:0]
    else:
        essential, mask = cv2.findEssentialMat(first, second, camera, cv2.RANSAC, 0.999, 1.0)
        if essential is None or essential.shape != (3, 3):
            raise UsageError(f"{features}: {len(first)} matches give no pose")
        _, matrix, moved, mask = cv2.recoverPose(essential, first, second, camera, mask=mask)
        turned, fits = cv2.Rodrigues(matrix)[0], np.flatnonzero(mask)
    if len(fits) < FEWEST:
        raise UsageError(f"{features}: the frames give no pose, {len(fits)} of {len(first)} "
                         "matches fit one; accepted are frames of one scene from two places")
    return Pose(features, len(first), len(fits), float(np.degrees(np.linalg.norm(turned))),
                tuple(turned.ravel().tolist()), tuple(moved.ravel().tolist())), fits


def orb(pictures: list[np.ndarray], points: int) -> tuple[np.ndarray, np.ndarray]:
    """Matched (x, y) of OpenCV's own features, by the same ratio."""
    detector = cv2.ORB_create(points)
    (first, a), (second, b) = (detector.detectAndCompute(picture, None) for picture in pictures)
    pairs = [pair[0] for pair in cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(a, b, 2)
             if len(pair) == 2 and pair[0].distance < RATIO * pair[1].distance]
    return (np.float64([first[pair.queryIdx].pt for pair in pairs]),
            np.float64([second[pair.trainIdx].pt for pair in pairs]))


def draw(path: Path, pictures: list[np.ndarray], frames: list[Frame], first: np.ndarray,
         second: np.ndarray, fits: np.ndarray) -> None:
    """Both frames side by side: corners, and the matches that fit the pose."""
    width = pictures[0].shape[1]
    image = cv2.cvtColor(np.concatenate(pictures, axis=1), cv2.COLOR_GRAY2BGR)
    for number, frame in enumerate(frames):
        for row, column in frame.points.tolist():
            cv2.circle(image, (column + number * width, row), 2, (0, 190, 255), 1, cv2.LINE_AA)
    hues = np.linspace(0, 179, len(fits), endpoint=False).astype(np.uint8)
    colors = cv2.cvtColor(np.stack([hues, np.full_like(hues, 200), np.full_like(hues, 255)], -1)
                          [None], cv2.COLOR_HSV2BGR)[0] if len(fits) else []
    for match_, color in zip(fits, colors, strict=True):
        a, b = np.rint(first[match_]).astype(int), np.rint(second[match_]).astype(int)
        cv2.line(image, a.tolist(), (b + (width, 0)).tolist(), color.tolist(), 1, cv2.LINE_AA)
        for at in (a, b + (width, 0)):
            cv2.circle(image, at.tolist(), 3, color.tolist(), -1, cv2.LINE_AA)
    small = [cv2.IMWRITE_JPEG_QUALITY, 85] if path.suffix in (".jpg", ".jpeg") else []
    try:
        written = cv2.imwrite(str(path), image, small)
    except cv2.error:  # an ending it doesn't know
        written = False
    if not written:
        raise UsageError(f"-o {path}: can't be written; accepted are .png and .jpg in a folder "
                         "that is there")


def tell(text: str) -> None:
    """Say what takes long."""
    print(f"  {text} …", file=sys.stderr, flush=True)


def read(path: Path, flags: int) -> np.ndarray:
    """A picture in OpenCV's way."""
    found = cv2.imread(str(path), flags)
    if found is None:
        raise UsageError(f"{path}: no picture that can be read")
    if flags == cv2.IMREAD_GRAYSCALE:
        Pictures().open(path)  # refuses damaged ones, which OpenCV fills up
    return found


def numbers(text: str) -> tuple[float, ...]:
    """Four of them, by commas."""
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if len(found) != 4:
        raise argparse.ArgumentTypeError(f"{text}, accepted is FX,FY,CX,CY in pixels")
    return found


def arguments_of(given: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="*", type=Path, metavar="PICTURE",
                        help="two of one size, rows a multiple of 4 (default: the desk's)")
    parser.add_argument("--camera", type=numbers, metavar="FX,FY,CX,CY",
                        help="focal lengths and centre in pixels (default: the desk's)")
    parser.add_argument("--depth", type=Path, metavar="FILE", help="16-bit depth of the first "
                        f"picture, {DEPTH_UNITS} a metre (default: the desk's; own pictures "
                        "without it get a direction, no distance)")
    parser.add_argument("--engine", choices=("numpy", "simulator", "machine", "rtl"),
                        default="rtl")
    parser.add_argument("--preset", choices=tuple(PRESETS), default="base",
                        help="a chip with a DRP (default: base)")
    parser.add_argument("--network", choices=tuple(NETWORKS), default="vww",
                        help="runs on the array beside the second frame's corners: vww looks for "
                        "a person in that frame, the others take their first sample (default: vww)")
    parser.add_argument("--points", type=int, default=300, help="corners a frame (default: 300)")
    parser.add_argument("--shrink", type=int, default=1, metavar="N",
                        help="average N x N pixels first, for slow engines (default: 1)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE",
                        help="picture of the matches (.png or .jpg)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args(given)


def inputs(arguments: argparse.Namespace) -> tuple[list[np.ndarray], np.ndarray,
                                                   np.ndarray | None]:
    """(two gray pictures, camera matrix, depth)."""
    own, by = bool(arguments.pictures), arguments.shrink
    files = arguments.pictures or [HERE / "desk_1.png", HERE / "desk_2.png"]
    if len(files) != 2:
        raise UsageError(f"{len(files)} pictures; accepted are two")
    if own and not arguments.camera:
        raise UsageError("own pictures need --camera FX,FY,CX,CY")
    pictures = [read(path, cv2.IMREAD_GRAYSCALE) for path in files]
    depth_file = arguments.depth or (None if own else HERE / "desk_1_depth.png")
    depth = read(depth_file, cv2.IMREAD_UNCHANGED) if depth_file else None
    given = [*zip(files, pictures, strict=True)]
    given += [(depth_file, depth)] if depth_file and depth is not None else []
    for path, picture in given:
        if picture.shape != pictures[0].shape:
            raise UsageError(f"{path} is {picture.shape[::-1]}, {files[0]} "
                             f"{pictures[0].shape[::-1]}; accepted is one size")
    height, width = pictures[0].shape
    if not 1 <= by <= min(height, width) // 64 or not 8 <= arguments.points <= 4096:
        raise UsageError("--shrink or --points is out of range; accepted are sizes of 64 pixels "
                         "and more, 8 to 4096 points")
    size = (width // by, height // by // 4 * 4)  # four bands
    whole = (slice(0, size[1] * by), slice(0, size[0] * by))
    pictures = [cv2.resize(picture[whole], size, interpolation=cv2.INTER_AREA)
                for picture in pictures]
    if depth is not None:
        depth = depth[whole][by // 2::by, by // 2::by]
    fx, fy, cx, cy = arguments.camera or CAMERA
    shift = (by - 1) / 2  # of pixels' centres
    camera = np.array([[fx / by, 0, (cx - shift) / by], [0, fy / by, (cy - shift) / by], [0, 0, 1]])
    return pictures, camera, depth


def network_of(arguments: argparse.Namespace) -> Network:
    """The network, and what it is to look at."""
    model = open_model(arguments.network)
    spec = model.inputs[0]
    if arguments.network == "vww":
        path = (arguments.pictures or [HERE / "desk_1.png", HERE / "desk_2.png"])[1]
        return Network(model, {spec.name: Pictures().read(path, spec)})
    assert model.network
    (sample,) = model.network.samples(1, spec)
    return Network(model, sample.inputs)


def show(report: dict[str, Any]) -> None:
    """For people."""
    print(f"{report['size'][0]} x {report['size'][1]}, {report['points'][0]} and "
          f"{report['points'][1]} corners, {report['matches']} matches, "
          f"{report['inliers']} fit the pose")
    if report["steps"][0]["cycles"] is not None:
        print(f"\ncycles, {report['engine']}" + ("" if report["network"] else " (the tile alone)"))
    for step in report["steps"]:
        if step["cycles"] is not None:
            print(f"  {step['name']:<34}{step['cycles']:>11,}")
            for name, cycles in step["kernels"]:
                print(f"    {name:<32}{cycles:>11,}")
    if network := report["network"]:
        print(f"  {network['name'] + ' alone: ' + network['answer']:<34}{network['cycles']:>11,}")
        print(f"  {'corners beside ' + network['name']:<34}{network['together']:>11,}"
              f"   {network['gain']:.2f}x less than one after the other")
    print("\npose" + " " * 9 + "matches  fit   angle   rotation vector, degrees     translation"
          + (", m" if report["depth"] else " (direction)"))
    for item in report["poses"]:
        turned, moved = np.degrees(item["rotation"]), item["translation"]
        print(f"  {item['features']:<11}{item['matches']:>7}{item['inliers']:>5}"
              f"{item['angle']:>7.2f}°  " + "".join(f"{part:>8.2f}" for part in turned) + "   "
              + "".join(f"{part:>8.3f}" for part in moved))
    between = report["between"]
    print(f"  between them {between['degrees']:.2f}°, "
          + (f"{100 * between['distance']:.1f} cm" if report["depth"]
             else f"{between['distance']:.3f} of the direction's length"))


def main(given: list[str] | None = None) -> int:
    """Run, compare, print."""
    arguments = arguments_of(given)
    if cv2 is None:
        raise ToolError("this example needs OpenCV: pip install -e .[vision]")
    started = time.perf_counter()
    pictures, camera, depth = inputs(arguments)
    config = preset(arguments.preset)
    if config.fabric is None:
        raise UsageError(f"--preset {arguments.preset} has no DRP")
    network: Network | None = None
    runner: Any = Numpy()
    if arguments.engine == "simulator":
        runner = Simulator(config)
    elif arguments.engine != "numpy":
        runner, network = Chip(arguments.engine, config), network_of(arguments)
        runner.alone(network)
    frames, matched, steps, together = front_end(runner, pictures, arguments.points, network)
    place, nearest, second = matched.T
    good = np.flatnonzero((nearest <= FARTHEST) & (nearest < RATIO * second))
    at = [frames[0].points[good, ::-1].astype(float),
          frames[1].points[place[good], ::-1].astype(float)]
    if len(good) < 8:
        raise UsageError(f"{len(good)} matches; a pose needs 8")
    ours, fits = pose("Sentei", *at, camera, depth)
    theirs, _ = pose("OpenCV ORB", *orb(pictures, arguments.points), camera, depth)
    turn = cv2.Rodrigues(np.array(ours.rotation))[0].T @ cv2.Rodrigues(
        np.array(theirs.rotation))[0]
    if arguments.output:
        draw(arguments.output, pictures, frames, *at, fits)
    report: dict[str, Any] = {
        "engine": arguments.engine, "preset": config.name, "size": pictures[0].shape[::-1],
        "points": [len(frame.points) for frame in frames], "matches": len(good),
        "inliers": len(fits), "depth": depth is not None,
        "steps": [{**asdict(step), "kernels": summed(step.kernels)} for step in steps],
        "network": None, "poses": [asdict(ours), asdict(theirs)],
        "between": {"degrees": float(np.degrees(np.linalg.norm(cv2.Rodrigues(turn)[0]))),
                    "distance": float(np.linalg.norm(np.subtract(ours.translation,
                                                                 theirs.translation)))},
        "picture": str(arguments.output) if arguments.output else None,
        "seconds": round(time.perf_counter() - started, 1)}
    if network and together and together.cycles:
        apart = next(step.cycles for step in steps if step.name == "corners") or 0
        report["network"] = {"name": arguments.network, "answer": network.text,
                             "cycles": network.cycles, "together": together.cycles,
                             "gain": (apart + network.cycles) / together.cycles}
    if arguments.json:
        print(json.dumps(report, indent=1))
    else:
        show(report)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SenteiError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
