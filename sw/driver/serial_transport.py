"""A board on a serial port, or on anything else that pyserial has a URL for."""

import errno
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

import serial

from golden.spec.config import Config
from golden.spec.link import Response
from sw.driver.link import ATTEMPTS, PATIENCE, Job
from sw.driver.link_transport import LinkTransport
from sw.errors import BoardError, LinkError

__all__ = ["BAUD", "SerialTransport"]

BAUD = 3_000_000
WRITE_SECONDS = 10.0  # beyond the patience; a line that takes nothing for so long is dead
_REASONS = {
    errno.ENOENT: "there is no such port",
    errno.ENODEV: "there is no such port",
    errno.ENXIO: "there is no such port",
    errno.EACCES: "no permission; on Debian: adduser USER dialout, then log in again",
    errno.EBUSY: "another program uses it",
    errno.EAGAIN: "another program uses it",
    errno.ENOTTY: "that is no serial port",
}
_BY_NETWORK = ("socket", "rfc2217")  # pyserial's URLs that name a host and its port


class SerialTransport(LinkTransport):
    """The chip on a board.

    Parameters
    ----------
    url : str
        What `serial.serial_for_url` takes: ``/dev/ttyUSB0``, ``COM3``, ``socket://host:port``.
    baud : int
        Rate of the line, as the bitstream has it.
    config : Config, optional
        The chip that must be on the board.
    progress : callable, optional
        Told in words how far a long transfer is, and its rate.
    patience, attempts
        As of `HostLink`; a simulated board needs more patience.

    Raises
    ------
    LinkError
        If the port is absent or in use, or nothing answers.
    BoardError
        If what answers is not Sentei, or of another version or configuration.
    """

    def __init__(self, url: str, *, baud: int = BAUD, config: Config | None = None,
                 progress: Callable[[str], None] | None = None, patience: float = PATIENCE,
                 attempts: int = ATTEMPTS) -> None:
        self.url = url
        port = _Port(url, baud, WRITE_SECONDS + patience)
        try:
            super().__init__(port, config=config, progress=progress, patience=patience,
                             attempts=attempts)
        except (LinkError, BoardError) as error:
            raise self._named(error) from None

    def _guarded(self, jobs: Iterable[Job]) -> Iterator[Response]:
        try:
            yield from super()._guarded(jobs)
        except (LinkError, BoardError) as error:
            raise self._named(error) from None

    def _named(self, error: LinkError | BoardError) -> LinkError | BoardError:
        return type(error)(f"port {self.url}: {error}")


class _Port:
    """pyserial's port as a `ByteStream`, locked while it is open."""

    def __init__(self, url: str, baud: int, write_seconds: float) -> None:
        # TCP has no lock to take, and pyserial's URL handlers know no such option.
        options = {} if "://" in url else {"exclusive": True}
        _check_address(url)
        try:
            self._serial: Any = serial.serial_for_url(url, baudrate=baud, timeout=0,
                                                      write_timeout=write_seconds, **options)
        except LookupError as error:  # pyserial's, of options in a URL
            raise LinkError(f"port {url}: unknown option or value: accepted is {error}") from None
        except (serial.SerialException, OSError, ValueError, OverflowError) as error:
            raise LinkError(f"port {url}: {_reason(error)}") from None

    def read(self, limit: int, timeout: float) -> bytes:
        """As of `ByteStream`."""
        try:
            data = self._serial.read(limit)
            if data or timeout <= 0:
                return data
            self._serial.timeout = timeout
            try:
                first = self._serial.read(1)
            finally:
                self._serial.timeout = 0
            return first + self._serial.read(limit - 1) if first else b""
        except (serial.SerialException, OSError, TypeError) as error:
            raise self._lost(error) from None

    def write(self, data: bytes) -> None:
        """As of `ByteStream`."""
        try:
            self._serial.write(data)
        except (serial.SerialException, OSError, TypeError) as error:
            raise self._lost(error) from None

    def close(self) -> None:
        """Give the port back."""
        try:
            self._serial.close()
        except OSError:
            pass  # it is gone already

    @staticmethod
    def _lost(error: Exception) -> LinkError:
        return LinkError(f"the line to the board was lost: {error}")


def _check_address(url: str) -> None:
    scheme = url.partition("://")[0]
    if scheme not in _BY_NETWORK:
        return
    try:
        address = urlsplit(url)
        complete = bool(address.hostname and address.port)
    except ValueError:
        complete = False
    if not complete:
        raise LinkError(f"port {url}: accepted is {scheme}://HOST:PORT")


def _reason(error: Exception) -> str:
    # What pyserial puts in words of its own has the number in what it was about.
    cause = error.__context__
    number = getattr(error, "errno", None) or (cause.args[0] if cause and cause.args else 0)
    return _REASONS.get(number) or str(error)
