"""Sources: where a call comes from: the address of its socket, or what a trusted proxy says of the one behind it.

``X-Forwarded-For`` can be written by anybody, so that each guess would seem to come from somewhere else. It is read only where
the socket is a proxy's that the settings name, from its right end: each proxy adds the address that it saw there. The first
address from the right that is no trusted proxy counts, and everything to the left of it was written by strangers.
"""

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

from starlette.types import Scope

from bot.intake.http.calls import headers_called

NETWORK_BITS: Final = 64
"""An IPv6 caller can have as many addresses as it likes below this prefix, so the prefix is its address."""

_MAPPED_BITS: Final = 96
"""Where the IPv4 address begins in an IPv6 one that stands for it."""

MOST_HOPS: Final = 16
"""How many addresses are read from the right; nobody has more proxies in a row."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_WITH_PORT: Final = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}", re.ASCII)


class Sources:
    """Tells where calls come from."""

    def __init__(self, trusted: Iterable[Network] = ()) -> None:
        """Keep the networks of the proxies whose word counts."""
        self._trusted = tuple(map(_unmapped, trusted))

    def of(self, scope: Scope) -> str:
        """Return where a call came from: an IPv4 address or an IPv6 network, or ``unknown``."""
        client = scope.get("client")
        address = None if not client else address_in(client[0])
        if address is None:
            return "unknown"
        if self._trusts(address):
            address = self._behind(scope, address)
        return _named(address)

    def is_proxy(self, source: str) -> bool:
        """Tell whether *source*, as :meth:`of` names the far end of a socket, stands for many callers."""
        try:
            network = ipaddress.ip_network(source)
        except ValueError:
            return False
        return any(network.version == one.version and network.overlaps(one) for one in self._trusted)

    def _behind(self, scope: Scope, proxy: Address) -> Address:
        """Return the first address from the right that is no proxy's; the last proxy's where the header cannot be read."""
        said = b",".join(headers_called(scope, b"x-forwarded-for")).decode("latin-1")
        seen = proxy
        for hop in said.rsplit(",", MOST_HOPS)[::-1][:MOST_HOPS]:
            address = address_in(hop.strip())
            if address is None:
                return seen
            seen = address
            if not self._trusts(address):
                return seen
        return seen

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


def address_in(text: str) -> Address | None:
    """Return the address that *text* is, with or without a port or a zone; None where it is none."""
    found = _WITH_PORT.fullmatch(text)
    bare = (found[1] or found[2]) if found else text.partition("%")[0]
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped


def _unmapped(network: Network) -> Network:
    """Return *network* in IPv4 where it is one that is written in IPv6, since callers' addresses are told so, too."""
    first = network.network_address
    mapped = first.ipv4_mapped if isinstance(first, ipaddress.IPv6Address) else None
    if mapped is None or network.prefixlen < _MAPPED_BITS:
        return network
    return ipaddress.ip_network((mapped, network.prefixlen - _MAPPED_BITS))


def _named(address: Address) -> str:
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((address, NETWORK_BITS), strict=False))
