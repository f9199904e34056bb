"""The faults of one link: which are planned, which are in force, and which have struck."""

import asyncio
from collections.abc import Callable

from livechat.server.close_reasons import Rejected, closed
from livechat.server.fault_plan import KINDS, Fault
from livechat.server.link_record import LinkHost, LinkRecord


class LinkFaults:
    """The faults of the link of `record`, which opens now. `active`: those in force at the moment, by kind."""

    def __init__(self, host: LinkHost, record: LinkRecord, faults: tuple[Fault, ...]) -> None:
        self.record = record
        self.opened = asyncio.get_running_loop().time()
        self.active: dict[str, Fault] = {}
        self._host = host
        self._faults = faults

    def planned(self, kind: str) -> Fault | None:
        """The planned fault of this kind. To ask does not make it strike."""
        return next((fault for fault in self._faults if fault.kind == kind), None)

    def strikes(self, kind: str) -> Fault | None:
        """The planned fault of this kind. If there is one, it strikes now."""
        fault = self.planned(kind)
        if fault:
            self.note(fault)
        return fault

    def note(self, fault: Fault) -> None:
        self.record.faults.append(fault.kind)
        age = asyncio.get_running_loop().time() - self.opened
        self._host.event(type="fault", n=self.record.n, t=round(age, 3), fault=fault.kind)

    def schedule(self, strike: Callable[[Fault], None]) -> list[asyncio.TimerHandle]:
        """Have `strike` called with each fault at its time. A fault that takes no time is asked for by `strikes`."""
        loop = asyncio.get_running_loop()
        timed = [fault for fault in self._faults if KINDS[fault.kind].at != "no"]
        return [loop.call_at(self.opened + fault.at, strike, fault) for fault in timed]

    def admit(self, *, resumes: bool) -> None:
        """Raise Rejected if a fault forbids setupComplete. `resumes`: the client showed a handle."""
        links = self._host.links
        if fault := self.strikes("setup-close"):
            raise Rejected(fault.code, fault.reason)
        if self.record.n > 1 and self.strikes("spent-token"):
            raise closed("unavailable")
        others = sum(link.open for link in links) - 1
        if (fault := self.planned("concurrent-limit")) and others >= fault.value:
            self.note(fault)
            raise closed("concurrent")
        refused = sum("refuse-handle" in link.faults for link in links)
        if resumes and (fault := self.planned("refuse-handle")) and (not fault.value or refused < fault.value):
            self.note(fault)
            raise closed("internal" if fault.value else "no-session")
