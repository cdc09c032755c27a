"""The tier that a call was served in: one word for what providers spell in several attributes."""

from __future__ import annotations

__all__ = ["STANDARD", "tier_of"]

STANDARD = "standard"

# What the providers' own words mean. A word that stands nowhere here is kept as it is: nobody has a rate for it, so the
# call is not priced, which is right for capacity that was bought beforehand (scale, reserved, provisioned).
_MEANING = {
    "": STANDARD,
    "auto": STANDARD,
    "default": STANDARD,
    "standard_only": STANDARD,
    "on_demand": STANDARD,
    "traffic_type_unspecified": STANDARD,
    "service_tier_unspecified": STANDARD,
    "unspecified": STANDARD,
    "on_demand_flex": "flex",
    "on_demand_priority": "priority",
}


def tier_of(service_tier: str | None = None, processing: str | None = None, speed: str | None = None) -> str:
    """The tier, from the service tier of the response (else of the request), `taximeter.processing`, and a speed.

    `service_tier` is what OpenAI, Anthropic and Bedrock call so, or Gemini's traffic type; `speed` is Anthropic's.

    >>> tier_of("default"), tier_of("ON_DEMAND_FLEX"), tier_of("default", processing="batch"), tier_of("scale")
    ('standard', 'flex', 'batch', 'scale')
    """
    if processing and processing.lower() == "batch":
        return "batch"
    if speed and speed.lower() == "fast":
        return "fast"
    said = (service_tier or "").strip().lower().replace("-", "_")
    return _MEANING.get(said, said)
