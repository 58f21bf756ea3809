"""The service manager's protocol, sd_notify(3): READY, WATCHDOG, STATUS, STOPPING over a datagram socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from loguru import logger


class Notifier:
    """Speaks to the socket named by NOTIFY_SOCKET; without one it says nothing."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """Read the address, and the watchdog's time if it is meant for this process."""
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address  # "@": abstract name
        meant_for = environment.get("WATCHDOG_PID", "")
        wanted = not meant_for or meant_for == str(os.getpid())
        self.watchdog_seconds = int(environment.get("WATCHDOG_USEC", "0")) / 1e6 if wanted else 0.0

    def ready(self, status: str) -> None:
        """Say that the start is over."""
        self._send("READY=1", _status(status))

    def status(self, status: str) -> None:
        """Give one line for `systemctl status`."""
        self._send(_status(status))

    def watchdog(self) -> None:
        """Say that all is alive; to be called at least every `watchdog_seconds`."""
        if self.watchdog_seconds:
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._send("STOPPING=1")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.sendto("\n".join(lines).encode("utf-8", "replace"), self._address)
        except OSError as error:  # the service manager's trouble must not be the clips'
            logger.debug("NOTIFY_SOCKET does not answer: {}", error)


def _status(text: str) -> str:
    return "STATUS=" + " ".join(text.split())
