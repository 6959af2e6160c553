"""What the standard library imports only when it needs it. Forks of the agent that have become uid 1000, or hold to a
policy's paths, cannot read its modules any more: so all of it is there before, and in the volume."""

import encodings.ascii
import encodings.latin_1
import encodings.utf_16
import encodings.utf_16_be
import encodings.utf_16_le
import unicodedata
import warnings

__all__ = ["encodings", "unicodedata", "warnings"]
