"""Scrapes of the metrics, read as Prometheus reads them."""

from __future__ import annotations

from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def families(text: str) -> list[Metric]:
    return list(text_string_to_metric_families(text))


def open_families(text: str) -> list[Metric]:
    return list(openmetrics.text_string_to_metric_families(text))  # type: ignore[no-untyped-call]


def samples(found: list[Metric]) -> Samples:
    """Return the values by name and labels; a sample that is there twice is a mistake."""
    values: Samples = {}
    for family in found:
        for one in family.samples:
            key = one.name, tuple(sorted(one.labels.items()))
            assert key not in values, key
            values[key] = one.value
    return values


def by_label(values: Samples, name: str, label: str) -> dict[str, float]:
    """Return the values of one name by one label."""
    return {dict(labels)[label]: value for (one, labels), value in values.items() if one == name}
