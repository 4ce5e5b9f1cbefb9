"""Figures as Markdown."""
import re
import statistics
import sys


def median(figures, name):
    return middle([getattr(figure, name) for figure in figures])


def middle(values):
    return None if None in values else statistics.median(values)


def cell(value, form=".0f"):
    return "" if value is None else format(value, form)


def ratio(figure, unit):
    return cell(figure / unit if figure and unit else None, ".2f")


def least(figures):
    """The best of some figures, as far as there are any."""
    return min((figure for figure in figures if figure), default=None)


class Column:
    """CPU microseconds per request beside each other: against the one that goals are relative to, and against the best peer."""

    def __init__(self, row, measured):
        self.measured = measured
        self.names = {label: name for label, name, _ in row.contenders()}
        self.bases = {label: row.base(self.names[label], measured) for label in measured}
        self.against = row.sized("itself", row.sizes[0]) if row.sizes else next(iter(self.bases.values()))
        peers = [label for label in measured if self.names[label] in row.PEERS and not row.sizes]
        self.best = least(measured[label] for label in peers)

    def heads(self):
        return [f"x {self.against}"] + (["x the best peer"] if self.best else [])

    def ratios(self, label):
        units = [self.measured.get(self.bases[label])] + ([self.best] if self.best else [])
        return [ratio(self.measured[label], unit) for unit in units]


def line(cells):
    return f"| {' | '.join(cells)} |"


def table(row, found, options):
    """A row's table; a figure that was not measured is an empty cell."""
    measured = found.figures
    loaded = Column(row, {label: median(figures, "cpu") for label, figures in measured.items()})
    paced = found.rate and Column(row, {label: middle(figures) for label, figures in found.paced.items()})
    workers = "one worker" if row.workers == 1 else f"{row.workers} workers"
    shared = ", on all CPUs of the machine together with the generator and the backend" if row.shared() else ""
    heads = ["gateway", "CPU us/request", *loaded.heads(), "in the kernel", "system calls", "requests/s", "p99 us"]
    if paced:
        heads += [f"CPU us/request at {found.rate:,.0f}/s", *paced.heads()]
    lines = [
        f"### {row.title}",
        "",
        f"{options.connections or row.connections} in flight, {workers}{shared}; {options.rounds} interleaved rounds of "
        f"{options.seconds} s, median (least to most):",
        "",
        line(heads),
        f"|{'---|' * len(heads)}",
    ]
    for label, figures in measured.items():
        cpu = [figure.cpu for figure in figures]
        cells = [
            label,
            f"{median(figures, 'cpu'):.1f} ({min(cpu):.1f} to {max(cpu):.1f})",
            *loaded.ratios(label),
            cell(median(figures, "kernel"), ".0%"),
            cell(found.calls.get(label), ".2f"),
            f"{median(figures, 'rate'):.0f}",
            cell(median(figures, "p99")),
        ]
        if paced:
            cells += [cell(paced.measured[label], ".1f"), *paced.ratios(label)]
        lines.append(line(cells))
    return "\n".join(lines)


def marks(subject):
    return f"<!-- measured: written by {subject} -->", f"<!-- end of {subject} -->"


def put(path, subject, text):
    """Puts text into a file, between the marks of what has measured it."""
    begin, end = marks(subject)
    document = path.read_text()
    if begin not in document or end not in document:
        sys.exit(f"{path} has no lines {begin} and {end}")
    before, after = document.split(begin)[0], document.split(end)[1]
    path.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")


def standing(path, subject):
    """The sections that a file has between the marks, by title."""
    begin, end = marks(subject)
    between = path.read_text().partition(begin)[2].partition(end)[0]
    sections = re.split(r"^### ", between, flags=re.MULTILINE)[1:]
    return {section.partition("\n")[0]: f"### {section.strip()}" for section in sections}
