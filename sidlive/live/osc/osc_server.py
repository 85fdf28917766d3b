"""The server of Open Sound Control: a UDP socket, and the thread that serves it, in the core process.

A packet that is no message is counted, and the first of each minute gets a notice. A message that asks for something
impossible is answered with ``/sidlive/error TEXT``. However many packets come, at most MOST_PACKETS are read before the
controls are set, and the system drops what its buffer cannot hold.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from sidlive.errors import ControlError, DeviceError, SidliveError
from sidlive.live.osc.osc_commands import ROOT, Address, OscActor, OscCommands, Subscription
from sidlive.live.osc.osc_news import News, OscNews
from sidlive.live.osc.osc_place import OscPlace, parse_osc
from sidlive.live.state import State

MOST_PACKETS: Final = 200  # read at once
MOST_SUBSCRIBERS: Final = 16
LARGEST: Final = 65536  # bytes of a packet
STATE_S: Final = 0.05  # seconds between two looks for changes
_IDLE_S: Final = 0.2  # longest wait without subscribers
_REST_S: Final = 0.002  # pause after a batch of packets, so that a flood leaves the interpreter to others
_NOTICE_S: Final = 60.0  # seconds between two notices about bad packets


class OscServer:
    """Listens at one place at a time. Any thread may call `listen` and `close`."""

    def __init__(
        self, actor: OscActor, state: Callable[[], State], tell: Callable[[str], object], news: OscNews
    ) -> None:
        self.news = news
        self.malformed = 0  # packets that were no messages
        self._actor, self._state, self._tell = actor, state, tell
        self._line: _Line | None = None

    @property
    def place(self) -> str:
        """The place that is listened at, as people read it; empty: none."""
        line = self._line
        return "" if line is None else str(line.place)

    def listen(self, what: str | int) -> str:
        """Listen at a port, "HOST:PORT" or (with "off") nowhere; return the place. Raises ControlError, DeviceError."""
        place = parse_osc(what)
        before, self._line = self._line, None
        if before is not None:
            before.close()
        if place is not None:
            self._line = _Line(place, self)
        return self.place

    def close(self) -> None:
        """Listen nowhere."""
        self.listen("off")


class _Line:
    """A socket and its thread."""

    def __init__(self, place: OscPlace, server: OscServer) -> None:
        try:
            import pythonosc.osc_packet  # noqa: F401
        except ImportError as error:
            raise DeviceError(f"no OSC ({error}): pip install python-osc") from None
        self._server = server
        self._commands = OscCommands(server._actor)
        self._subscribers: list[Address] = []
        self._noticed_at = -_NOTICE_S
        self._closing = False
        try:
            family = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_DGRAM)[0]
            self._socket = socket.socket(family[0], socket.SOCK_DGRAM)
            self._socket.bind(family[4])
        except OSError as error:
            with contextlib.suppress(AttributeError):
                self._socket.close()
            reason = error.strerror or error
            raise DeviceError(f"osc cannot listen at {place}: {reason}; choose another port") from None
        self.place = OscPlace(place.host, self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._run, name="osc", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread and close the socket."""
        self._closing = True
        self._thread.join(1.0)
        self._socket.close()
        self._server.news.wanted = False

    # -- the thread

    def _run(self) -> None:
        look_at, wait_s = 0.0, _IDLE_S
        while not self._closing:
            self._socket.settimeout(max(0.0005, wait_s))
            if self._read():
                time.sleep(_REST_S)
            wait_s = _IDLE_S
            try:
                next_s = self._commands.apply()
            except SidliveError as error:
                next_s = 0.0
                self._server._tell(f"OSC: {error}")
            if next_s is not None:
                wait_s = min(wait_s, next_s)
            if not self._subscribers:
                continue
            self._send_all(self._server.news.due(time.perf_counter()))
            if (now := time.monotonic()) >= look_at:
                look_at = now + STATE_S
                self._send_all(self._server.news.changes(self._server._state()))
            due_s = self._server.news.next_s
            wait_s = min(wait_s, look_at - now, STATE_S if due_s is None else due_s - time.perf_counter())

    def _read(self) -> int:
        """Do what the waiting packets say; return their number."""
        for count in range(MOST_PACKETS):
            try:
                packet, sender = self._socket.recvfrom(LARGEST)
            except (TimeoutError, BlockingIOError):
                return count
            except OSError:  # a packet that was sent before found nobody: Windows reports it here
                return count
            self._socket.setblocking(False)
            self._obey(packet, (str(sender[0]), int(sender[1])))
        return MOST_PACKETS

    def _obey(self, packet: bytes, sender: Address) -> None:
        from pythonosc.osc_packet import OscPacket

        try:
            messages = [(timed.message.address, list(timed.message.params)) for timed in OscPacket(packet).messages]
        except Exception as error:  # the library raises more than it says
            self._count_malformed(packet, sender, error)
            return
        for address, values in messages:
            try:
                answer = self._commands.do(address, values, sender)
                if isinstance(answer, Subscription):
                    self._subscribe(answer)
                else:
                    for to, value in answer:
                        self._send(sender, (to, [value]))
            except SidliveError as error:
                self._send(sender, (f"{ROOT}error", [str(error)]))

    def _count_malformed(self, packet: bytes, sender: Address, error: Exception) -> None:
        self._server.malformed += 1
        if (now := time.monotonic()) - self._noticed_at >= _NOTICE_S:
            self._noticed_at = now
            count = self._server.malformed
            self._server._tell(
                f"OSC: {len(packet)} bytes from {sender[0]} are no message ({type(error).__name__}); ignored, as all"
                f" like it ({count} so far)"
            )

    def _subscribe(self, wish: Subscription) -> None:
        host, port = wish.address
        address = (socket.gethostbyname(host) if host == "localhost" else host, port)
        if not wish.wanted:
            if address in self._subscribers:
                self._subscribers.remove(address)
        elif self.place.is_loopback and not OscPlace(*address).is_loopback:
            raise ControlError(
                f"only programs of this machine can subscribe, found {host}: osc('0.0.0.0:PORT') lets all"
            )
        elif address not in self._subscribers:
            if len(self._subscribers) >= MOST_SUBSCRIBERS:
                raise ControlError(f"there are {MOST_SUBSCRIBERS} subscribers already; unsubscribe one")
            self._subscribers.append(address)
            for one in OscNews.everything(self._server._state()):
                self._send(address, one)
        self._server.news.wanted = bool(self._subscribers)

    def _send_all(self, news: list[News]) -> None:
        for one in news:
            for subscriber in self._subscribers:
                self._send(subscriber, one)

    def _send(self, to: Address, news: News) -> None:
        """Send a message. A subscriber that is not there is not an error."""
        with contextlib.suppress(OSError, OverflowError):
            self._socket.sendto(encoded(*news), to)


def encoded(address: str, values: list[Any]) -> bytes:
    """Return a message as its bytes. Whole numbers are sent as int32, others as float32."""
    from pythonosc.osc_message_builder import OscMessageBuilder

    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value)
    return bytes(builder.build().dgram)
