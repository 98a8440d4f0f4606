"""The table."""

import statistics

from suite import Group, Measure


def table(groups: list[Group]) -> str:
    lines = [f"{'':44}{'min':>9}{'median':>9}{'max':>9}   ratio: min - median - max      target"]
    for group in groups:
        lines += ["", group.title]
        lines += [_line(measure) for measure in group.measures if measure.values]
        lines += [f"  {group.note}"] if group.note else []
    lines += [
        "",
        "A ratio is of two figures of the same round, to the line it names. Targets are not asserted.",
    ]
    return "\n".join(lines)


def _line(measure: Measure) -> str:
    low, median, high = _spread(measure.values)
    digits = 0 if median >= 100 else 1
    figures = "".join(f"{value:9,.{digits}f}" for value in (low, median, high))
    return f"  {measure.name:42}{figures}   {_ratio(measure)}".rstrip()


def _ratio(measure: Measure) -> str:
    if not measure.against:
        return ""
    ratios = [ours / theirs for ours, theirs in zip(measure.values, measure.against.values, strict=True)]
    low, median, high = _spread(ratios)
    words = f"{low:.2f} - {median:.2f} - {high:.2f} x"
    return f"{words:31}{_verdict(measure.target, median)}"


def _verdict(target: str, median: float) -> str:
    if not target:
        return ""
    sign, limit = target.split()
    met = median >= float(limit) if sign == "≥" else median <= float(limit)
    return f"{target} {'met' if met else 'missed'}"


def _spread(values: list[float]) -> tuple[float, float, float]:
    return min(values), statistics.median(values), max(values)
