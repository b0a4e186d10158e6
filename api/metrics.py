"""``GET /metrics``: what all workers together have counted, for Prometheus. Whichever worker is asked tells for all."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from api.figures import BUCKETS, ROUTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prometheus_client import Metric

    from api.figures import Figures

TOTALS = {
    "letters": "Letters that were decided.",
    "letters_for_review": "Letters that were decided and need a person's eye.",
    "refused": "Requests refused with 503, busy or stopping.",
    "disconnects": "Clients that went away before their answer.",
    "swaps": "Times that a worker took over another model.",
    "models_refused": "Times that a worker refused a model and kept the one it had.",
    "lines_lost": "Lines of the log that could not be written.",
}

router = APIRouter()


@router.get("/metrics", summary="运行指标(Prometheus)", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(request: Request) -> Response:
    """Counts, times and the model of every worker. Never a word of a letter."""
    front = request.app.state.front
    return Response(exposition(front.figures, front.routes), headers={"Content-Type": CONTENT_TYPE_LATEST})


def exposition(figures: Figures, routes: Sequence[str]) -> bytes:
    """All figures in Prometheus' text format; ``routes`` in the order of their numbers."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Counted(figures, routes))
    return generate_latest(registry)


class _Counted(Collector):
    """Reads the figures anew each time that it is asked."""

    def __init__(self, figures: Figures, routes: Sequence[str]) -> None:
        self._figures, self._routes = figures, {**dict(enumerate(routes)), ROUTES - 1: "other"}

    def collect(self) -> Iterable[Metric]:
        """Every family."""
        for name, says in TOTALS.items():
            yield CounterMetricFamily(f"triage_{name}", says, value=self._figures.total(name))
        yield GaugeMetricFamily("triage_requests_in_work", "Requests in work now.", value=self._figures.total("in_work"))
        yield self._models()
        yield from self._requests()

    def _models(self) -> Metric:
        family = GaugeMetricFamily("triage_model_info", "The model that a worker decides with.", labels=["worker", "version"])
        for worker in range(self._figures.workers):
            family.add_metric([str(worker), self._figures.model_of(worker)], 1)
        return family

    def _requests(self) -> Iterable[Metric]:
        counts = CounterMetricFamily("triage_requests", "Requests by route and status.", labels=["route", "status"])
        times = HistogramMetricFamily("triage_request_seconds", "Seconds from a request's head to the end of its answer.", labels=["route"])
        for number, route in self._routes.items():
            by_status, by_time, seconds = self._figures.requests(number)
            for status, count in by_status.items():
                counts.add_metric([route, str(status)], count)
            if by_status:
                bounds = ["+Inf" if bound == float("inf") else str(bound) for bound in BUCKETS]
                times.add_metric([route], list(zip(bounds, accumulate(by_time), strict=True)), seconds)
        return counts, times
