"""The settings of what is unusual: from which number on, in which time, and what follows."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from server.settings.table import Table


class Threshold(Table):
    """[anomalies.NAME]: `count` in `window_s` of one caller is unusual; 0: nothing is."""

    count: Annotated[int, Field(ge=0)]
    window_s: Annotated[float, Field(ge=1, le=3600)] = 60.0
    effect: Literal["record", "ask", "freeze"] = "record"


class AnomalySettings(Table):
    denials: Threshold = Threshold(count=20)  # calls that the policy denied
    sent_mb: Threshold = Threshold(count=500, window_s=600)  # that left sandboxes
    new_hosts: Threshold = Threshold(count=50, window_s=600)  # asked for the first time, allowed or not
    failed_files: Threshold = Threshold(count=100)  # file tools that found no file, or none that they may have
    failed_logins: Threshold = Threshold(count=20)  # requests without a good token, of one address

    @field_validator("failed_logins")
    @classmethod
    def _has_no_session(cls, told: Threshold) -> Threshold:
        if told.effect != "record":
            raise ValueError(
                "nobody has logged in, so there is no session to ask about or freeze: its effect is record"
            )
        return told
