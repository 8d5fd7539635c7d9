"""A proxy between a service and AWS that injects faults: it delays, drops and replaces requests and responses.

It forwards every other request byte for byte, so that signatures stay valid. It records what it did with each call
that it injected a fault into, so that a test can wait for that event instead of a fixed time.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import json
import threading
from collections import Counter
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import parse_qs

import h11
import httpx2

from infra.local.ports import HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

DELAY_SECONDS = 0.3
"""Delay of a response, shorter than every client's timeout."""

PATIENCE_SECONDS = 300
"""Maximum time to wait for an event or for open connections; only a proxy that hangs takes longer."""

READ_BYTES = 65_536

Headers = list[tuple[bytes, bytes]]


class When(enum.Enum):
    BEFORE = "before"
    """AWS does not receive the call."""
    AFTER = "after"
    """AWS carries the call out; the client does not get the response as AWS sent it."""


class Kind(enum.Enum):
    KILL = "kill"
    """The connection breaks without a response."""
    DELAY = "delay"
    """The real response arrives late, before the client's timeout."""
    ERROR_500 = "error-500"
    SLOW_DOWN = "slow-down"
    """A throttling error of the service that is called."""
    ERROR_IN_200 = "error-in-200"
    """S3 may find an error after it has sent status 200 (AWS: "CopyObject")."""
    EMPTY_200 = "empty-200"
    """Status 200 with an empty body."""
    UNREADABLE_200 = "unreadable-200"
    """Status 200 with a body in a format that AWS does not use."""
    CUT_AFTER_STATUS = "cut-after-status"
    """The status line, then the connection is closed."""
    CUT_IN_NAME = "cut-in-name"
    """The headers up to the middle of the last one's name, then the connection is closed."""
    CUT_AFTER_HEADERS = "cut-after-headers"
    """All headers without the empty line that ends them, then the connection is closed."""
    SILENCE = "silence"
    """No response until the client gives up."""
    STALL = "stall"
    """Half of the response, then nothing until the client gives up."""
    HALF = "half"
    """Half of the response, then the connection breaks."""
    LATE = "late"
    """AWS receives the call after the client has given up."""
    HOLD = "hold"
    """The call is held until the test releases it or the client disconnects."""


class Event(enum.Enum):
    """What the proxy did with a call that it injected a fault into."""

    HELD = "held"
    """The call is held."""
    ANSWERED = "answered"
    """The real response was sent."""
    FALSIFIED = "falsified"
    """An error was sent in place of the real response."""
    BROKEN = "broken"
    """The connection was broken, without a response or after half of one."""
    SWALLOWED = "swallowed"
    """The rest of the response is withheld, and the connection stays open."""
    DELIVERED = "delivered"
    """AWS carried the call out after the client had given up."""


END = {
    Kind.KILL: Event.BROKEN,
    Kind.DELAY: Event.ANSWERED,
    Kind.ERROR_500: Event.FALSIFIED,
    Kind.SLOW_DOWN: Event.FALSIFIED,
    Kind.ERROR_IN_200: Event.FALSIFIED,
    Kind.EMPTY_200: Event.FALSIFIED,
    Kind.UNREADABLE_200: Event.FALSIFIED,
    Kind.CUT_AFTER_STATUS: Event.BROKEN,
    Kind.CUT_IN_NAME: Event.BROKEN,
    Kind.CUT_AFTER_HEADERS: Event.BROKEN,
    Kind.SILENCE: Event.SWALLOWED,
    Kind.STALL: Event.SWALLOWED,
    Kind.HALF: Event.BROKEN,
    Kind.LATE: Event.DELIVERED,
    Kind.HOLD: Event.ANSWERED,
}
"""The last event of each kind of fault. After it the proxy is done with the call."""

UNANSWERED = frozenset({Kind.SILENCE, Kind.STALL, Kind.LATE})
"""The kinds of fault that end only when the client gives up."""

CUT = frozenset({Kind.CUT_AFTER_STATUS, Kind.CUT_IN_NAME, Kind.CUT_AFTER_HEADERS})
"""The kinds of fault in which the response ends within its header section."""

Effect = tuple[When, Kind]

_ONLY_WHEN = {Kind.LATE: When.BEFORE, **dict.fromkeys({Kind.STALL, Kind.HALF, *CUT}, When.AFTER)}
_ANSWERED_IN_XML = frozenset({"CopyObject", "DeleteObjects", "ListObjectsV2"})


