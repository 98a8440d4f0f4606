"""What several processes count, as one: each tells its samples, and /metrics shows their sums."""

from collections.abc import Iterable, Iterator

from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mailgate.refused import REFUSED, SPOOFS
from mailgate.smtp.handler import MAILS, SECONDS

_COUNTED = (MAILS, SECONDS, REFUSED, SPOOFS)

Labels = tuple[tuple[str, str], ...]
Samples = list[tuple[str, Labels, float]]


def samples() -> Samples:
    """What this process has counted since its start."""
    return [
        (sample.name, tuple(sorted(sample.labels.items())), sample.value)
        for counter in _COUNTED
        for family in counter.collect()
        for sample in family.samples
    ]


class Sums(Collector):
    """Stands for the counters of mails in this process's registry, from `register` to `unregister`."""

    def __init__(self) -> None:
        self._latest: dict[int, Samples] = {}  # by process
        self._ended: dict[
            tuple[str, Labels], float
        ] = {}  # of processes that are no more: a counter never falls

    def register(self) -> None:
        for counter in _COUNTED:
            REGISTRY.unregister(counter)
        REGISTRY.register(self)

    def unregister(self) -> None:
        REGISTRY.unregister(self)
        for counter in _COUNTED:
            REGISTRY.register(counter)

    def told(self, process: int, latest: Samples) -> None:
        self._latest[process] = latest

    def end(self, process: int) -> None:
        _add(self._ended, self._latest.pop(process, []))

    def collect(self) -> Iterator[Metric]:
        sums = dict(self._ended)
        for latest in (samples(), *self._latest.values()):
            _add(sums, latest)
        for counter in _COUNTED:
            for family in counter.collect():
                yield _summed(family, sums)


def _add(sums: dict[tuple[str, Labels], float], some: Iterable[tuple[str, Labels, float]]) -> None:
    for name, labels, value in some:
        known = sums.get((name, labels))
        if name.endswith("_created"):  # a time: the first
            sums[name, labels] = value if known is None else min(known, value)
        else:
            sums[name, labels] = value + (known or 0.0)


def _summed(family: Metric, sums: dict[tuple[str, Labels], float]) -> Metric:
    summed = Metric(family.name, family.documentation, family.type)
    names = {f"{family.name}{suffix}" for suffix in ("", "_total", "_created", "_bucket", "_count", "_sum")}
    for (name, labels), value in sums.items():
        if name in names:
            summed.add_sample(name, dict(labels), value)
    return summed
