"""How a person names a caller: in full, `sandgate|ann`, or without who vouches for them, `ann`."""


def is_of(owner: str, named: str | None) -> bool:
    """Whether that is who was named; None names everybody."""
    return named in (None, owner, owner.rpartition("|")[2])
