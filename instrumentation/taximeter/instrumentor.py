"""Switching the meter on and off: for `opentelemetry-instrument` by an entry point, for others by a function."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from opentelemetry import trace
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from taximeter.endings import flush_before_sigterm, flush_before_workers_leave
from taximeter.metering import Metering
from taximeter.settings import Redactor, Settings, explain_capture_mode
from taximeter.taps import Taps

__all__ = ["TaximeterInstrumentor", "current_metering", "instrument", "uninstrument"]

_PROVIDERS = ("tracer_provider", "meter_provider", "logger_provider")


class TaximeterInstrumentor(BaseInstrumentor):  # type: ignore[misc] # the base is untyped
    """The instrumentor named `taximeter`. It depends on no library: what the app imports is tapped, when it does."""

    _metering: Metering | None = None
    _taps: Taps | None = None

    def instrumentation_dependencies(self) -> Collection[str]:
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        explain_capture_mode()
        options = {name: kwargs[name] for name in ("redact", "redact_patterns", "baggage") if name in kwargs}
        settings = Settings.from_environment(**options)
        providers = {name: kwargs[name] for name in _PROVIDERS if kwargs.get(name) is not None}
        self._metering = Metering(settings, **providers)
        _watch_spans(providers.get("tracer_provider") or trace.get_tracer_provider())
        self._taps = Taps(self._metering)
        self._taps.install()
        flush_before_workers_leave()
        flush_before_sigterm()

    def _uninstrument(self, **kwargs: Any) -> None:
        if self._taps is not None:
            self._taps.uninstall()
        self._taps = self._metering = None


def _watch_spans(provider: Any) -> None:
    """Have every span that starts pass by us: for its conversation, and to know other people's inference spans."""
    add = getattr(provider, "add_span_processor", None)
    if add is None or getattr(provider, "_taximeter_watched", False):
        return
    from taximeter.adopt import SpanWatcher

    add(SpanWatcher(current_metering))
    provider._taximeter_watched = True


def instrument(
    *,
    redact: Redactor | None = None,
    redact_patterns: Collection[str] = (),
    baggage: bool | None = None,
    tracer_provider: Any = None,
    meter_provider: Any = None,
    logger_provider: Any = None,
) -> None:
    """Meter this program from here on: the one line for those who do not start it with `opentelemetry-instrument`.

    If OpenTelemetry is not set up yet it is, with Taximeter's defaults and the usual `OTEL_*` variables. What is set up
    already is used as it is.

    >>> import taximeter
    >>> taximeter.instrument(redact_patterns=[r"[\\w.]+@[\\w.]+"])
    >>> taximeter.uninstrument()
    """
    meter = TaximeterInstrumentor()
    if meter.is_instrumented_by_opentelemetry:
        if redact is None and not redact_patterns and baggage is None and tracer_provider is None:
            return
        meter.uninstrument()  # switched on by `opentelemetry-instrument`, say, which can be told none of this
    if tracer_provider is None and isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        from taximeter.distro import TaximeterConfigurator, TaximeterDistro

        TaximeterDistro().configure()
        TaximeterConfigurator().configure()  # type: ignore[no-untyped-call]
    _carry_context_into_threads()
    meter.instrument(
        redact=redact,
        redact_patterns=redact_patterns,
        baggage=baggage,
        tracer_provider=tracer_provider,
        meter_provider=meter_provider,
        logger_provider=logger_provider,
    )


def _carry_context_into_threads() -> None:
    from opentelemetry.instrumentation.threading import ThreadingInstrumentor

    threads = ThreadingInstrumentor()
    if not threads.is_instrumented_by_opentelemetry:
        threads.instrument()


def uninstrument() -> None:
    """Stop metering, and put back everything that was patched."""
    meter = TaximeterInstrumentor()
    if meter.is_instrumented_by_opentelemetry:
        meter.uninstrument()


def current_metering() -> Metering | None:
    """What is switched on, if anything is."""
    return TaximeterInstrumentor()._metering
