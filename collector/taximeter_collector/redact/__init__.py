"""What must not be kept is taken out: after decoding, before anything else looks at a record.

>>> from taximeter_collector.redact import RedactConfig, Redaction
>>> redaction = Redaction.of(RedactConfig(patterns=("email",), keys=("password",)))
>>> redaction.text('{"to": "jane@example.com", "password": "secret", "times": 2}')
'{"to": "[redacted]", "password": "[redacted]", "times": 2}'
"""

from typing import TYPE_CHECKING, Any

from taximeter_collector.redact.config import RedactConfig
from taximeter_collector.redact.errors import RedactionError

if TYPE_CHECKING:
    from taximeter_collector.redact.redaction import Redaction

__all__ = ["RedactConfig", "Redaction", "RedactionError"]


def __getattr__(name: str) -> Any:
    """Load Arrow with the first use: every process has the settings, and most redact nothing."""
    if name == "Redaction":
        from taximeter_collector.redact.redaction import Redaction

        return Redaction
    raise AttributeError(name)
