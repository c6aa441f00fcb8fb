"""Where requesters deliver private inputs: a small HTTP server that believes nothing."""

from .server import Inbox, ReadBody, serve

__all__ = ["Inbox", "ReadBody", "serve"]
