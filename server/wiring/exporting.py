"""To whom the settings want lines of the audit sent, beside the file."""

from typing import assert_never

from server.record.audit import Audit
from server.record.collector import Collector, OtlpLogs, Poster
from server.record.export import Export
from server.record.sink import Sink, native, ocsf
from server.record.syslog import Syslog
from server.record.trail import Trail
from server.sandbox.sandbox import MIB
from server.settings.audit import ExportSettings
from server.settings.settings import Settings


def exports_for(settings: Settings, audit: Audit) -> list[Export]:
    """Each begins with the newest line there is, or goes on from what any server had sent before."""
    return [
        Export(
            told.name,
            _sink(told),
            Trail(settings.audit_file, audit.head.sequence - 1),
            told.backlog_mb * MIB,
            audit.write,
        )
        for told in settings.audit.export
    ]


def _sink(told: ExportSettings) -> Sink:
    form = ocsf if told.format == "ocsf" else native
    match told.kind:
        case "syslog":
            return Syslog(told.url, form, told.ca)
        case "https":
            return Collector(form, Poster(told.url, told.ca, told.token_file))
        case "otlp":
            return OtlpLogs(form, Poster(told.url, told.ca, told.token_file))
        case _:
            assert_never(told.kind)
