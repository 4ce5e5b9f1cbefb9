"""What a request was accepted to cost, by profile, and how a figure stands to it."""
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# How much a request may come to cost, or to save, until somebody has to say that it is meant.
GROWTH = 0.05


def compiler() -> str:
    return subprocess.run(["rustc", "--version"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def accepted(file: Path) -> dict[str, tuple[int, str]]:
    """The figures of a file, by profile: each with the compiler of its binary."""
    lines = file.read_text().splitlines() if file.exists() else []
    rows = (line.split(maxsplit=2) for line in lines if line and not line.startswith("#"))
    return {profile: (int(count), version) for profile, count, version in rows}


def accept(file: Path, profile: str, count: int) -> None:
    figures = accepted(file) | {profile: (count, compiler())}
    lines = [f"{name} {count} {version}" for name, (count, version) in sorted(figures.items())]
    head = "# Profile, instructions per request, compiler: written by benches/instructions --accept"
    file.write_text("\n".join([head, *lines, ""]))


def compare(file: Path, profile: str, count: int) -> None:
    """Says how a figure stands to the accepted one, and fails where it is too much."""
    if profile not in (figures := accepted(file)):
        sys.exit(f"{file} has no figure for the profile {profile}: --accept writes it")
    baseline, version = figures[profile]
    change = count / baseline - 1
    print(f"{change:+.1%} against the {baseline} of {file}")
    note = "" if version == (ours := compiler()) else f"; that was by {version}, and this is {ours}"
    if change > GROWTH:
        sys.exit(f"more than {GROWTH:.0%} above what was accepted: if it is meant, --accept writes it{note}")
    if change < -GROWTH:
        print(f"more than {GROWTH:.0%} below what was accepted: keep the gain by --accept{note}")
