"""The benchmark's results as tables and a plot, in docs/guide/benchmarks.md."""

from __future__ import annotations

import platform
import re
import statistics
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from contenders import ENTRIES
from scaling import PARAMETERS, ROWS, SIDES, WORKERS

DOCS = Path(__file__).resolve().parents[2] / "docs" / "guide"
PAGE = DOCS / "benchmarks.md"
PLOT = DOCS / "accuracy_against_seconds.svg"
LIBRARIES = ("torch", "skorch", "scikit-learn", "numpy")

# Where labels stand, in points from their marks, that would meet others above them.
PLACES = {
    "defaults": ((-9, 7), "right"),
    "bare": ((-9, -7), "right"),
    "bare-torch": ((0, 18), "left"),
    "stock-arrays": ((-6, -14), "right"),
    "recipe-0": ((9, -7), "left"),
    "recipe-4": ((9, 5), "left"),
    "accurate": ((-9, 0), "right"),
}

Results = dict[str, list[dict[str, float]]]


def machine() -> str:
    """Processor, versions and date in a sentence."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        cpu = found.group(1) if found else cpu
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"{torch.get_num_threads()} cores of {cpu} "
        f"({torch.backends.cpu.get_cpu_capability()}), {gpu}; Python "
        f"{platform.python_version()}, {versions}; {datetime.now(UTC):%Y-%m-%d}."
    )


def median(runs: list[dict[str, float]], key: str) -> float:
    return statistics.median(run[key] for run in runs)


def accuracy(runs: list[dict[str, float]]) -> str:
    """Mean, and the range where there are several seeds."""
    values = [run["accuracy"] for run in runs]
    mean = statistics.mean(values)
    if len(values) == 1:
        return f"{mean:.4f}"
    return f"{mean:.4f} ({min(values):.4f} to {max(values):.4f})"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [f"| {' | '.join(header)} |"]
    lines.append("|" + "---|" * lines[0].count(" | ") + "---|")
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def contender_tables(results: Results) -> str:
    """Two tables with a line for each contender, with medians over its seeds."""
    base = median(results["recipe-0"], "fit") if "recipe-0" in results else float("nan")
    training, rest = [], []
    for key, runs in results.items():
        name, fit = ENTRIES[key].name, median(runs, "fit")
        speed = f"{base / fit:.2f}x" if base / fit < 10 else f"{base / fit:.0f}x"
        training.append([name, str(len(runs)), accuracy(runs), f"{fit:.1f} s", speed])
        rest.append(
            [
                name,
                f"{median(runs, 'predict'):.2f} s",
                f"{median(runs, 'single') * 1e3:.2f} ms",
                f"{median(runs, 'memory') / 1e6:.0f} MB",
            ]
        )
    first = table(("", "seeds", "test accuracy", "fit", "speed"), training)
    return f"{first}\n\n{table(('', 'predict 10,000', 'predict 1', 'memory of fit'), rest)}"


def scaling_table(scaling: dict[str, dict[str, float]]) -> str:
    """One epoch for each size, and a cross-validation for each number of workers."""
    rows = []
    for kind, sizes in (("rows", ROWS), ("side", SIDES)):
        for size in sizes:
            found = scaling[f"{kind}={size}"]
            rows.append(
                [
                    f"{size:,} rows" if kind == "rows" else f"4,000 images of {size}x{size}",
                    f"{found['seconds']:.2f} s",
                    f"{found['seconds'] / found['rows'] * 1e6:.0f} µs",
                    f"{found['memory'] / 1e6:.0f} MB",
                ]
            )
    one = scaling[f"workers={WORKERS[0]}"]["seconds"]
    for n in WORKERS:
        found = scaling[f"workers={n}"]
        rows.append(
            [
                f"cross-validation, `n_jobs={n}`",
                f"{found['seconds']:.2f} s",
                f"{one / found['seconds']:.2f}x",
                f"mean accuracy {found['score']:.4f}",
            ]
        )
    return table(("", "time", "each", "memory"), rows)


def parameter_table(scaling: dict[str, dict[str, float]]) -> str:
    """What a parameter does to the time of an epoch."""
    rows = [[name, f"{scaling[f'parameter={name}']['ratio']:.2f}"] for name in PARAMETERS]
    return table(("with", "time against the defaults"), rows)


def draw(results: Results) -> None:
    """Accuracy against the seconds of ``fit``, a point for each contender."""
    plt.rcParams["svg.hashsalt"] = "skorch_mnist"  # the same file for the same figures
    figure, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for key, runs in results.items():
        x, y = median(runs, "fit"), statistics.mean(run["accuracy"] for run in runs)
        own = "MNISTCNNClassifier" in ENTRIES[key].name
        ax.plot(x, 1 - y, "o" if own else "s", color="#0072B2" if own else "#767676", markersize=8)
        place, alignment = PLACES.get(key, ((0, 9), "center"))
        ax.annotate(
            ENTRIES[key].name.replace("`", ""),
            (x, 1 - y),
            xytext=place,
            textcoords="offset points",
            ha=alignment,
            va="center",
            fontsize=8,
        )
    ax.set(xscale="log", yscale="log", xlabel="seconds to fit", ylabel="test accuracy")
    ax.margins(x=0.15, y=0.15)
    shares = [0.002, 0.003, 0.005, 0.01, 0.02, 0.03]
    ax.set_yticks(shares, [f"{1 - share:.1%}" for share in shares])
    ax.minorticks_off()
    ax.invert_yaxis()
    ax.xaxis.set_major_formatter("{x:g}")
    ax.grid(True, alpha=0.3)
    figure.savefig(PLOT, metadata={"Date": None})
    plt.close(figure)


def print_table(results: Results) -> None:
    print(contender_tables(results))


def replace_section(page: str, name: str, content: str) -> str:
    """Put ``content`` between the markers of a section."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, rest = page.split(begin)
    return f"{before}{begin}\n{content}\n{end}{rest.split(end)[1]}"


def profile_table(profile: dict[str, float]) -> str:
    """Milliseconds of each kind of work, the largest first, and their shares."""
    total = profile["all"]
    rows = sorted(profile.items(), key=lambda item: (item[0] == "all", -item[1]))
    return table(
        ("", "ms for each batch of 64", "share"),
        [[kind, f"{ms:.2f}", f"{ms / total:.0%}"] for kind, ms in rows],
    )


def write_report(
    results: Results, scaling: dict[str, dict[str, float]], profile: dict[str, float]
) -> None:
    """Replace the generated parts of the page, and the plot."""
    page = PAGE.read_text()
    page = replace_section(page, "contenders", f"{contender_tables(results)}\n\n{machine()}")
    page = replace_section(page, "scaling", scaling_table(scaling))
    page = replace_section(page, "parameters", parameter_table(scaling))
    page = replace_section(page, "profile", profile_table(profile))
    PAGE.write_text(page)
    draw(results)
