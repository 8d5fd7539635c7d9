"""A proxy between a service and AWS that delays, drops and replaces requests and responses as a test plans.

It forwards all other calls byte for byte, so that signatures stay valid. It records an event for each call that a fault
affects, so that a test waits for the event and not for a time.
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
from tests import web
from tests.eventually import PATIENCE_SECONDS, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

DELAY_SECONDS = 0.3
"""Delay of a response that the client still waits for."""

READ_BYTES = 65_536

Headers = list[tuple[bytes, bytes]]


class When(enum.Enum):
    BEFORE = "before"
    """AWS never sees the call."""
    AFTER = "after"
    """AWS has carried out the call, and its response is lost or changed."""


class Kind(enum.Enum):
    KILL = "kill"
    """The connection is closed without a response."""
    DELAY = "delay"
    """The true response arrives late, but within the client's timeout."""
    ERROR_500 = "error-500"
    SLOW_DOWN = "slow-down"
    """The throttling error of the called AWS service."""
    ERROR_IN_200 = "error-in-200"
    """An error in a response with status 200: S3 may fail after it has sent the status (AWS: "CopyObject")."""
    EMPTY_200 = "empty-200"
    """Status 200 with an empty body."""
    SILENCE = "silence"
    """No response for as long as the client waits."""
    STALL = "stall"
    """Half a response, and then nothing for as long as the client waits."""
    HALF = "half"
    """Half a response, and then the connection is closed."""
    LATE = "late"
    """AWS receives the call only after the client has timed out."""
    HOLD = "hold"
    """The call is held until the test releases it or the client disconnects."""


class Event(enum.Enum):
    """What the proxy did with a call that a fault affects."""

    HELD = "held"
    """The call is held."""
    ANSWERED = "answered"
    """The true response was sent."""
    FALSIFIED = "falsified"
    """Another response was sent."""
    BROKEN = "broken"
    """The connection was closed, without a response or after half of one."""
    SWALLOWED = "swallowed"
    """Nothing more is sent, and the connection stays open."""
    DELIVERED = "delivered"
    """AWS carried out the call after the client had timed out."""


END = {
    Kind.KILL: Event.BROKEN,
    Kind.DELAY: Event.ANSWERED,
    Kind.ERROR_500: Event.FALSIFIED,
    Kind.SLOW_DOWN: Event.FALSIFIED,
    Kind.ERROR_IN_200: Event.FALSIFIED,
    Kind.EMPTY_200: Event.FALSIFIED,
    Kind.SILENCE: Event.SWALLOWED,
    Kind.STALL: Event.SWALLOWED,
    Kind.HALF: Event.BROKEN,
    Kind.LATE: Event.DELIVERED,
    Kind.HOLD: Event.ANSWERED,
}
"""The last event of each kind of fault."""

UNANSWERED = frozenset({Kind.SILENCE, Kind.STALL, Kind.LATE})
"""The kinds that end only when the client times out."""

Effect = tuple[When, Kind]

_ONLY_WHEN = {Kind.LATE: When.BEFORE, Kind.STALL: When.AFTER, Kind.HALF: When.AFTER}
_ANSWERED_IN_XML = frozenset({"CopyObject", "DeleteObjects", "ListObjectsV2"})


def can_befall(call: str, effect: Effect) -> bool:
    """Whether the effect is possible for this call."""
    when, kind = effect
    if kind is Kind.ERROR_IN_200 and call not in _ANSWERED_IN_XML:
        return False
    if kind is Kind.EMPTY_200 and call != "CopyObject":
        return False
    return _ONLY_WHEN.get(kind, when) is when


@dataclass(frozen=True, slots=True)
class Fault:
    """A planned fault of a call. It affects `times` calls, or all until it is lifted."""

    call: str
    """Name of the API call, such as `CopyObject`."""
    when: When
    kind: Kind
    about: str = ""
    """The fault affects only calls whose target, headers or body contain this text, so that tests do not interfere."""
    times: int | None = 1

    def __str__(self) -> str:
        often = "always" if self.times is None else f"{self.times}x"
        return f"{self.call} {self.when.value} {self.kind.value} {often}"


