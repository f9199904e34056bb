"""What one link is to suffer, and what of it has come to pass."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from livechat.server.close_reasons import Rejected, closed
from livechat.server.fault_plan import KINDS, Fault
from livechat.server.link_record import LinkHost, LinkRecord


class LinkFaults:
    """The faults of the link of `record`, from its opening on, which is now.

    `manners` are those that hold now, by their kinds.
    """

    def __init__(self, host: LinkHost, record: LinkRecord, faults: tuple[Fault, ...]) -> None:
        self.record = record
        self.opened = asyncio.get_running_loop().time()
        self.manners: dict[str, Fault] = {}
        self._host = host
        self._faults = faults

    def planned(self, kind: str) -> Fault | None:
        """The fault of this kind, which has not struck by being asked for."""
        return next((fault for fault in self._faults if fault.kind == kind), None)

    def suffers(self, kind: str) -> Fault | None:
        """The fault of this kind; if there is one, it strikes now."""
        fault = self.planned(kind)
        if fault:
            self.note(fault)
        return fault

    def note(self, fault: Fault) -> None:
        """`fault` strikes."""
        self.record.faults.append(fault.kind)
        age = asyncio.get_running_loop().time() - self.opened
        self._host.event(type="fault", n=self.record.n, t=round(age, 3), fault=fault.kind)

    def schedule(self, strike: Callable[[Fault], None]) -> list[asyncio.TimerHandle]:
        """Have every fault that has a time given to `strike` then; the others are asked for in their place."""
        loop = asyncio.get_running_loop()
        timed = [fault for fault in self._faults if KINDS[fault.kind].at != "no"]
        return [loop.call_at(self.opened + fault.at, strike, fault) for fault in timed]

    def admit(self, *, resumes: bool) -> None:
        """Raise Rejected if there shall be no setupComplete. `resumes`: the client showed a handle."""
        links = self._host.links
        if fault := self.suffers("setup-close"):
            raise Rejected(fault.code, fault.reason)
        if self.record.n > 1 and self.suffers("spent-token"):
            raise closed("unavailable")
        others = sum(link.open for link in links) - 1
        if (fault := self.planned("concurrent-limit")) and others >= fault.value:
            self.note(fault)
            raise closed("concurrent")
        refused = sum("refuse-handle" in link.faults for link in links)
        if resumes and (fault := self.planned("refuse-handle")) and (not fault.value or refused < fault.value):
            self.note(fault)
            raise closed("internal" if fault.value else "no-session")
