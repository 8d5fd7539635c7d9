"""Executors without threads, so that calls happen in one order."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class Eager(Executor):
    """Runs a function when it is submitted."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return _Done(lambda: fn(*args, **kwargs), at_once=True)

    def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], **_: Any) -> Iterator[Any]:
        return map(fn, *iterables)


class Lazy(Eager):
    """Runs a function when its result is first asked for."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return _Done(lambda: fn(*args, **kwargs), at_once=False)


class _Done(Future[Any]):
    def __init__(self, compute: Callable[[], Any], *, at_once: bool) -> None:
        super().__init__()
        self._compute = compute
        if at_once:
            self._keep()

    def result(self, timeout: float | None = None) -> Any:
        if not self.done():
            self._keep()
        return super().result(timeout)

    def _keep(self) -> None:
        try:
            self.set_result(self._compute())
        except Exception as error:  # noqa: BLE001 - each exception belongs to the future
            self.set_exception(error)