def is_possible(call: str, effect: Effect) -> bool:
    """Whether a call of this name can have this fault."""
    when, kind = effect
    if kind is Kind.ERROR_IN_200 and call not in _ANSWERED_IN_XML:
        return False
    return _ONLY_WHEN.get(kind, when) is when


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault for `times` calls of one name, or for all of them until it is lifted."""

    call: str
    """The name of the API operation, such as `CopyObject`."""
    when: When
    kind: Kind
    about: str = ""
    """Text that the call's target, headers or body must contain, so that tests do not affect each other."""
    times: int | None = 1

    def __str__(self) -> str:
        often = "always" if self.times is None else f"{self.times}x"
        return f"{self.call} {self.when.value} {self.kind.value} {often}"


@dataclass(eq=False)
class Planned:
    """A fault that the proxy injects into the calls that match it."""

    fault: Fault
    _loop: asyncio.AbstractEventLoop
    struck: int = 0
    """How many calls it was injected into."""
    events: Counter[Event] = field(default_factory=Counter[Event])
    released: asyncio.Event = field(default_factory=asyncio.Event)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def tell(self, event: Event) -> None:
        with self._changed:
            self.events[event] += 1
            self._changed.notify_all()

    def wait_for(self, event: Event, times: int = 1) -> None:
        """Return when this event has happened so many times."""
        with self._changed:
            has_happened = self._changed.wait_for(lambda: self.events[event] >= times, PATIENCE_SECONDS)
        if not has_happened:
            raise AssertionError(f"{self.fault}: expected {event.value} {times} times, found {dict(self.events)}")

    def release(self) -> None:
        """Let the held calls continue, and hold no more of them."""
        self._loop.call_soon_threadsafe(self.released.set)

    def fits(self, call: Call) -> bool:
        is_over = self.fault.times is not None and self.struck >= self.fault.times
        return not is_over and call.name == self.fault.call and call.is_about(self.fault.about)


@dataclass(frozen=True)
class Call:
    method: str
    target: str
    headers: Headers
    body: bytes

    @property
    def operation(self) -> str:
        """The header that names the operation in the protocols of DynamoDB and KMS. S3 has none."""
        return self.header(b"x-amz-target")

    @property
    def name(self) -> str:
        return self.operation.rpartition(".")[2] or self._name_by_s3()

    def header(self, name: bytes) -> str:
        return next((value.decode("latin-1") for header, value in self.headers if header.lower() == name), "")

    def is_about(self, text: str) -> bool:
        places = (self.target.encode(), self.body, *(value for _, value in self.headers))
        return any(text.encode() in place for place in places)

    def _name_by_s3(self) -> str:
        # S3's clients use path-style addressing where the endpoint is an IP address.
        path, _, query = self.target.partition("?")
        key = path.lstrip("/").partition("/")[2]
        parameters = parse_qs(query, keep_blank_values=True)
        if key:
            name = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}[self.method]
            if "tagging" in parameters:
                return f"{name}Tagging"
            return "CopyObject" if self.header(b"x-amz-copy-source") else name
        if self.method == "POST":
            return "DeleteObjects" if "delete" in parameters else "PostObject"
        return "ListObjectsV2" if "list-type" in parameters else f"{self.method} {self.target}"


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    reason: bytes
    headers: Headers
    body: bytes


class _GoneError(Exception):
    """The client has closed the connection."""


class _BrokenError(Exception):
    """The connection is to be broken."""


class Proxy:
    """Threads of tests call its methods; the proxy injects faults in a thread of its own."""

    def __init__(self, url: str, loop: asyncio.AbstractEventLoop) -> None:
        self.url = url
        self.calls = Counter[str]()
        """Number of calls by operation."""
        self.struck = Counter[str]()
        """Number of calls with a fault by operation."""
        self.choose: Callable[[str], Effect | None] | None = None
        """Chooses a random fault for a call that matches no planned one. Never HOLD, which nobody would release."""
        self._loop = loop
        self._planned: list[Planned] = []
        self._lock = threading.Lock()
        self._connections = 0
        self._connections_changed = threading.Condition()

    def plan(self, fault: Fault) -> Planned:
        if not is_possible(fault.call, (fault.when, fault.kind)):
            raise ValueError(f"There is no such fault: {fault}")
        planned = Planned(fault, self._loop)
        with self._lock:
            self._planned.append(planned)
        return planned

    def lift(self, planned: Planned) -> None:
        """Inject it into no more calls and release the held ones. Calls without a response stay without one."""
        with self._lock:
            self._planned.remove(planned)
        planned.release()

    def finish(self) -> None:
        """Return when every call of clients that have disconnected is carried out."""
        # The proxy accepts connections in order: once this one is served, all earlier ones are counted.
        url = f"{self.url}/_ministack/health"
        httpx2.get(url, headers={"Connection": "close"}, timeout=PATIENCE_SECONDS)
        with self._connections_changed:
            if not self._connections_changed.wait_for(lambda: self._connections == 0, PATIENCE_SECONDS):
                raise AssertionError(f"{self._connections} connections are still open")

    def count_connections(self, number: int) -> None:
        """Note how many connections of clients are open. One is open until its last call is carried out."""
        with self._connections_changed:
            self._connections = number
            self._connections_changed.notify_all()

    def find(self, call: Call) -> Planned | None:
        """The planned fault that matches this call."""
        with self._lock:
            return next((planned for planned in self._planned if planned.fits(call)), None)

    def strike(self, call: Call) -> Planned | None:
        """The fault to inject into this call, planned or random."""
        self.calls[call.name] += 1
        planned = self.find(call) or self._draw(call)
        if planned:
            planned.struck += 1
            self.struck[call.name] += 1
        return planned

    def _draw(self, call: Call) -> Planned | None:
        effect = self.choose(call.name) if self.choose else None
        return Planned(Fault(call.name, *effect), self._loop) if effect and is_possible(call.name, effect) else None


