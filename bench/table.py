"""Figures for people: each row as it is done, then all in one table."""

from statistics import median

OURS = "private-registry"


def number(value):
    """Three digits that count: 101,234 -> 101,000; 1.2345 -> 1.23."""
    whole = len(str(int(value))) if value >= 1 else 0
    return f"{round(value, 3 - whole):,.{max(3 - whole, 0)}f}"


def spread(values):
    return (f"{number(median(values))} "
            f"({number(min(values))}..{number(max(values))})")


def ratios(figure, results, name):
    """How many times better ours was, round by round; [] if not measured."""
    pairs = zip(results[OURS], results[name])
    return [a / b if figure.rate else b / a for a, b in pairs]


def verdict(best, middle, wanted):
    """All in units of better: is what was wanted reached?"""
    if middle >= wanted:
        return "met"
    return "within the noise" if best >= wanted else "MISSED"


def goals(figure, results):
    """What was wanted of this figure, and whether it was reached."""
    for name, times in figure.times.items():
        values = ratios(figure, results, name)
        yield name, f"{times} x {name}", values and verdict(
            max(values), median(values), times)
    if figure.most:
        values = [-value for value in results[OURS]]
        yield OURS, f"at most {figure.most}", values and verdict(
            max(values), median(values), -figure.most)


def block(row, measured):
    """One row; measured is [{server: [value a round]}], a figure each."""
    lines = ["", f"{row.name}: {row.title}"]
    for figure, results in zip(row.figures, measured):
        lines.append("  " + figure.unit)
        wanted = {name: f"wanted {what}: {reached or '?'}"
                  for name, what, reached in goals(figure, results)}
        for name, values in results.items():
            if values:
                lines.append(_line(figure, results, name,
                                   wanted.get(name, "")))
    return "\n".join(lines)


def _line(figure, results, name, wanted):
    better = "" if name == OURS else _ratio(figure, results, name)
    return (f"    {name:16}  {spread(results[name]):27} {better:22} "
            f"{wanted}").rstrip()


def _ratio(figure, results, name):
    values = ratios(figure, results, name)
    return "x " + spread(values) if values else ""


def markdown(measured):
    """All rows, for docs/benchmarks.md; measured is [(row, [results])]."""
    lines = ["| | private-registry | nginx | docker-registry | x nginx "
             "| x docker-registry | wanted |",
             "|---|---:|---:|---:|---:|---:|---|"]
    for row, figures in measured:
        for figure, results in zip(row.figures, figures):
            cells = [f"{row.title}: {figure.unit}"]
            cells += [number(median(v)) if v else "-"
                      for v in results.values()]
            cells += [_ratio(figure, results, name)[2:] or "-"
                      for name in results if name != OURS]
            cells.append("; ".join(
                f"{what}: {reached or '?'}"
                for _, what, reached in goals(figure, results)))
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
