"""The settings of what people are asked."""

from typing import Annotated

from pydantic import Field

from server.settings.table import Table


class ApprovalSettings(Table):
    pending_s: Annotated[float, Field(ge=10, le=86400)] = (
        900.0  # a question waits so long, and so does a yes for its call
    )
