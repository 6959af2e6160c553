"""What every table of the settings is: whatever it does not know is an error, and nothing changes it."""

from pydantic import BaseModel, ConfigDict


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
