"""A board behind the host link, in plain Python: what hw.link must do, and what drivers talk to."""

from golden.spec.link import (
    PAYLOAD_BYTES,
    WINDOW,
    Deframer,
    Flags,
    Hello,
    Opcode,
    Request,
    Response,
    Status,
    frame,
)

__all__ = ["Board", "LinkModel", "TransportBoard"]

REGISTER_BYTES = 1 << 12


class Board:
    """Registers and memory that remember; every access is logged, and fails where told to.

    Members
    -------
    log : list
        ("read" or "write", "register" or "memory", address of the beat).
    register_status, memory_status : dict
        {address of a word or beat: Status} that is not OK.
    """

    def __init__(self, beat_bytes, memory):
        self.beat_bytes, self.memory = beat_bytes, memory
        self.registers = {}
        self.log = []
        self.register_status, self.memory_status = {}, {}
        self.irq = False

    def read_register(self, address):
        self.log.append(("read", "register", address))
        return self.register_status.get(address, Status.OK), self.registers.get(address, 0)

    def write_register(self, address, value):
        self.log.append(("write", "register", address))
        status = self.register_status.get(address, Status.OK)
        if status == Status.OK:
            self.registers[address] = value
        return status

    def read_memory(self, address, size):
        """Bytes of one beat."""
        beat = address - address % self.beat_bytes
        self.log.append(("read", "memory", beat))
        return self.memory_status.get(beat, Status.OK), bytes(self.memory[address:address + size])

    def write_memory(self, address, data):
        beat = address - address % self.beat_bytes
        self.log.append(("write", "memory", beat))
        status = self.memory_status.get(beat, Status.OK)
        if status == Status.OK:
            self.memory[address:address + len(data)] = data
        return status

    def wait(self, cycles):
        """Whether the interrupt is up after at most that many cycles."""
        return self.irq


class TransportBoard(Board):
    """The chip of a `Transport` as a board."""

    def __init__(self, transport, beat_bytes):
        super().__init__(beat_bytes, b"")
        self.transport = transport

    def read_register(self, address):
        return Status.OK, self.transport.read32(address)

    def write_register(self, address, value):
        self.transport.write32(address, value)
        return Status.OK

    def read_memory(self, address, size):
        return Status.OK, self.transport.read(address, size)

    def write_memory(self, address, data):
        self.transport.write(address, data)
        return Status.OK

    def wait(self, cycles):
        self.irq = self.transport.wait(cycles)
        return self.irq


class LinkModel:
    """Answers requests as golden.spec.link says.

    Parameters
    ----------
    hello : Hello
    board : Board
    """

    def __init__(self, hello: Hello, board: Board):
        self.hello, self.board = hello, board
        self.expected = 0
        self.history = [Status.OK] * WINDOW
        self.deframer = Deframer()

    def feed(self, data):
        """Bytes from the line; gives those of the answers."""
        out = b""
        for body in self.deframer.feed(data):
            request = Request.decode(body)
            if request is not None:
                out += frame(self.answer(request).encode())
        return out

    def answer(self, request):
        opcode, sequence = request.opcode, request.sequence
        fresh = sequence == self.expected and opcode != Opcode.HELLO
        reads = opcode in (Opcode.READ_REGISTERS, Opcode.READ_MEMORY)
        back = (self.expected - sequence) % 256
        data, expired = b"", False
        if opcode == Opcode.HELLO:
            status, data = Status.OK, self.hello.encode()
        elif fresh or (reads and 1 <= back <= WINDOW):
            status, data, expired = self.act(request)
        elif back <= WINDOW:
            status = self.history[sequence % WINDOW]
        else:
            status = Status.SEQUENCE
        if fresh:
            self.expected = (sequence + 1) % 256
            self.history[sequence % WINDOW] = status
        flags = Flags.IRQ * self.board.irq | Flags.EXPIRED * expired
        return Response(opcode & 0x7F, sequence, status, self.expected, flags,
                        request.address & 0xFF, data if status == Status.OK else b"")

    def act(self, request):
        """(status, data, expired) of a request."""
        opcode, address, length = request.opcode, request.address, request.length
        memory = opcode in (Opcode.READ_MEMORY, Opcode.WRITE_MEMORY)
        if opcode == Opcode.WAIT:
            return Status.OK, b"", not self.board.wait(address)
        if opcode not in tuple(Opcode):
            return Status.BAD_OPCODE, b"", False
        if not 1 <= length <= PAYLOAD_BYTES or (not memory and length % 4):
            return Status.BAD_LENGTH, b"", False
        if not memory and address % 4:
            return Status.BAD_ADDRESS, b"", False
        step = self.board.beat_bytes if memory else 4
        data, end, rest = b"", address + length, request.data
        while address < end:
            size = min(end, address - address % step + step) - address
            if address >= (self.hello.memory_bytes if memory else REGISTER_BYTES):
                return Status.BAD_ADDRESS, b"", False
            if opcode == Opcode.READ_MEMORY:
                status, part = self.board.read_memory(address, size)
                data += part
            elif opcode == Opcode.WRITE_MEMORY:
                status = self.board.write_memory(address, rest[:size])
            elif opcode == Opcode.READ_REGISTERS:
                status, value = self.board.read_register(address)
                data += value.to_bytes(4, "little")
            else:
                status = self.board.write_register(address, int.from_bytes(rest[:4], "little"))
            if status != Status.OK:
                return status, b"", False
            address, rest = address + size, rest[size:]
        return Status.OK, data, False
