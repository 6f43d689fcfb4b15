"""The simulated board on a TCP port or a pseudo-terminal, for programs in real time."""

import contextlib
import os
import pty
import select
import socket
import threading
import tty

__all__ = ["BoardServer"]

STEP_CYCLES = 5000
QUIET_CYCLES = 100_000  # without anything moving; then time passes in steps with pauses between
PAUSE = 0.01  # seconds
CHUNK = 1 << 16


class BoardServer:
    """Serves one program at a time until closed; a context.

    Simulated time passes while there is something on the line or the chip moves data, and slowly
    otherwise, so that a program that thinks doesn't cost a processor.

    Parameters
    ----------
    board : SimulatedBoard
    terminal : bool
        A pseudo-terminal instead of a TCP port.
    port : int
        TCP port; 0 takes a free one.

    Members
    -------
    url : str
        What `SerialTransport` takes.
    cut_after : int or None
        Bytes from the program after which its connection is cut, once.
    """

    def __init__(self, board, *, terminal=False, port=0):
        self.board, self.cut_after = board, None
        self._stop = threading.Event()
        self._error = None
        self._open = contextlib.ExitStack()
        if terminal:
            master, slave = pty.openpty()  # kept open: its other users come and go
            tty.setraw(slave)
            for descriptor in (master, slave):
                self._open.callback(os.close, descriptor)
            self.url, serve = os.ttyname(slave), lambda: self._serve(master)
        else:
            listener = self._open.enter_context(socket.create_server(("127.0.0.1", port)))
            listener.settimeout(PAUSE)
            self.url, serve = (f"socket://127.0.0.1:{listener.getsockname()[1]}",
                               lambda: self._accept(listener))
        self._thread = threading.Thread(target=self._guarded, args=(serve,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self._open.close()
        if self._error:
            raise self._error

    def wait(self):
        """Until the server ends, which it does not by itself."""
        self._thread.join()

    def _guarded(self, serve):
        try:
            serve()
        except Exception as error:  # told by __exit__: it would be lost in this thread
            self._error = error

    def _accept(self, listener):
        while not self._stop.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            with connection, contextlib.suppress(ConnectionError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._serve(connection.fileno())

    def _serve(self, descriptor):
        while not self._stop.is_set():
            quiet = self.board.idle > QUIET_CYCLES
            if select.select([descriptor], [], [], PAUSE if quiet else 0)[0]:
                data = os.read(descriptor, CHUNK)
                if not data:
                    return
                if self.cut_after is not None:
                    data, self.cut_after = data[:self.cut_after], self.cut_after - len(data)
                self.board.write(data)
                if self.cut_after is not None and self.cut_after <= 0:
                    self.cut_after = None
                    return
            self.board.run(STEP_CYCLES)
            answer = self.board.take(CHUNK)
            while answer:
                answer = answer[os.write(descriptor, answer):]
