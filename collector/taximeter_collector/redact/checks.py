"""What a regular expression cannot tell: check digits, lengths by country, whether a word is a key.

Each function gets a text that its hint was found in. All expressions here are bounded, or begin with what is rare, so
that no text takes them more than time proportional to its length.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable

__all__ = [
    "API_KEY_BEGIN",
    "API_KEY_HINT",
    "AUTHORIZATION",
    "CARD_DIGITS",
    "CARD_HINT",
    "IBAN_BEGIN",
    "IBAN_HINT",
    "IP_HINT",
    "SSN_HINT",
    "is_card",
    "is_iban",
    "without_api_keys",
    "without_cards",
    "without_credentials",
    "without_ibans",
    "without_ips",
    "without_ssns",
]


def _replacing(regex: str, is_meant: Callable[[str], bool]) -> Callable[[str, str], str]:
    compiled = re.compile(regex, re.ASCII)

    def replaced(text: str, replacement: str) -> str:
        return compiled.sub(lambda found: replacement if is_meant(found[0]) else found[0], text)

    return replaced


def _scanned(text: str, replacement: str, starts: re.Pattern[str], end_of: Callable[[str, int], int | None]) -> str:
    """With what begins at one of these starts and has an end replaced. What has none may hold another's start."""
    parts, done = [], 0
    for start in starts.finditer(text):
        if start.start() >= done and (end := end_of(text, start.start())):
            parts += [text[done : start.start()], replacement]
            done = end
    return "".join(parts) + text[done:]


# Payment cards: 13 to 19 digits in one piece, or in the groups in which they are embossed. Digits inside a word or
# behind a decimal point are none: every fiftieth double would pass the rest of the test.
CARD_DIGITS = "[0-9]{13}|[0-9]{4}[ -][0-9]{4}[ -][0-9]{4}[ -][0-9]|[0-9]{4}[ -][0-9]{6}[ -][0-9]{4}"
CARD_HINT = rf"(?:^|[^0-9A-Za-z.]|[^0-9]\.|^\.)(?:{CARD_DIGITS})"
_BEFORE = r"(?<![0-9A-Za-z])(?<!\d\.)"
_AFTER = r"(?![0-9A-Za-z]|\.0{0,30}[1-9])"
_CARD_START = re.compile(rf"{_BEFORE}(?=\d{{4}})", re.ASCII)
# In one piece; as Visa and most others; as Visa with 13; as American Express and Diners Club.
_CARD_SHAPES = [
    re.compile(shape + _AFTER, re.ASCII)
    for shape in (
        r"\d{13,19}",
        r"\d{4}([ -])\d{4}\1\d{4}\1\d{4}\1\d{1,3}",
        r"\d{4}([ -])\d{4}\1\d{4}\1\d{1,4}",
        r"\d{4}([ -])\d{6}\1\d{4,5}",
    )
]
# First digits, and how many there are, by network: Visa, Mastercard, American Express, Discover, JCB, Diners Club,
# UnionPay, Maestro.
_NETWORKS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|6(?:011|4[4-9]\d|5\d\d)\d{12,15}|35(?:2[89]|[3-8]\d)\d{12,15}|3(?:0[0-5]|[68]\d|9\d)\d{11,16}|62\d{14,17}"
    r"|(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{8,15}",
    re.ASCII,
)


def is_card(digits: str) -> bool:
    """Whether a network has such numbers, and the check digit is right.

    >>> is_card("4111111111111111"), is_card("4111111111111112"), is_card("1763700000000000000")
    (True, False, False)
    """
    return bool(_NETWORKS.fullmatch(digits)) and _luhn(digits)


def _luhn(digits: str) -> bool:
    doubled = ("0", "2", "4", "6", "8", "1", "3", "5", "7", "9")
    turned = digits[::-1]
    return sum(map(int, turned[::2])) % 10 == -sum(int(doubled[int(digit)]) for digit in turned[1::2]) % 10


def without_cards(text: str, replacement: str) -> str:
    """Without card numbers. In `4111 1111 1111 1111 123` the last three are perhaps the security code.

    >>> without_cards("card 4111 1111 1111 1111, order 4111111111111112", "*")
    'card *, order 4111111111111112'
    """
    return _scanned(text, replacement, _CARD_START, _end_of_card)


def _end_of_card(text: str, start: int) -> int | None:
    for shape in _CARD_SHAPES:
        found = shape.match(text, start)
        if found and is_card(re.sub("[ -]", "", found[0])):
            return found.end()
    return None


# International bank account numbers: how long they are is known for each country.
IBAN_BEGIN = "[A-Za-z]{2}[0-9]{2}[ -]?[A-Za-z0-9]{4}[ -]?[A-Za-z0-9]{4}"
IBAN_HINT = f"(?:^|[^0-9A-Za-z]){IBAN_BEGIN}"
_IBAN_START = re.compile(r"(?<![0-9A-Za-z])(?=[A-Za-z]{2}\d{2}[ -]?[0-9A-Za-z])", re.ASCII)
_COUNTRIES = (
    "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BR29BY28CH21CR22CY28CZ24DE22DK18DO28EE20EG29ES24FI18FO18FR27GB22GE22GI23GL18"
    "GR27GT28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MR27MT31MU30NL18NO15"
    "PK24PL28PS29PT25QA29RO24RS22SA24SC31SE24SI19SK24SM27ST25SV28TL23TN24TR26UA29VA22VG24XK20"
)
_LENGTHS = {_COUNTRIES[at : at + 2]: int(_COUNTRIES[at + 2 : at + 4]) for at in range(0, len(_COUNTRIES), 4)}


