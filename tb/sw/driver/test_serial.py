"""The serial transport on a pseudo-terminal and on a socket, a modelled board at the other end."""

import contextlib
import dataclasses
import fcntl
import os
import pty
import random
import select
import socket
import threading
import tty

import numpy as np
import pytest

from golden import executor
from golden.spec.config import preset
from golden.spec.link import Hello
from sw.compiler import compile_graph
from sw.driver.device import Device
from sw.driver.serial_transport import SerialTransport
from sw.engines.machine import MachineTransport
from sw.errors import BoardError, LinkError
from tb.lib.link_model import Board, LinkModel, TransportBoard
from tb.lib.random_graphs import RandomGraph
from tb.sw.driver.lines import Spoiler, frames

TINY = preset("tiny")
MEMORY = 1 << 20
HELLO = Hello(digest=TINY.digest(), clock_hz=100_000_000, baud=3_000_000, memory_bytes=MEMORY,
              beat_bytes=TINY.group)


class BoardThread(threading.Thread):
    """A board that serves a file descriptor until told to stop, or for so many ``answers``."""

    def __init__(self, descriptor, *, spoil=None, answers=None, model=None):
        super().__init__(daemon=True)
        self.descriptor, self.answers = descriptor, answers
        self.spoil = spoil or (lambda way, one: one)
        self.stop = threading.Event()
        self.pulled = False  # the descriptor has been closed
        transport = MachineTransport(TINY, memory_bytes=MEMORY)
        self.model = model or LinkModel(HELLO, TransportBoard(transport, TINY.group))

    def run(self):
        with contextlib.suppress(OSError):
            while not self.stop.is_set():
                if not select.select([self.descriptor], [], [], 0.05)[0]:
                    continue
                data = os.read(self.descriptor, 1 << 16)
                if not data:
                    return
                for one in frames(self.model.feed(data)):
                    if self.answers is not None:
                        self.answers -= 1
                        if self.answers < 0:
                            return
                    raw = self.spoil("from", one)
                    while raw:
                        raw = raw[os.write(self.descriptor, raw):]


@contextlib.contextmanager
def terminal(**board):
    """Path of a pseudo-terminal with a board on it."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    thread = BoardThread(master, **board)
    thread.start()
    try:
        yield os.ttyname(slave), thread, master
    finally:
        thread.stop.set()
        thread.join(5)
        if not thread.pulled:
            os.close(master)
        os.close(slave)


def run_network(transport, seed):
    graph, inputs = drawn(seed)
    program = compile_graph(graph, TINY)
    device = Device(transport)
    device.load(program)
    outputs = device.run(inputs).outputs
    want = executor.run(graph, inputs)
    assert outputs.keys() == want.keys()
    for name, array in want.items():
        assert np.array_equal(outputs[name], array), f"seed {seed}, {name}"


def drawn(seed):
    draw = RandomGraph(seed, "conv", TINY.lanes, pixels=12, channels=8)
    return draw.graph, draw.inputs


def test_a_network_runs_over_a_terminal():
    with terminal() as (path, _, _):
        chip = SerialTransport(path, config=TINY, patience=2)
        run_network(chip, 3)
        chip.close()
        again = SerialTransport(path)  # nothing is left locked
        again.close()


def test_a_network_runs_over_a_socket_that_spoils_answers():
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = server.accept()
        with connection:
            BoardThread(connection.fileno(), spoil=Spoiler(random.Random(4), 0.03)).run()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with server:
        chip = SerialTransport(f"socket://127.0.0.1:{server.getsockname()[1]}", attempts=8)
        run_network(chip, 3)
        data = random.Random(5).randbytes(200_000)
        chip.write(100_000, data)
        assert chip.read(100_000, len(data)) == data
        assert chip.link.repeated
        chip.close()
        thread.join(5)


def test_a_port_that_is_not_there():
    for url in ("/dev/there_is_none", "nonsense://x"):
        with pytest.raises(LinkError, match=f"port {url}: ") as caught:
            SerialTransport(url)
    assert caught.value.exit_code == 10
    with pytest.raises(LinkError, match="there is no such port"):
        SerialTransport("/dev/there_is_none")
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
    with pytest.raises(LinkError, match="refused"):
        SerialTransport(f"socket://127.0.0.1:{number}")


@pytest.mark.parametrize(("url", "told"), [
    ("socket://lab", "accepted is socket://HOST:PORT"),
    ("socket://lab:x", "accepted is socket://HOST:PORT"),
    ("rfc2217://lab:99999", "accepted is rfc2217://HOST:PORT"),
    ("loop://?x=1", "unknown option or value: accepted is"),
    (__file__, "that is no serial port"),
])
def test_what_is_no_port(url, told):
    with pytest.raises(LinkError) as caught:
        SerialTransport(url)
    assert str(caught.value).startswith(f"port {url}: {told}")


def test_a_port_in_use():
    with terminal() as (path, _, _):
        chip = SerialTransport(path)
        with pytest.raises(LinkError, match="another program uses it"):
            SerialTransport(path)
        assert chip.read32(0) == HELLO.magic  # the first user is not disturbed
        chip.close()
        SerialTransport(path).close()


def test_a_silent_and_a_wrong_board_leave_the_port_free():
    with terminal(answers=0) as (path, _, _):
        with pytest.raises(LinkError, match=f"port {path}: nothing answers"):
            SerialTransport(path, patience=0.02)
        assert free(path)
    model = LinkModel(dataclasses.replace(HELLO, protocol=2), Board(TINY.group, b""))
    with terminal(model=model) as (path, _, _):
        with pytest.raises(BoardError, match=f"port {path}: .*protocol 2"):
            SerialTransport(path)
        assert free(path)


def free(path):
    """Whether nobody holds the lock of a port."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def test_a_cable_pulled_in_mid_transfer():
    with terminal(answers=20) as (path, thread, master):
        chip = SerialTransport(path)

        def pull():
            thread.join()
            thread.pulled = True
            os.close(master)

        puller = threading.Thread(target=pull)
        puller.start()
        with pytest.raises(LinkError, match=r"line to the board was lost: .*after \d+ of 300000"):
            chip.write(0, bytes(300_000))
        puller.join(5)
        with pytest.raises(LinkError, match="has been closed"):
            chip.read32(0)
