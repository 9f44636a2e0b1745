"""Connections of `wgan serve` that are closed when the other side is too slow: uvicorn itself waits for it without an end."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEAD = 10.0  # seconds in which the first line and the headers of a request must have come
TAKING = 120.0  # seconds in which an answer must have been taken


class Patient(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """uvicorn's own connection, with a limit on how long a request may be sent and an answer may be taken."""

    coming: asyncio.TimerHandle | None = None
    leaving: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self.look()

    def data_received(self, data: bytes) -> None:
        """Take what came, and wait for the rest of a request that it begins."""
        super().data_received(data)
        self.look()

    def look(self) -> None:
        """Close the connection in HEAD seconds unless the headers of a request are whole by then."""
        idle = self.cycle is None or self.cycle.response_complete
        if idle and self.coming is None:
            self.coming = self.loop.call_later(HEAD, self.transport.close)
        elif not idle and self.coming is not None:
            self.coming = ended(self.coming)

    def pause_writing(self) -> None:
        """Wait for the other side to take the answer, for TAKING seconds."""
        super().pause_writing()
        self.leaving = self.leaving or self.loop.call_later(TAKING, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the answer is nearly taken."""
        super().resume_writing()
        self.leaving = ended(self.leaving)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the waiting."""
        super().connection_lost(exc)
        self.coming, self.leaving = ended(self.coming), ended(self.leaving)


def ended(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    """Cancel a timer, where there is one, and return that there is none."""
    if timer is not None:
        timer.cancel()
    return None
