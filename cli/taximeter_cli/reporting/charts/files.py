"""Charts as files, drawn by matplotlib: the same answer gives the same bytes, whatever is set on the machine."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taximeter_queries.answer import Answer
from taximeter_queries.columns import Unit

from taximeter_cli.options import Mistake
from taximeter_cli.reporting.charts.chart import OTHER, UNITS, Chart, Series, chart
from taximeter_cli.reporting.words import ELLIPSIS, folded, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "PIXELS", "write"]

# Told apart by those who see few colours (Okabe and Ito), and readable on white and on black.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a900", "#7f6fd6")
_OF_OTHER = "#8c959f"
_INK, _PAPER, _LINES = "#1f2328", "#ffffff", "#c8ccd1"
_WIDE_IN, _HIGH_IN, _DPI = 9.0, 4.5, 150
PIXELS = (int(_WIDE_IN * _DPI), int(_HIGH_IN * _DPI))
_MOST_BARS = 40
_BAR_IN = 0.28
_LABEL, _CAPTION = 36, 130
_INSTALL = "taximeter: charts in files are drawn by matplotlib: pip install 'taximeter[collector]'"
_SETTINGS: Any = {  # the library's type names all its settings
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],  # comes with the library
    "svg.fonttype": "none",  # text stays text: it can be searched, and read out
    "svg.hashsalt": "taximeter",
    "text.parse_math": False,  # a price has a dollar sign, too
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _LINES,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": _LINES,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": False,
}
_DARK = """<style>
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 !important }
  #paper path, #key path { fill: #0d1117 !important; stroke: none !important }
}
</style>
"""


def write(answer: Answer, path: Path, column: str | None = None) -> None:
    """A chart as SVG or PNG, as the file's name says."""
    form = path.suffix.lower().removeprefix(".")
    if form not in ("svg", "png"):
        raise Mistake(f"taximeter: --chart {path}: expected a name that ends in .svg or .png")
    found = chart(answer, column)
    with _matplotlib():
        figure = _drawn(found)
        metadata = {"Date": None, "Creator": "taximeter"} if form == "svg" else {"Software": "taximeter"}
        figure.savefig(path, format=form, dpi=_DPI, metadata=metadata)
    if form == "svg":
        _add_dark(path)


@contextmanager
def _matplotlib() -> Iterator[None]:
    """The library with our settings, and nobody else's; what it would say of missing fonts is of no use here."""
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise Mistake(_INSTALL, 1) from error
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        yield


def _drawn(found: Chart) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    bars = 0 if found.times else min(len(found.labels), _MOST_BARS)
    figure = Figure(figsize=(_WIDE_IN, max(_HIGH_IN, 1.6 + bars * _BAR_IN)), facecolor=_PAPER, layout="constrained")
    FigureCanvasAgg(figure)
    figure.patch.set_gid("paper")
    figure.suptitle(found.title, x=0.01, ha="left", fontweight="bold")
    below = list(found.below)
    if bars < len(found.labels) and not found.times:
        below.insert(0, f"the first {bars} of {len(found.labels):,} are drawn")
    figure.supxlabel("\n".join(part for one in below for part in folded(one, _CAPTION)), x=0.01, ha="left", fontsize=8)
    axes = figure.add_subplot(facecolor="none")
    if not found.labels:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "nothing to draw", ha="center")
    elif found.times:
        _over_time(axes, found)
    else:
        _bars(axes, found, bars)
    return figure


def _bars(axes: Axes, found: Chart, bars: int) -> None:
    """The first at the top, each with its number."""
    values = found.series[0].values[:bars]
    places = range(bars)
    drawn = axes.barh(places, [value or 0.0 for value in values], color=COLOURS[0])
    axes.bar_label(drawn, [found.told(value) for value in values], padding=3, fontsize=8)
    axes.set_yticks(places, [shortened(label, _LABEL, ELLIPSIS) for label in found.labels[:bars]])
    axes.invert_yaxis()
    axes.margins(x=0.12)
    _scaled(axes.xaxis, found)


def _over_time(axes: Axes, found: Chart) -> None:
    places = range(len(found.labels))
    if found.is_additive:
        _stacked(axes, found, places)
    else:
        for colour, one in _coloured(found.series):
            values = [float("nan") if value is None else value for value in one.values]
            axes.plot(places, values, color=colour, label=_of_key(one), marker="o", markersize=3, linewidth=1.5)
        axes.set_ylim(bottom=min(0.0, found.least))
    step = max(1, -(-len(places) // 8))
    axes.set_xticks(places[::step], found.labels[::step])
    axes.set_xlim(-0.6, len(places) - 0.4)
    _scaled(axes.yaxis, found)
    if len(found.series) > 1:
        key = axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)
        key.set_gid("legend")


def _stacked(axes: Axes, found: Chart, places: range) -> None:
    """Below nothing what is negative, above it what is not."""
    above, below = [0.0] * len(places), [0.0] * len(places)
    for colour, one in _coloured(found.series):
        values = [value or 0.0 for value in one.values]
        bottoms = [above[at] if value >= 0 else below[at] for at, value in enumerate(values)]
        axes.bar(places, values, bottom=bottoms, width=0.8, color=colour, label=_of_key(one))
        for at, value in enumerate(values):
            ends = above if value >= 0 else below
            ends[at] += value


def _coloured(series: Sequence[Series]) -> Iterator[tuple[str, Series]]:
    for at, one in enumerate(series):
        yield (_OF_OTHER if one.name == OTHER and at == len(series) - 1 else COLOURS[at % len(COLOURS)]), one


def _of_key(one: Series) -> str:
    # The library leaves out of the key what begins with an underscore.
    name = shortened(one.name, _LABEL, ELLIPSIS) or " "
    return f"\N{ZERO WIDTH SPACE}{name}" if name.startswith("_") else name


def _scaled(axis: Any, found: Chart) -> None:
    """Numbers on an axis as they are told anywhere else."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=6, integer=found.column.unit is Unit.COUNT))
    axis.set_major_formatter(FuncFormatter(lambda value, _: found.told(round(value, 12))))
    axis.set_label_text(UNITS.get(found.column.unit, found.column.name), fontsize=8)
    axis.grid(visible=True, linewidth=0.6)


def _add_dark(path: Path) -> None:
    """Other colours where the reader's screen is dark."""
    text = path.read_text("utf-8")
    at = text.index(">", text.index("<svg")) + 1
    path.write_text(f"{text[:at]}\n{_DARK}{text[at:]}", "utf-8")
