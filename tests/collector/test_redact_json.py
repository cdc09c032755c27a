"""Rules inside of JSON: patterns see what is meant, keys are found at any depth, and the rest stays as written."""

from __future__ import annotations

import json
import re
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from taximeter_collector.redact import RedactConfig, Redaction
from taximeter_collector.redact.builtin import REDACTED

CONFIG = RedactConfig(patterns=("re:s[e3]cret", "re:4[12]{3,}"), keys=("pass*",), drop=("gone",))
Pairs: TypeAlias = tuple[str, list[tuple[str, Any]]]


@pytest.fixture(scope="module")
def redaction() -> Redaction:
    return Redaction.of(CONFIG)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (r'{"a": "x secret"}', r'{"a": "x *"}'),
        (r'{"a": "\u0073ecret \u00fc"}', r'{"a": "* ü"}'),
        (r'{"a":"\nsecret","b":"\u00fc" ,"c":1e5}', r'{"a":"\n*","b":"\u00fc" ,"c":1e5}'),
        (r'{"a secret": 1}', r'{"a *": 1}'),
        ('"secret"', '"*"'),
        ('  ["secret"]\n', '  ["*"]\n'),
        ("[4111, 4.0, 14111]", '["*", 4.0, "1*"]'),
        (r'{"b": "{\"a\": \"secret\", \"n\": [1, 4121]}"}', r'{"b": "{\"a\": \"*\", \"n\": [1, \"*\"]}"}'),
        ('{"password": "x"}', '{"password": "*"}'),
        ('{"a": [{"PASSWORD": {"x": ["y", 1]} , "b": 2}]}', '{"a": [{"PASSWORD": "*", "b": 2}]}'),
        (r'{"pass\u0077ord" : null}', r'{"pass\u0077ord" : "*"}'),
        (r'{"args": "{\"password\": \"x\"}"}', r'{"args": "{\"password\": \"*\"}"}'),
        ('{"gone": 1}', "{}"),
        ('{"gone": [1, {"a": 2}], "a": 1}', '{"a": 1}'),
        ('{"a": 1 , "gone": "x,}"}', '{"a": 1 }'),
        ('{"a": 1, "gone": 2, "gone": 3, "b": {"gone": 4}}', '{"a": 1, "b": {}}'),
        ('{"a": "password", "b": ["gone", "password"]}', '{"a": "password", "b": ["gone", "password"]}'),
    ],
)
def test_json_stays_json(redaction: Redaction, before: str, after: str) -> None:
    after = after.replace("*", REDACTED)
    json.loads(before), json.loads(after)
    assert redaction.text(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[INFO] a secret", "[INFO] a *"),
        ('[INFO] "a secret" secret', '[INFO] "a *" *'),
        ("{secret", "{*"),
        (' a "secret', ' a "*'),
        ("\n4111", "\n*"),
        ("[4111 4111]", "[* *]"),
        ('{"a": "x secr', '{"a": "x secr'),
        (r'[{"a": "x \u0073ecret and \u00', r'[{"a": "x * and \\u00'),
        ('{"password": "hunter', '{"password": "*"'),
        ('{"password": {"a": [1, 2', '{"password": "*"'),
        ('{"a": "secret", "gone": "x', '{"a": "*"'),
        ('{"password": half of it, "a": 1', '{"password": "*", "a": 1'),
        (r'"a\"secret\"', r'"a\"*\"'),
        ("[" * 100_000 + '"secret', "[" * 100_000 + '"*'),
    ],
)
def test_what_only_begins_like_json_or_was_cut_short_is_redacted_too(
    redaction: Redaction, before: str, after: str
) -> None:
    assert redaction.text(before) == after.replace("*", REDACTED)


def test_patterns_that_are_anchored_see_the_texts_inside() -> None:
    redaction = Redaction.of(RedactConfig(patterns=("re:^[0-9]{6}$",)))
    assert redaction.text('{"a": "123456", "b": "x123456", "c": 123456}') == (
        '{"a": "[redacted]", "b": "x123456", "c": "[redacted]"}'
    )


@pytest.mark.parametrize(
    ("names", "key", "is_found"),
    [
        (("a.b",), "a.b", True),
        (("a.b",), "a_b", False),
        (("a.b",), "a.b.c", False),
        (("a.*",), "a.b.c", True),
        (("*token",), "my.TOKEN", True),
        (("*to*n*",), "a.tokens", True),
        (("a*c",), "ab", False),
        (("*",), "\n", True),
        (("x", 'quoted "name"'), 'quoted "name"', True),
        (("größe",), "GRÖSSE", False),
        (("größe",), "GRÖßE", True),
    ],
)
def test_a_star_stands_for_anything_and_upper_case_is_lower_case(
    names: tuple[str, ...], key: str, is_found: bool
) -> None:
    escaped = "".join(f"\\u{ord(one):04x}" for one in key)
    for written in (json.dumps({key: 1}), json.dumps({key: 1}, ensure_ascii=False), f'{{"{escaped}": 1}}'):
        assert (Redaction.of(RedactConfig(keys=names)).text(written) != written) == is_found
        assert (Redaction.of(RedactConfig(drop=names)).text(written) == "{}") == is_found


