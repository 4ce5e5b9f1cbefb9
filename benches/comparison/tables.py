"""Figures as Markdown."""
import re
import statistics
import sys


def median(figures, name):
    values = [getattr(figure, name) for figure in figures]
    return None if None in values else statistics.median(values)


def cell(value, form=".0f"):
    return "" if value is None else format(value, form)


def table(row, found, options):
    """A row's table; a figure that was not measured is an empty cell."""
    measured = found.figures
    gateways = {label: name for label, name, _ in row.contenders()}
    bases = {label: row.base(gateways[label], measured) for label in measured}
    against = row.sized("itself", row.sizes[0]) if row.sizes else next(iter(bases.values()))
    workers = "one worker" if row.workers == 1 else f"{row.workers} workers"
    shared = ", on all CPUs of the machine together with the generator and the backend" if row.shared() else ""
    lines = [
        f"### {row.title}",
        "",
        f"{options.connections or row.connections} in flight, {workers}{shared}; {options.rounds} interleaved rounds of "
        f"{options.seconds} s, median (least to most):",
        "",
        f"| gateway | CPU us/request | x {against} | in the kernel | system calls | requests/s | p99 us |",
        "|---|---|---|---|---|---|---|",
    ]
    if found.rate is not None:
        lines[-2] += f" CPU us/request at {found.rate:,.0f}/s | x {against} |"
        lines[-1] += "---|---|"
    for label, figures in measured.items():
        cpu = [figure.cpu for figure in figures]
        base = bases[label] if bases[label] in measured else None
        ratio = None if base is None else median(figures, "cpu") / median(measured[base], "cpu")
        lines.append(
            f"| {label} | {median(figures, 'cpu'):.1f} ({min(cpu):.1f} to {max(cpu):.1f}) | {cell(ratio, '.2f')} | "
            f"{cell(median(figures, 'kernel'), '.0%')} | {cell(found.calls.get(label), '.2f')} | {median(figures, 'rate'):.0f} | "
            f"{cell(median(figures, 'p99'))} |"
        )
        if found.rate is not None:
            paced = statistics.median(found.paced[label])
            lines[-1] += f" {paced:.1f} | {cell(base and paced / statistics.median(found.paced[base]), '.2f')} |"
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
