"""What the file tools answer, as text for a model: never structured, for some hosts would show it nothing else."""

import json
from collections.abc import Iterable
from typing import Any

from mcp.types import CallToolResult, ImageContent, TextContent

from server.front.results import plain
from server.sandbox.edits import Edited
from server.sandbox.files import Written
from server.sandbox.reading import MAX_CHARS, Binary, Image, Text
from server.sandbox.sandbox import Listing

MOST_ENTRIES = 5000
MARKS = {"directory": "/", "link": "@", "fifo": "|", "device or socket": "="}


def next_call(tool: str, arguments: dict[str, Any], **changed: Any) -> str:
    """The call that reads on, to be made as it stands."""
    merged = {**arguments, **changed}
    return f"{tool}({', '.join(f'{name}={_literal(value)}' for name, value in merged.items() if value is not None)})"


def _literal(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def visible(name: str) -> str:
    """A file name may hold anything but / and NUL; what would forge lines or is no text is shown escaped.

    As a JSON string where a tool can be given it, as bash spells bytes ($'...') where only a shell can.
    """
    if any("\udc80" <= char <= "\udcff" for char in name):
        return f"$'{''.join(map(_as_bash, name))}'"
    return name if name.isprintable() else json.dumps(name)


def _as_bash(char: str) -> str:
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"
    if char in "'\\":
        return f"\\{char}"
    return char if char.isprintable() else "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))


def show_read(content: Text | Binary | Image, arguments: dict[str, Any]) -> CallToolResult:
    match content:
        case Text():
            return plain(_text(content, arguments))
        case Image():
            said = TextContent(type="text", text=f"[{content.mime}, {len(content.data)} bytes]")
            return CallToolResult(
                content=[ImageContent(type="image", data=content.base64, mime_type=content.mime), said]
            )
        case Binary():
            return plain(_binary(content, arguments))


def _text(content: Text, arguments: dict[str, Any]) -> str:
    notes = [*content.remarks, *_rest(content, arguments)]
    shown = _numbered(content) if arguments.get("encoding") == "numbered" else content.text
    if not content.size:
        return "(the file is empty)"
    return f"{shown}{'' if shown.endswith(chr(10)) else chr(10)}[{'; '.join(notes)}]" if notes else shown


def _numbered(content: Text) -> str:
    lines = content.text.split("\n")
    lines = lines if lines[-1] or len(lines) == 1 else lines[:-1]
    return "".join(f"{content.first + place}\t{line.removesuffix(chr(13))}\n" for place, line in enumerate(lines))


def _rest(content: Text, arguments: dict[str, Any]) -> list[str]:
    """What was left out, and the calls for it."""
    if content.first == 1 and content.next_line is None:
        return []
    total = str(content.total) if content.total is not None else f"many ({content.size} bytes)"
    notes = [f"lines {content.first}-{content.last} of {total}"]
    if content.cut is not None:
        bytes_of = next_call("file_read", arguments, encoding="base64", offset=content.cut + 1, limit=None)
        notes.append(f"line {content.last} is longer than an answer holds: {bytes_of} reads on in it, in bytes")
    if content.next_line is not None and content.next_line <= (content.total or content.next_line):
        notes.append(f"{next_call('file_read', arguments, offset=content.next_line)} reads on")
    return notes


def _binary(content: Binary, arguments: dict[str, Any]) -> str:
    end = content.start + len(content.data)
    if not content.size:
        return "(the file is empty)"
    if content.start == 0 and end >= content.size:
        return content.base64
    more = f"; {next_call('file_read', arguments, offset=end + 1)} reads on" if end < content.size else ""
    return f"{content.base64}\n[bytes {content.start + 1}-{end} of {content.size}{more}]"


def show_written(written: Written) -> CallToolResult:
    verb = "created" if written.created else "wrote"
    return plain(f"{verb} {visible(written.path)} ({written.size} bytes){_names(written.names)}")


def show_edited(edited: Edited) -> CallToolResult:
    times = f", {edited.replacements} places" if edited.replacements > 1 else ""
    crlf = "; line endings kept as CRLF" if edited.crlf else ""
    return plain(f"edited {visible(edited.path)}{times}{crlf}{_names(edited.names)}\n{edited.diff}")


def _names(names: int) -> str:
    return f"\n[the file had {names} names (hard links); the others keep the old content]" if names > 1 else ""


def show_entries(listing: Listing, arguments: dict[str, Any]) -> CallToolResult:
    lines = within(f"{visible(entry.name)}{MARKS.get(entry.kind, '')}" for entry in listing.entries)
    return plain("\n".join([*lines, *_more_entries(listing, len(lines), arguments)]) or "(the directory is empty)")


def within(lines: Iterable[str]) -> list[str]:
    """As many as one answer holds."""
    room, kept = MAX_CHARS, list[str]()
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return kept


def _more_entries(listing: Listing, shown: int, arguments: dict[str, Any]) -> list[str]:
    left = listing.total - shown
    if not left and listing.whole:
        return []
    more = f"{left} more" if listing.whole else f"more than {left} more, in no order"
    wider = next_call("file_list", arguments, limit=min(MOST_ENTRIES, listing.total))
    raised = f"{wider} lists more, " if shown == arguments["limit"] < MOST_ENTRIES else ""
    narrower = next_call("file_list", arguments, glob="/a*", limit=None)
    return [f"[{more}; {raised}{narrower} only those that begin with a]"]