def test_what_is_dropped_needs_no_replacing() -> None:
    assert Redaction.of(RedactConfig(keys=("a*",), drop=("ab",))).text('{"aa": 1, "ab": 2}') == '{"aa": "[redacted]"}'


strings = st.text(max_size=5) | st.sampled_from(
    [
        "",
        "a secret b",
        "s3cret",
        "secretsecret",
        'a"\\/\n',
        "é\u2028",
        "\U0001f600",
        " [",
        "{",
        '"',
        "4111",
        " 4121",
        "\\u0073ecret",
    ]
)
names = st.sampled_from(["a", "password", "passé", "gone", "Gone", "going", 'q"', "secret", "é"])
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([4111, 14122, -412212])
nested = st.booleans().map(lambda escapes: lambda value: json.dumps(value, ensure_ascii=escapes))
documents = st.recursive(
    st.none() | st.booleans() | numbers | strings,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(names, inner, max_size=4)
        | st.builds(lambda write, value: write(value), nested, inner)
    ),
    max_leaves=12,
)


def meant(value: Any) -> Any:
    """A text that is JSON is what it says; objects are their pairs, for two keys may become one."""
    if isinstance(value, str) and value[:1] in tuple(' \t\r\n"[{'):
        try:
            inner = json.loads(value, object_pairs_hook=lambda pairs: ("object", pairs))
        except ValueError:
            return value
        return value if isinstance(inner, int | float | None) else ("json", meant(inner))
    if isinstance(value, tuple):
        return ("object", [(meant(key), meant(item)) for key, item in value[1]])
    return [meant(item) for item in value] if isinstance(value, list) else value


def expected(value: Any) -> Any:
    """The same by the rules of `CONFIG`, in the simplest way."""
    if isinstance(value, str):
        return pattern(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        written = json.dumps(value)
        return value if pattern(written) == written else pattern(written)
    if isinstance(value, list):
        return [expected(item) for item in value]
    if value[0] == "json":
        return ("json", expected(value[1]))
    kept = [(key, item) for key, item in value[1] if name_of(key).lower() != "gone"]
    return (
        "object",
        [
            (expected(key), REDACTED if name_of(key).lower().startswith("pass") else expected(item))
            for key, item in kept
        ],
    )


def name_of(key: Any) -> str:
    return key if isinstance(key, str) else ""


def pattern(text: str) -> str:
    return re.sub("4[12]{3,}", REDACTED, re.sub("s[e3]cret", REDACTED, text))


@given(
    documents, st.booleans(), st.sampled_from([None, 2]), st.sampled_from([(", ", ": "), (",", ":"), (" ,\n", " :\t")])
)
def test_any_document_becomes_what_parsing_and_walking_through_it_would_make_of_it(
    redaction: Redaction, document: Any, escapes: bool, indent: int | None, separators: tuple[str, str]
) -> None:
    written = json.dumps([document], ensure_ascii=escapes, indent=indent, separators=separators)
    redacted = redaction.text(written)
    assert meant(redacted) == expected(meant(written))
    if meant(written) == expected(meant(written)):
        assert redacted == written


@given(st.text(alphabet='"\\{}[]:, \nu7pas', max_size=40), st.sampled_from(["", "[", '{"', '"']))
def test_what_no_rule_matches_is_not_touched_however_odd_it_is(text: str, beginning: str) -> None:
    redaction = Redaction.of(RedactConfig(patterns=("re:secret",), keys=("password",), drop=("gone",)))
    assert redaction.text(beginning + text) == beginning + text
    assert redaction.values == {"pattern": 0, "key": 0, "drop": 0}


@given(st.text(alphabet='"\\{}[]:, \nu7a', max_size=40), st.text(alphabet='"\\{}[]:, \nu7a', max_size=40))
def test_a_secret_between_any_odd_characters_is_found(before: str, after: str) -> None:
    for beginning in ("", "[", '{"'):
        redacted = Redaction.of(RedactConfig(patterns=("re:hunter2",))).text(f"{beginning}{before}hunter2{after}")
        assert "hunter2" not in redacted
