"""What a page shows and what a command says are the same where nothing differs but what always does."""

from __future__ import annotations

import pytest

from tests.docs.comparison import difference

SHOWN = """taximeter:
  14 calls, $0.0379
  latency   p50 221 ms, p95 798 ms
  trace     6cad31a58e479f96ea84652bc04d270f: $0.0315 for 4 calls
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("221 ms", "1.06 s"),
        ("6cad31a58e479f96ea84652bc04d270f", "00000000000000000000000000005eed"),
        ("   p50", "\n p50"),
    ],
)
def test_times_ids_and_where_lines_end_may_differ(old: str, new: str) -> None:
    assert difference(SHOWN, SHOWN.replace(old, new)) == ""


@pytest.mark.parametrize(
    ("old", "new"), [("14 calls", "15 calls"), ("$0.0379", "$0.0380"), ("latency", "duration"), ("for 4 calls\n", "")]
)
def test_counts_money_and_words_may_not(old: str, new: str) -> None:
    assert f"\n-{old.split()[0]}\n" in difference(SHOWN, SHOWN.replace(old, new)).replace(",\n", "\n")


def test_dots_stand_for_what_is_left_out() -> None:
    assert difference("one\n...\nthree", "one\ntwo\ntwo\nthree") == ""
    assert difference("one\n...\nthree", "one\ntwo") != ""


def test_figures_of_a_moment_may_differ_but_not_what_they_are_of() -> None:
    assert difference("sent 5 failed 0", "sent 6 failed 1", figures=False) == ""
    assert difference("sent 5 failed 0", "sent 6 lost 1", figures=False) != ""