@contextlib.contextmanager
def run_proxy(target: str, *, port: int = 0) -> Generator[Proxy, None, None]:
    """Run a proxy for the server at the URL `target`, in a thread of its own. Port 0 stands for any free port."""
    started = Future[tuple[Proxy, "Callable[[], object]"]]()
    thread = threading.Thread(target=lambda: asyncio.run(_run(target, port, started)), name="proxy")
    thread.start()
    proxy, stop = started.result()
    try:
        yield proxy
    finally:
        stop()
        thread.join()


async def _run(target: str, port: int, started: Future[tuple[Proxy, Callable[[], object]]]) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    tasks = set[asyncio.Task[None]]()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = loop.create_task(_Connection(proxy, transport, target, reader, writer).serve())
        tasks.add(task)
        task.add_done_callback(disconnected)
        proxy.count_connections(len(tasks))

    def disconnected(task: asyncio.Task[None]) -> None:
        tasks.discard(task)
        proxy.count_connections(len(tasks))

    # Connections are not reused: AWS may close an idle one at the moment the next call is sent on it.
    limits = httpx2.Limits(max_keepalive_connections=0)
    async with httpx2.AsyncHTTPTransport(limits=limits) as transport:
        try:
            server = await asyncio.start_server(connected, HOST, port, start_serving=False)
        except OSError as error:
            started.set_exception(error)
            return
        proxy = Proxy(f"http://{HOST}:{server.sockets[0].getsockname()[1]}", loop)
        await server.start_serving()
        started.set_result((proxy, lambda: loop.call_soon_threadsafe(stopped.set)))
        await stopped.wait()
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Connection:
    """One connection of a client, with its calls one after the other."""

    def __init__(
        self,
        proxy: Proxy,
        transport: httpx2.AsyncHTTPTransport,
        target: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._proxy = proxy
        self._transport = transport
        self._target = target
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER)

    async def serve(self) -> None:
        try:
            while call := await self._read_call():
                await self._respond(call)
                if self._http.our_state is not h11.DONE:
                    break
                self._http.start_next_cycle()
        except (_BrokenError, _GoneError, ConnectionError, h11.RemoteProtocolError, httpx2.TransportError):
            self._writer.transport.abort()
        finally:
            self._writer.close()

    async def _respond(self, call: Call) -> None:
        planned = self._proxy.strike(call)
        if planned is None:
            await self._send(call, await self._forward(call))
            return
        kind = planned.fault.kind
        response = await self._forward(call) if planned.fault.when is When.AFTER else None
        if kind is Kind.KILL:
            planned.tell(Event.BROKEN)
            raise _BrokenError
        if kind in UNANSWERED:
            await self._leave_unanswered(call, planned, response)
        if kind is Kind.HALF and response:
            await self._send(call, response, half=True)
            planned.tell(Event.BROKEN)
            raise _BrokenError
        if kind in CUT and response:
            self._writer.write(_cut_head(response, kind))
            await self._writer.drain()
            planned.tell(Event.BROKEN)
            return
        if END[kind] is Event.FALSIFIED:
            response = _make_error(call, kind)
        elif kind is Kind.DELAY:
            await asyncio.sleep(DELAY_SECONDS)
        elif kind is Kind.HOLD:
            await self._hold(planned)
        await self._send(call, response or await self._forward(call))
        planned.tell(END[kind])

    async def _leave_unanswered(self, call: Call, planned: Planned, response: Response | None) -> NoReturn:
        try:
            if planned.fault.kind is Kind.STALL and response:
                await self._send(call, response, half=True)
        finally:
            planned.tell(Event.SWALLOWED)
        with contextlib.suppress(_GoneError, ConnectionError):
            await self._wait_until_gone()
        if planned.fault.kind is Kind.LATE:
            await self._forward(call)
            planned.tell(Event.DELIVERED)
        raise _BrokenError

    async def _hold(self, planned: Planned) -> None:
        planned.tell(Event.HELD)
        released = asyncio.ensure_future(planned.released.wait())
        gone = asyncio.ensure_future(self._wait_until_gone())
        try:
            await asyncio.wait({released, gone}, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                gone.result()
        finally:
            released.cancel()
            gone.cancel()

    async def _wait_until_gone(self) -> NoReturn:
        while data := await self._reader.read(READ_BYTES):
            self._http.receive_data(data)
        raise _GoneError

    async def _read_call(self) -> Call | None:
        request = await self._next_event()
        if not isinstance(request, h11.Request):
            return None
        body = b""
        while isinstance(data := await self._next_event(), h11.Data):
            body += data.data
        method, target = request.method.decode("ascii"), request.target.decode("latin-1")
        return Call(method, target, request.headers.raw_items(), body)

    async def _next_event(self) -> h11.Event | type[h11.NEED_DATA | h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                self._write(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))
            self._http.receive_data(await self._reader.read(READ_BYTES))
        return event

    async def _forward(self, call: Call) -> Response:
        # A client would add headers of its own; a transport does not.
        response = await self._transport.handle_async_request(
            httpx2.Request(call.method, self._target + call.target, headers=call.headers, content=call.body or None)
        )
        try:
            body = b"".join([chunk async for chunk in response.aiter_raw()])
        finally:
            await response.aclose()
        return Response(response.status_code, response.extensions.get("reason_phrase", b""), response.headers.raw, body)

    async def _send(self, call: Call, response: Response, *, half: bool = False) -> None:
        self._write(h11.Response(status_code=response.status, headers=response.headers, reason=response.reason))
        if call.method != "HEAD":
            self._write(h11.Data(data=response.body[: len(response.body) // 2] if half else response.body))
        if not half:
            self._write(h11.EndOfMessage())
        await self._writer.drain()

    def _write(self, event: h11.Event) -> None:
        self._writer.write(self._http.send(event) or b"")


def _cut_head(response: Response, kind: Kind) -> bytes:
    status = b"HTTP/1.1 %d %s\r\n" % (response.status, response.reason)
    headers = [b"%s: %s\r\n" % header for header in response.headers]
    if kind is Kind.CUT_AFTER_STATUS:
        return status
    if kind is Kind.CUT_IN_NAME:
        return status + b"".join(headers[:-1]) + headers[-1][:3]
    return status + b"".join(headers)


def _make_error(call: Call, kind: Kind) -> Response:
    if kind in {Kind.EMPTY_200, Kind.UNREADABLE_200}:
        return _make_response(200, "text/html", "<html>OK</html>" if kind is Kind.UNREADABLE_200 else "")
    if call.operation.startswith("DynamoDB"):
        code, status = {
            Kind.ERROR_500: ("InternalServerError", 500),
            Kind.SLOW_DOWN: ("ProvisionedThroughputExceededException", 400),
        }[kind]
        return _make_json_error(status, f"com.amazonaws.dynamodb.v20120810#{code}", "application/x-amz-json-1.0")
    if call.operation:
        code, status = {
            Kind.ERROR_500: ("KMSInternalException", 500),
            Kind.SLOW_DOWN: ("ThrottlingException", 400),
        }[kind]
        return _make_json_error(status, code, "application/x-amz-json-1.1")
    code, status = {
        Kind.ERROR_500: ("InternalError", 500),
        Kind.SLOW_DOWN: ("SlowDown", 503),
        Kind.ERROR_IN_200: ("InternalError", 200),
    }[kind]
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>Injected.</Message></Error>'
    return _make_response(status, "application/xml", body)


def _make_json_error(status: int, code: str, content_type: str) -> Response:
    return _make_response(status, content_type, json.dumps({"__type": code, "message": "Injected."}))


def _make_response(status: int, content_type: str, text: str) -> Response:
    body = text.encode()
    headers = [(b"Content-Type", content_type.encode()), (b"Content-Length", str(len(body)).encode())]
    return Response(status, b"", headers, body)