@dataclass(eq=False)
class Planned:
    """A fault that is planned in the proxy."""

    fault: Fault
    _loop: asyncio.AbstractEventLoop
    struck: int = 0
    """The number of calls that the fault affected."""
    events: Counter[Event] = field(default_factory=Counter[Event])
    released: asyncio.Event = field(default_factory=asyncio.Event)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def record(self, event: Event) -> None:
        with self._changed:
            self.events[event] += 1
            self._changed.notify_all()

    def wait_for(self, event: Event, times: int = 1) -> None:
        """Wait until the event has happened this many times."""
        with self._changed:
            has_happened = self._changed.wait_for(lambda: self.events[event] >= times, PATIENCE_SECONDS)
        assert has_happened, f"{self.fault}: not {event.value} {times} times, but {dict(self.events)}"

    def release(self) -> None:
        """Continue held calls, and hold no more."""
        self._loop.call_soon_threadsafe(self.released.set)

    def matches(self, call: Call) -> bool:
        is_over = self.fault.times is not None and self.struck >= self.fault.times
        return not is_over and call.name == self.fault.call and call.mentions(self.fault.about)


@dataclass(frozen=True)
class Call:
    method: str
    target: str
    headers: Headers
    body: bytes

    @property
    def operation(self) -> str:
        """The `X-Amz-Target` header of DynamoDB and KMS. S3 has no such header."""
        return self.header(b"x-amz-target")

    @property
    def name(self) -> str:
        return self.operation.rpartition(".")[2] or self._name_by_s3()

    def header(self, name: bytes) -> str:
        return next((value.decode("latin-1") for header, value in self.headers if header.lower() == name), "")

    def mentions(self, text: str) -> bool:
        places = (self.target.encode(), self.body, *(value for _, value in self.headers))
        return any(text.encode() in place for place in places)

    def _name_by_s3(self) -> str:
        # The bucket is in the path, since the endpoint is an IP address.
        path, _, query = self.target.partition("?")
        key = path.lstrip("/").partition("/")[2]
        asked = parse_qs(query, keep_blank_values=True)
        if key:
            name = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}[self.method]
            if "tagging" in asked:
                return f"{name}Tagging"
            return "CopyObject" if self.header(b"x-amz-copy-source") else name
        if self.method == "POST":
            return "DeleteObjects" if "delete" in asked else "PostObject"
        return "ListObjectsV2" if "list-type" in asked else f"{self.method} {self.target}"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    reason: bytes
    headers: Headers
    body: bytes


class _GoneError(Exception):
    """The client has closed the connection."""


class _BrokenError(Exception):
    """The connection has to be closed."""


class Proxy:
    """The tests' interface to the proxy, whose connections are served in another thread."""

    def __init__(self, url: str, loop: asyncio.AbstractEventLoop) -> None:
        self.url = url
        self.calls = Counter[str]()
        """Number of calls by name."""
        self.struck = Counter[str]()
        """Number of calls that a fault affected, by name."""
        self.choose: Callable[[str], Effect | None] | None = None
        """Chooses random faults: it is called with the name of each call that no planned fault affects. It must not
        return HOLD, which nothing would release.
        """
        self.connections = 0
        """Number of client connections. A connection counts until all calls on it are carried out."""
        self._loop = loop
        self._planned: list[Planned] = []
        self._lock = threading.Lock()

    def plan(self, fault: Fault) -> Planned:
        assert can_befall(fault.call, (fault.when, fault.kind)), f"Impossible fault: {fault}"
        planned = Planned(fault, self._loop)
        with self._lock:
            self._planned.append(planned)
        return planned

    def lift(self, planned: Planned) -> None:
        """End the fault and continue the calls that it holds. Unanswered calls stay unanswered."""
        with self._lock:
            self._planned.remove(planned)
        planned.release()

    def finish(self) -> None:
        """Wait until all calls of disconnected clients are carried out."""
        # This connection is accepted after those of the clients, which the proxy may not have accepted yet.
        web.get(f"{self.url}/_ministack/health", headers={"Connection": "close"})
        eventually(lambda: self.connections == 0)

    def find(self, call: Call) -> Planned | None:
        """The planned fault that would affect this call now."""
        with self._lock:
            return next((planned for planned in self._planned if planned.matches(call)), None)

    def strike(self, call: Call) -> Planned | None:
        """Count a call, and return the planned or random fault that affects it."""
        self.calls[call.name] += 1
        planned = self.find(call) or self._draw(call)
        if planned:
            planned.struck += 1
            self.struck[call.name] += 1
        return planned

    def _draw(self, call: Call) -> Planned | None:
        effect = self.choose(call.name) if self.choose else None
        return Planned(Fault(call.name, *effect), self._loop) if effect and can_befall(call.name, effect) else None


