"""Spans for what goes on around model calls: workflows, agents and tools, as decorators or in a `with`.

>>> import taximeter
>>> @taximeter.tool
... def weather(city: str) -> str:
...     return f"sun in {city}"
>>> with taximeter.agent("planner"):
...     weather("Oslo")
'sun in Oslo'
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache, partial, wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast, overload

from taximeter import faults
from taximeter.context import situation
from taximeter.metering import Metering
from taximeter.redaction import redacted
from taximeter.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.util.genai.handler import TelemetryHandler
    from opentelemetry.util.genai.invocation import GenAIInvocation
    from opentelemetry.util.genai.types import Error

__all__ = ["Scope", "agent", "tool", "workflow"]

F = TypeVar("F", bound=Callable[..., Any])
_Open = Callable[["TelemetryHandler", str | None], "GenAIInvocation"]


class Scope:
    """A span around a block or a function, ended with the error that leaves it, if one does."""

    def __init__(self, open_invocation: _Open, name: str | None, *, records_call: bool = False) -> None:
        self._open = open_invocation
        self._name = name
        self._records_call = records_call
        self._invocation: GenAIInvocation | None = None

    def __enter__(self) -> Self:
        try:
            self._invocation = invocation = self._open(metering().emitter.handler, self._name)
            invocation.attributes.update(situation().attributes())
        except Exception as error:
            faults.count("scopes.open", error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        invocation, self._invocation = self._invocation, None
        try:
            if invocation is not None:
                if error is None or isinstance(error, GeneratorExit):  # a generator that is closed has not failed
                    invocation.stop()
                else:
                    invocation.fail(_told(error))
        except Exception as fault:
            faults.count("scopes.close", fault)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def __call__(self, function: F) -> F:
        """Put a span around each call of a function: plain, async, generator or async generator."""
        return cast("F", _wrapped(self, function))

    def _fresh(self, function: Callable[..., Any]) -> Scope:
        name = self._name or getattr(function, "__name__", None) or type(function).__name__
        return Scope(self._open, name, records_call=self._records_call)

    def _between(self) -> None:
        """Give the caller's own context back: a generator waits."""
        if self._invocation is not None:
            self._invocation.suspend()

    def _going_on(self) -> AbstractContextManager[None]:
        return nullcontext() if self._invocation is None else self._invocation.activate()

    def _record(self, field: str, make: Callable[[], Any]) -> None:
        """Keep a tool's arguments or result, if content is captured."""
        invocation: Any = self._invocation
        try:
            if self._records_call and invocation is not None and invocation.should_capture_content:
                setattr(invocation, field, redacted(_plain(make()), metering().settings))
        except Exception as error:
            faults.count("scopes.record", error)


def _wrapped(scope: Scope, function: Callable[..., Any]) -> Callable[..., Any]:
    def arguments(args: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
        bound = inspect.signature(function).bind(*args, **named).arguments
        return {name: value for name, value in bound.items() if name not in ("self", "cls")}

    if inspect.isasyncgenfunction(function):

        @wraps(function)
        async def async_generating(*args: Any, **named: Any) -> Any:
            with scope._fresh(function) as running:
                running._record("arguments", lambda: arguments(args, named))
                running._between()
                inner = function(*args, **named)
                step = inner.__anext__()
                while True:
                    try:
                        with running._going_on():
                            item = await step
                    except StopAsyncIteration:
                        return
                    try:
                        step = inner.asend((yield item))
                    except GeneratorExit:
                        await inner.aclose()
                        raise
                    except BaseException as error:
                        step = inner.athrow(error)

        return async_generating
    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def awaiting(*args: Any, **named: Any) -> Any:
            with scope._fresh(function) as running:
                running._record("arguments", lambda: arguments(args, named))
                result = await function(*args, **named)
                running._record("tool_result", lambda: result)
                return result

        return awaiting
    if inspect.isgeneratorfunction(function):

        @wraps(function)
        def generating(*args: Any, **named: Any) -> Any:
            with scope._fresh(function) as running:
                running._record("arguments", lambda: arguments(args, named))
                running._between()
                inner = function(*args, **named)
                step = partial(next, inner)
                while True:
                    try:
                        with running._going_on():
                            item = step()
                    except StopIteration as ended:
                        return ended.value
                    try:
                        step = partial(inner.send, (yield item))
                    except GeneratorExit:
                        inner.close()
                        raise
                    except BaseException as error:
                        step = partial(inner.throw, error)

        return generating

    @wraps(function)
    def calling(*args: Any, **named: Any) -> Any:
        with scope._fresh(function) as running:
            running._record("arguments", lambda: arguments(args, named))
            result = function(*args, **named)
            running._record("tool_result", lambda: result)
            return result

    return calling


def _told(error: BaseException) -> Error:
    """An error in the words that may be told."""
    from opentelemetry.util.genai.types import Error

    told = Error.from_exception(error)
    told.message = redacted(told.message, metering().settings)
    return told


def _plain(value: Any) -> Any:
    from opentelemetry.util.genai.utils import object_to_any_value

    return object_to_any_value(value)


def metering() -> Metering:
    """What is switched on; if nothing is, spans go to whatever provider the app has set."""
    from taximeter.instrumentor import current_metering

    return current_metering() or _without_taps()


@cache
def _without_taps() -> Metering:
    return Metering(Settings.from_environment())


def _open_workflow(handler: TelemetryHandler, name: str | None) -> GenAIInvocation:
    return handler.workflow(name, conversation_id=situation().conversation_id)


def _open_agent(handler: TelemetryHandler, name: str | None) -> GenAIInvocation:
    return handler.invoke_local_agent(agent_name=name, conversation_id=situation().conversation_id)


def _open_tool(handler: TelemetryHandler, name: str | None) -> GenAIInvocation:
    return handler.tool(name or "tool", tool_type="function")


@overload
def workflow(name: F) -> F: ...
@overload
def workflow(name: str | None = None) -> Scope: ...
def workflow(name: Any = None) -> Any:
    """A span `invoke_workflow NAME`: a fixed course of steps. For a function without a name, the function's."""
    return _scope(_open_workflow, name)


@overload
def agent(name: F) -> F: ...
@overload
def agent(name: str | None = None) -> Scope: ...
def agent(name: Any = None) -> Any:
    """A span `invoke_agent NAME`: something that decides for itself what to call next."""
    return _scope(_open_agent, name)


@overload
def tool(name: F) -> F: ...
@overload
def tool(name: str | None = None) -> Scope: ...
def tool(name: Any = None) -> Any:
    """A span `execute_tool NAME`. Arguments and result of a decorated function are kept if content is captured."""
    return _scope(_open_tool, name, records_call=True)


def _scope(open_invocation: _Open, name: Any, *, records_call: bool = False) -> Any:
    if callable(name):
        return Scope(open_invocation, None, records_call=records_call)(name)
    return Scope(open_invocation, name, records_call=records_call)
