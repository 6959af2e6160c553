"""Fail closed: mitmproxy logs an exception in a hook and lets the traffic pass, so no hook of ours may leak one."""

import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any

from mitmproxy.flow import Error
from mitmproxy.hooks import all_hooks

log = logging.getLogger("egress")


class Gone(Exception):
    """A hook came for a connection of a sandbox that is over; whatever it was about ends, and there is nothing to say."""


def every_hook_fails_closed[T: type](addon: T) -> T:
    """Class decorator: an exception in any hook of the addon ends in `self.cut(data, hook)` and nowhere else."""
    for name in all_hooks.keys() & vars(addon).keys():
        setattr(addon, name, _guarded(getattr(addon, name)))
    return addon


def _guarded(hook: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    if inspect.iscoroutinefunction(hook):

        @functools.wraps(hook)
        async def waiting(self: Any, data: Any) -> None:
            try:
                await hook(self, data)
            except Gone:
                _cut(self, hook, data)
            except Exception:
                log.exception("Refused, because the gate's own %s failed.", hook.__name__)
                _cut(self, hook, data)

        return waiting

    @functools.wraps(hook)
    def direct(self: Any, data: Any) -> None:
        try:
            hook(self, data)
        except Gone:
            _cut(self, hook, data)
        except Exception:
            log.exception("Refused, because the gate's own %s failed.", hook.__name__)
            _cut(self, hook, data)

    return direct


def _cut(addon: Any, hook: Callable[..., Any], data: Any) -> None:
    try:
        addon.cut(data, hook.__name__)
    except Exception:
        log.exception("Refusing failed too; the flow is killed.")
        (data.server if hasattr(data, "server") else data).error = Error(Error.KILLED_MESSAGE)