@contextlib.contextmanager
def run_proxy(target: str, *, port: int = 0) -> Generator[Proxy, None, None]:
    """Run a proxy in front of the URL `target`, in its own thread. Port 0 means any free port."""
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
        proxy.connections = len(tasks)

    def disconnected(task: asyncio.Task[None]) -> None:
        tasks.discard(task)
        proxy.connections = len(tasks)

    # AWS closes idle connections, possibly just when the next call is sent, so none is reused.
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
    """A connection of a client, with its calls one after another."""

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
                await self._answer(call)
                if self._http.our_state is not h11.DONE:
                    break
                self._http.start_next_cycle()
        except (_BrokenError, _GoneError, ConnectionError, h11.RemoteProtocolError, httpx2.TransportError):
            self._writer.transport.abort()
        finally:
            self._writer.close()

    async def _answer(self, call: Call) -> None:
        planned = self._proxy.strike(call)
        if planned is None:
            await self._send(call, await self._forward(call))
            return
        kind = planned.fault.kind
        answer = await self._forward(call) if planned.fault.when is When.AFTER else None
        if kind is Kind.KILL:
            planned.record(Event.BROKEN)
            raise _BrokenError
        if kind in UNANSWERED:
            await self._leave_unanswered(call, planned, answer)
        if kind is Kind.HALF and answer:
            await self._send(call, answer, half=True)
            planned.record(Event.BROKEN)
            raise _BrokenError
        if END[kind] is Event.FALSIFIED:
            answer = _make_error(call, kind)
        elif kind is Kind.DELAY:
            await asyncio.sleep(DELAY_SECONDS)
        elif kind is Kind.HOLD:
            await self._hold(planned)
        await self._send(call, answer or await self._forward(call))
        planned.record(END[kind])

    async def _leave_unanswered(self, call: Call, planned: Planned, answer: Answer | None) -> NoReturn:
        try:
            if planned.fault.kind is Kind.STALL and answer:
                await self._send(call, answer, half=True)
        finally:
            planned.record(Event.SWALLOWED)
        with contextlib.suppress(_GoneError, ConnectionError):
            await self._wait_until_gone()
        if planned.fault.kind is Kind.LATE:
            await self._forward(call)
            planned.record(Event.DELIVERED)
        raise _BrokenError

    async def _hold(self, planned: Planned) -> None:
        planned.record(Event.HELD)
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

    async def _forward(self, call: Call) -> Answer:
        # A transport is used since a client would add headers.
        answer = await self._transport.handle_async_request(
            httpx2.Request(call.method, self._target + call.target, headers=call.headers, content=call.body or None)
        )
        try:
            body = b"".join([chunk async for chunk in answer.aiter_raw()])
        finally:
            await answer.aclose()
        return Answer(answer.status_code, answer.extensions.get("reason_phrase", b""), answer.headers.raw, body)

    async def _send(self, call: Call, answer: Answer, *, half: bool = False) -> None:
        self._write(h11.Response(status_code=answer.status, headers=answer.headers, reason=answer.reason))
        if call.method != "HEAD":
            self._write(h11.Data(data=answer.body[: len(answer.body) // 2] if half else answer.body))
        if not half:
            self._write(h11.EndOfMessage())
        await self._writer.drain()

    def _write(self, event: h11.Event) -> None:
        self._writer.write(self._http.send(event) or b"")


def _make_error(call: Call, kind: Kind) -> Answer:
    if kind is Kind.EMPTY_200:
        return _make_answer(200, "application/xml", "")
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
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>Planned.</Message></Error>'
    return _make_answer(status, "application/xml", body)


def _make_json_error(status: int, code: str, content_type: str) -> Answer:
    return _make_answer(status, content_type, json.dumps({"__type": code, "message": "Planned."}))


def _make_answer(status: int, content_type: str, text: str) -> Answer:
    body = text.encode()
    headers = [(b"Content-Type", content_type.encode()), (b"Content-Length", str(len(body)).encode())]
    return Answer(status, b"", headers, body)
