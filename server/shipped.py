"""What ships beside the code: images and examples, out of the checkout or out of the wheel."""

from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """A folder by its path in the checkout. A wheel has it inside the package, wherever that was installed to."""
    packed = _HERE / "shipped" / name
    return packed if packed.is_dir() else _HERE.parent / name