def is_iban(text: str) -> bool:
    """Whether the check digits are right, and the length is that of the country.

    >>> is_iban("DE89370400440532013000"), is_iban("DE88370400440532013000")
    (True, False)
    """
    return (
        len(text) == _LENGTHS.get(text[:2]) and int("".join(str(int(one, 36)) for one in text[4:] + text[:4])) % 97 == 1
    )


def without_ibans(text: str, replacement: str) -> str:
    """Without bank account numbers. What follows one may look like a part of it.

    >>> without_ibans("to DE89 3704 0044 0532 0130 00 today", "*")
    'to * today'
    """
    return _scanned(text, replacement, _IBAN_START, _end_of_iban)


def _end_of_iban(text: str, start: int) -> int | None:
    wanted = _LENGTHS.get(text[start : start + 2].upper(), 0)
    if not wanted:
        return None
    number, end = "", start
    while end < len(text) and len(number) < wanted and (text[end].isalnum() or text[end] in " -"):
        number += text[end].strip(" -")
        end += 1
    ended = not text[end : end + 1].isalnum()
    return end if ended and number.isascii() and is_iban(number.upper()) else None


# Social security numbers of the United States, only as they are written: nine digits alone can be anything.
SSN_HINT = r"[0-9]{3}-[0-9]{2}-[0-9]{4}"
without_ssns = _replacing(
    r"(?<![0-9A-Za-z-])\d{3}-\d{2}-\d{4}(?![0-9A-Za-z-])",
    lambda found: found[:3] not in ("000", "666") and found[0] != "9" and found[4:6] != "00" and found[7:] != "0000",
)

IP_HINT = r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{0,4}:"
_IPS = (
    r"(?<![0-9A-Za-z.])\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![0-9A-Za-z]|\.\d)"
    r"|(?<![0-9A-Za-z:.])[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:.]{2,40}(?<![:.])(?![0-9A-Za-z:])"
)


def _is_address(found: str) -> bool:
    """`abc::def` is an address, too; much more often it is a name in a program."""
    try:
        address = ipaddress.ip_address(found)
    except ValueError:
        return False
    groups = [group for group in found.split(":") if group]
    return address.version == 4 or len(groups) > 2 or re.match(r"(?i)[23f][0-9a-f]{3}:", found) is not None


without_ips = _replacing(_IPS, _is_address)

# Keys of services, by how they begin. Those that are just letters and digits cannot be known.
API_KEY_BEGIN = (  # short, because an expression is compiled anew for each column
    r"(?:sk-|AIza|AKIA|ASIA|ABIA|ACCA|ABSK|gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|xapp-|[rs]k_(?:live|test)_|whsec_"
    r"|hf_|gsk_|xai-|r8_|pplx-|nvapi-|fw_|tvly-|lsv2_|SG\.|npm_|pypi-|dop_v1_|dapi|SK)[A-Za-z0-9]"
)
API_KEY_HINT = rf"\b{API_KEY_BEGIN}"
_API_KEY = (
    r"\b(?:sk-[A-Za-z0-9_-]{20,}|AIza[A-Za-z0-9_-]{35}|(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}|ABSK[A-Za-z0-9+/=]{40,}"
    r"|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,}|glpat-[A-Za-z0-9_-]{20,}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{20,}|[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9]{24,}"
    r"|hf_[A-Za-z0-9]{30,}|gsk_[A-Za-z0-9]{40,}|xai-[A-Za-z0-9]{40,}|r8_[A-Za-z0-9]{30,}|pplx-[A-Za-z0-9]{40,}"
    r"|nvapi-[A-Za-z0-9_-]{50,}|fw_[A-Za-z0-9]{20,}|tvly-[A-Za-z0-9-]{20,}|lsv2_(?:pt|sk)_[A-Za-z0-9_]{32,}"
    r"|SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,}|dop_v1_[a-f0-9]{64}"
    r"|dapi[a-f0-9]{32}|SK[a-f0-9]{32})"
)
without_api_keys = _replacing(
    _API_KEY,
    lambda found: re.search("[0-9]", found[4:]) is not None and re.search("[A-Za-z]", found[4:]) is not None,
)

AUTHORIZATION = r"\b(?i:bearer|basic)[\s:]{1,8}[A-Za-z0-9._~+/=-]{8,}"


def _is_credential(found: str) -> bool:
    scheme, word = re.split(r"[\s:]+", found, maxsplit=1)
    if scheme.lower() == "bearer":
        return len(word) >= 16 and re.search("[0-9]", word) is not None
    try:
        return b":" in base64.b64decode(word.rstrip(".=") + "==", validate=False)
    except (ValueError, binascii.Error):
        return False


without_credentials = _replacing(AUTHORIZATION, _is_credential)
