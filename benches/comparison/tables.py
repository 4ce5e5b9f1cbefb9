"""Figures as Markdown."""
import statistics


def median(figures, name):
    values = [getattr(figure, name) for figure in figures]
    return None if None in values else statistics.median(values)


def table(row, measured, options):
    """`measured`: the figures of each gateway, round by round."""
    base = "raw client" if "raw client" in measured else "nginx" if "nginx" in measured else "envoy" if "envoy" in measured else next(iter(measured))
    unit = median(measured[base], "cpu")
    lines = [
        f"### {row.title}",
        "",
        f"{options.connections} in flight, one worker, {options.rounds} interleaved rounds of {options.seconds} s, "
        "median (least to most):",
        "",
        f"| gateway | CPU us/request | x {base} | requests/s | p99 us |",
        "|---|---|---|---|---|",
    ]
    for name, figures in measured.items():
        cpu = [figure.cpu for figure in figures]
        p99 = median(figures, "p99")
        lines.append(
            f"| {name} | {median(figures, 'cpu'):.1f} ({min(cpu):.1f} to {max(cpu):.1f}) | "
            f"{median(figures, 'cpu') / unit:.2f} | {median(figures, 'rate'):.0f} | "
            f"{'' if p99 is None else format(p99, '.0f')} |"
        )
    return "\n".join(lines)
