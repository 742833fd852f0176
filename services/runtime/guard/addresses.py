"""Addresses as limits count them: an IPv6 network of one customer is one address."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

REMEMBERED = 4_096
LONGEST = 64
"""Of what is no address: a proxy's word is kept whole up to that length, and no longer."""


@lru_cache(REMEMBERED)
def counted_as(address: str) -> str:
    """The name under which an address is counted: itself; of IPv6 its /64, which one customer has
    for himself; of IPv4 within IPv6 the IPv4 address. What is no address stays as it is."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:LONGEST]
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ip_network((found, 64), strict=False))


class Networks:
    """Some addresses and networks, as a setting names them, parted by commas."""

    def __init__(self, named: str) -> None:
        self._networks = [
            ip_network(one, strict=False) for one in filter(None, map(str.strip, named.split(",")))
        ]

    def __contains__(self, address: str) -> bool:
        try:
            found = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        return any(found in network for network in self._networks)
