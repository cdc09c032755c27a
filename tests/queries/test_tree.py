"""Spans find their places, whatever was sent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from taximeter_queries.tree import covered, in_order, planted

IDS = st.sampled_from("abcdef")
SPANS = st.lists(st.tuples(st.none() | IDS, st.none() | IDS, st.integers(0, 9), st.integers(0, 9)), max_size=25)


def told(*spans: tuple[str | None, str | None, int, int]) -> list[tuple[int, int]]:
    """Place and depth, in the tree's order."""
    nodes = planted([one[0] for one in spans], [one[1] for one in spans], [(one[2], one[3]) for one in spans])
    return [(node.at, node.depth) for node in in_order(nodes)]


def test_what_is_below_comes_after_what_is_around_it_in_the_order_of_time() -> None:
    assert told(("c", "a", 5, 6), ("a", None, 0, 9), ("b", "a", 1, 4), ("d", "b", 2, 3)) == [
        (1, 0),
        (2, 1),
        (3, 2),
        (0, 1),
    ]


def test_a_span_whose_parent_is_missing_is_a_root() -> None:
    assert told(("a", None, 5, 9), ("b", "lost", 1, 4)) == [(1, 0), (0, 0)]


def test_of_spans_around_one_another_the_earliest_is_the_root() -> None:
    assert told(("a", "b", 2, 3), ("b", "a", 1, 4)) == [(1, 0), (0, 1)]
    assert told(("a", "a", 2, 3)) == [(0, 0)]


def test_what_is_below_an_id_of_several_spans_hangs_on_the_first() -> None:
    assert told(("a", None, 0, 9), ("a", None, 0, 9), ("b", "a", 1, 2)) == [(0, 0), (2, 1), (1, 0)]


def test_a_chain_of_ten_thousand_spans_is_no_deeper_than_it_is() -> None:
    count = 10_000
    nodes = planted(list(range(count)), [None, *range(count - 1)], [(at, count) for at in range(count)])
    assert [node.depth for node in in_order(nodes)] == list(range(count))


def test_what_several_do_at_once_covers_their_parent_once() -> None:
    nodes = planted(["a", "b", "c", "d"], [None, "a", "a", "a"], [(0, 100), (10, 30), (20, 50), (90, 200)])
    assert covered(nodes[0]) == 40 + 10


@given(SPANS)
def test_every_span_is_in_the_tree_once_and_below_its_parent(
    spans: list[tuple[str | None, str | None, int, int]],
) -> None:
    nodes = planted([one[0] for one in spans], [one[1] for one in spans], [(one[2], one[3]) for one in spans])
    order = list(in_order(nodes))
    assert sorted(node.at for node in order) == list(range(len(spans)))
    seen: set[int] = set()
    for node in order:
        if node.parent:
            assert node.parent.at in seen
            assert spans[node.parent.at][0] == spans[node.at][1]
        assert 0 <= covered(node) <= node.end - node.start
        seen.add(node.at)
