"""Metrics in the words of Prometheus: families of samples, each with its name, unit and help.

Names follow its conventions: base units, `_total` for what only grows. Labels are of bounded sets:
never a job, a worker or anything else that there may be any number of.
"""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from dc.server.histogram import Histogram


def gauge(name: str, doc: str, value: float) -> Metric:
    """Return something that goes up and down."""
    return GaugeMetricFamily(f"dc_{name}", doc, value=value)


def gauges(name: str, doc: str, label: str, values: Mapping[str, float]) -> Metric:
    """Return the same by a label."""
    family = GaugeMetricFamily(f"dc_{name}", doc, labels=[label])
    for value in sorted(values):
        family.add_metric([value], values[value])
    return family


def counter(name: str, doc: str, value: float) -> Metric:
    """Return something that only grows; `_total` is added to its name."""
    return CounterMetricFamily(f"dc_{name}", doc, value=value)


def counters(name: str, doc: str, label: str, values: Mapping[str, float]) -> Metric:
    """Return the same by a label."""
    family = CounterMetricFamily(f"dc_{name}", doc, labels=[label])
    for value in sorted(values):
        family.add_metric([value], values[value])
    return family


def histogram(name: str, doc: str, numbers: Histogram) -> Metric:
    """Return numbers by size."""
    return HistogramMetricFamily(
        f"dc_{name}", doc, buckets=numbers.buckets(), sum_value=numbers.sum
    )


def histograms(name: str, doc: str, label: str, values: Mapping[str, Histogram]) -> Metric:
    """Return the same by a label."""
    family = HistogramMetricFamily(f"dc_{name}", doc, labels=[label])
    for value in sorted(values):
        family.add_metric([value], values[value].buckets(), values[value].sum)
    return family
