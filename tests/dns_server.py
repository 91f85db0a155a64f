"""A DNS server on a socket of this machine, which answers what a test tells it to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset


class DnsServer(asyncio.DatagramProtocol):
    """Answers over UDP. ``asked`` is every name and type, in order."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.rcodes: dict[str, dns.rcode.Rcode] = {}  # by zone
        self.silent = False
        self.asked: list[tuple[str, str]] = []
        self.address = ""

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.DatagramTransport = transport
        host, port = transport.get_extra_info("sockname")[:2]
        self.address = f"{host}:{port}"

    def zone(self, zone: str) -> None:
        """Have a block list that works, with nothing but its test entry."""
        self.put(f"2.0.0.127.{zone}", "127.0.0.2")

    def put(self, name: str, *codes: str, reason: str = "") -> None:
        self.records[name, "A"] = list(codes)
        if reason:
            self.records[name, "TXT"] = [f'"{reason}"']

    def take(self, name: str) -> None:
        for kind in ("A", "TXT"):
            self.records.pop((name, kind), None)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        question = dns.message.from_wire(data)
        (asked,) = question.question
        name = asked.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(asked.rdtype)
        self.asked.append((name, kind))
        if self.silent:
            return
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        rcode = next((code for zone, code in self.rcodes.items() if name.endswith(zone)), None)
        texts = self.records.get((name, kind))
        if rcode is not None:
            answer.set_rcode(rcode)
        elif texts:
            answer.answer.append(dns.rrset.from_text_list(asked.name, 60, "IN", kind, texts))
        elif not any(known == name for known, _ in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self._transport.sendto(answer.to_wire(), addr)


@asynccontextmanager
async def dns_server() -> AsyncIterator[DnsServer]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(DnsServer, local_addr=("127.0.0.1", 0))
    try:
        yield server
    finally:
        transport.close()
