"""The built-in patterns find what they are named for, and little else; bad patterns are refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from taximeter_collector.redact import RedactConfig, Redaction, RedactionError
from taximeter_collector.redact.builtin import BUILTIN, REDACTED
from taximeter_collector.redact.checks import is_card
from taximeter_collector.redact.rules import Rules
from taximeter_collector.redact.texts import _finders

CORPUS = Path(__file__).parent / "corpus"
DIGITS = "4711" * 9
HEX = "0123456789abcdef" * 4

# What is found, and what of the text stays.
FOUND = {
    "email": [
        ("jane@example.com", "*"),
        ("write to Jane.O'Hara+bills@mail.example.co.uk, please", "write to *, please"),
        ("<jürgen@müller.example>", "<*>"),
        ("我的邮箱是jane@example.com。", "我的邮箱是*。"),
        ("jane@163.com and joe@3com.com", "* and *"),
        ("{jane@example.com}", "{*}"),
        ("id=jane@example.com&x=1", "id=*&x=1"),
    ],
    "credit-card": [
        ("4111111111111111", "*"),
        ("card: 4111 1111 1111 1111.", "card: *."),
        ("5555-5555-5555-4444, 378282246310005", "*, *"),
        ("3782 822463 10005 and 3056 930902 5904", "* and *"),
        ("6011111111111117;3530111333300000;2223003122003222", "*;*;*"),
        ("4111 1111 1111 1111 123", "* 123"),
        ("2024 4111 1111 1111 1111", "2024 *"),
        ("17,4111111111111111,9", "17,*,9"),
        ("4111111111111111.", "*."),
        ("4222222222222", "*"),
        ("6212345678900000003", "*"),
        ("_4111111111111111_", "_*_"),
    ],
    "iban": [
        ("DE89370400440532013000", "*"),
        ("to GB29 NWBK 6016 1331 9268 19 today", "to * today"),
        ("FR14 2004 1010 0505 0001 3M02 606, NL91ABNA0417164300", "*, *"),
        ("AB12 DE89 3704 0044 0532 0130 00 DE89 3704 0044 0532 0130 00 x", "AB12 * * x"),
        ("no9386011117947", "*"),
    ],
    "us-ssn": [("ssn 536-90-4399.", "ssn *."), ("(001-01-0001)", "(*)")],
    "ip-address": [
        ("from 192.0.2.17:443", "from *:443"),
        ("fe80::1, 2001:db8::1, 2001:0db8:0000:0000:0000:ff00:0042:8329", "*, *, *"),
        ("10.0.0.1.", "*."),
        ("a [2001:db8::8:800:200c:417a]", "a [*]"),
    ],
    "api-key": [
        (f"sk-proj-{HEX}", "*"),
        (f"key=sk-ant-api03-{HEX}_-x", "key=*"),
        (f"AIza{HEX[:35]}", "*"),
        ("AKIAIOSFODNN7EXAMPL2 is it", "* is it"),
        (f"ghp_{HEX[:36]}, glpat-{HEX[:20]}", "*, *"),
        (f"github_pat_{HEX}", "*"),
        ("xoxb-123456789012-abcdefgh", "*"),
        (f"sk_live_{HEX[:24]}", "*"),
        (f"hf_{HEX[:34]} gsk_{HEX[:52]} xai-{HEX} r8_{HEX[:37]} pplx-{HEX[:48]}", "* * * * *"),
        (f"'lsv2_pt_{HEX[:32]}_{HEX[:10]}'", "'*'"),
    ],
    "authorization": [
        (f"Authorization: Bearer {HEX}", "Authorization: *"),
        ("authorization: basic dXNlcjpwYXNzd29yZA==", "authorization: *"),
    ],
    "jwt": [("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl!", "token *!")],
    "private-key": [
        ("a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nb", "a\n*\nb"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE it was cut", "*"),
    ],
    "url-password": [
        ("postgresql+psycopg://user:p%40ss@db:5432/shop", "postgresql+psycopg://*@db:5432/shop"),
        ("redis://:secret@cache/0", "redis://*@cache/0"),
    ],
}
NOT_FOUND = {
    "email": [
        "icon@2x.png",
        "@property",
        "jane@localhost",
        "numpy@1.26",
        "a @ b.com",
        "https://x.example/@jane",
        "x@.com",
    ],
    "credit-card": [
        "4111111111111112",
        "1763700000000000000",  # nanoseconds since 1970
        "1763700000000000",
        "1763700000000",
        "0.4111111111111111",
        "chatcmpl-a4111111111111111",
        "4111111111111111f",
        "4111-1111 1111-1111",
        "12 4532 15 9911 2048 512 17 88",
        "411111111111111",
        "550e8400-e29b-41d4-a716-446655440000",
        "00000000000000000000",
    ],
    "iban": ["DE89370400440532013001", "DE8937040044053201300", "xDE89370400440532013000", "AA00112233445566778899"],
    "us-ssn": [
        "000-12-3456",
        "666-12-3456",
        "912-34-5678",
        "123-00-4567",
        "123-45-0000",
        "1123-45-6789",
        "123-45-67890",
    ],
    "ip-address": [
        "1.2.3.4.5",
        "v10.0.19041.1",
        "256.1.1.1",
        "12:30:45",
        "std::vector",
        "abc::def",
        "00:1a:2b:3c:4d:5e",
    ],
    "api-key": [
        "sk-learn-has-quite-a-long-name-for-it",
        "task-0123456789abcdef0123",
        "sk-123",
        "SKU",
        "ghp_",
        "hf_hub",
    ],
    "authorization": ["Bearer of good news", "basic internationalization", "the bearer authentication-is-required"],
    "jwt": ["eyJ", "eyJhbGciOiJIUzI1NiJ9", "keyJhbGciOiJIUzI1NiJ9.x.y"],
    "private-key": ["-----BEGIN PUBLIC KEY-----\nMIIE\n-----END PUBLIC KEY-----", "-----BEGIN CERTIFICATE-----"],
    "url-password": ["https://example.com:8080/a@b", "http://user@host/", "see https://a: b@c"],
}


def redacted(text: str, *patterns: str) -> str:
    return Redaction.of(RedactConfig(patterns=patterns)).text(text)


@pytest.mark.parametrize(("name", "text", "left"), [(name, *case) for name, cases in FOUND.items() for case in cases])
def test_what_is_meant_is_found(name: str, text: str, left: str) -> None:
    expected = left.replace("*", REDACTED)
    assert redacted(text, name) == expected
    assert redacted(json.dumps([text]), name) == json.dumps([expected], ensure_ascii=False)
    assert redacted("".join(['[1, "', *(f"\\u{ord(one):04x}" for one in text), '"]']), name) == json.dumps(
        [1, expected], ensure_ascii=False
    )
    assert redacted(json.dumps({"a": json.dumps({"b": text})}), name) == json.dumps(
        {"a": json.dumps({"b": expected}, ensure_ascii=False)}, ensure_ascii=False
    )


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in NOT_FOUND.items() for text in texts])
def test_what_only_looks_like_it_stays(name: str, text: str) -> None:
    assert redacted(text, name) == text
    assert redacted(json.dumps([text]), name) == json.dumps([text])


def test_every_pattern_has_examples_of_both() -> None:
    assert list(FOUND) == list(NOT_FOUND) == list(BUILTIN)


@given(st.randoms(use_true_random=True), st.sampled_from(["{}", "x {} y", "a,{},b", "({})", "\n{}\n"]))
def test_a_card_is_found_in_one_piece_and_in_groups(random: Random, around: str) -> None:
    digits = random.choice(["4", "51", "2221", "6011"])
    digits += "".join(random.choices("0123456789", k=15 - len(digits)))
    number = next(digits + last for last in "0123456789" if is_card(digits + last))
    groups = [number[at : at + 4] for at in range(0, 16, 4)]
    for written in (number, " ".join(groups), "-".join(groups)):
        assert redacted(around.format(written), "credit-card") == around.format(REDACTED)


@given(st.integers(0, 2**63 - 1), st.floats(allow_nan=False), st.uuids(), st.integers(0, 2**128 - 1))
def test_numbers_and_ids_are_taken_for_cards_only_if_they_could_be_one(
    whole: int, double: float, uuid: object, number: int
) -> None:
    assert (redacted(str(whole), "credit-card") == REDACTED) == is_card(str(whole))
    for text in (repr(double % 10), str(uuid), f"{number:032x}"):
        assert redacted(text, "credit-card") == text or text.isdecimal()


@pytest.mark.parametrize("entry", sorted(CORPUS.glob("*/*.json")), ids=lambda entry: entry.stem)
def test_what_libraries_emit_raises_no_false_alarm(entry: Path) -> None:
    """The corpus has no cards, accounts and keys; it has ids, fingerprints, signatures, times and prices."""
    patterns = [name for name in BUILTIN if name not in ("ip-address", "email")]
    requests = json.dumps([one["otlp"] for one in json.loads(entry.read_text("utf-8"))["requests"]], ensure_ascii=False)
    assert redacted(requests, *patterns) == requests


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("e-mail", "no built-in pattern is called 'e-mail'; did you mean 'email'?"),
        ("Acme Corp", "A regular expression begins with 're:', such as 're:Acme Corp'"),
        ("re:[", "'[' is no regular expression of RE2"),
        ("re:(?<=a)b", "which has no looking around and no references back"),
        (r"re:(a)\1", "invalid escape sequence"),
        ("re:a)(b", "is no regular expression"),
        ("re:x*", "matches where there is nothing"),
        ("re:", "matches where there is nothing"),
        (r"re:\b", "matches where there is nothing"),
        ("re:$", "matches where there is nothing"),
        (r"re:\\\C", r"has \C"),
        ("re:a{2000}", "invalid repetition size"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused_with_the_reason(pattern: str, said: str) -> None:
    with pytest.raises(RedactionError, match=r"^redact\.patterns: ") as refused:
        Redaction.of(RedactConfig(patterns=("email", pattern)))
    assert said in str(refused.value)


def test_a_regular_expression_needs_no_prefix_where_it_can_be_no_name() -> None:
    """As the meter has them in a variable of the same name."""
    assert redacted("order 1234, order 12", "[0-9]{4}", r"re:order") == f"{REDACTED} {REDACTED}, {REDACTED} 12"


def test_patterns_in_a_variable_are_a_line_each_and_names_may_share_one() -> None:
    from taximeter_collector.configuration import load

    def given(text: str) -> tuple[str, ...]:
        return load({}, {"TAXIMETER_REDACT_PATTERNS": text}).config.redact.patterns

    assert given("email, api-key\nre:[0-9]{3,4}\n\n") == ("email", "api-key", "re:[0-9]{3,4}")


def test_more_patterns_than_fit_into_one_expression_are_looked_for_one_by_one() -> None:
    patterns = [f"re:{number}" + "[a-f]{999}[0-9]{999}" * 10 for number in range(1000, 1060)]
    assert len(_finders(Rules.of(RedactConfig(patterns=tuple(patterns))).patterns)) == 60
    text = ("abc" * 333 + "7" * 999) * 10
    assert redacted(f"a 1017{text} 1060{text}", *patterns) == f"a {REDACTED} 1060{text}"


@pytest.mark.parametrize("part", ["a@", "sk-", "1234 ", "AB12", "1.", "f:", "[", '{"', "\\", "bearer ", "a://:"])
def test_no_text_takes_for_ever(part: str) -> None:
    """Quadratic time would be minutes."""
    text = part * (99_999 // len(part))
    assert redacted(text, *BUILTIN) == text
    assert redacted(json.dumps([text, text]), *BUILTIN) == json.dumps([text, text])
