"""Outside a request there is no caller, and so no call."""

import pytest

from server.front.caller import NoCaller, request_caller


@pytest.mark.promise("caller.known")
def test_where_there_is_no_token_there_is_no_caller() -> None:
    with pytest.raises(NoCaller):
        request_caller()
