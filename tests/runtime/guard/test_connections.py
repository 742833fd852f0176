"""Connections on which nobody known has spoken: how many there may be, and which give way."""

import pytest

from services.runtime.guard.addresses import LONGEST, Networks, counted_as
from services.runtime.guard.connections import OF_ADDRESS, YOUNG_SECONDS, Connections
from tests.runtime.access.test_gate import Clock


class Peer:
    """A connection that notes when it ends."""

    def __init__(self, *, idle: bool = True) -> None:
        self.idle = idle
        self.ended = False

    def hang_up(self) -> None:
        self.ended = True


def opened(connections: Connections, number: int, address: str, *, idle: bool = True) -> list[Peer]:
    peers = [Peer(idle=idle) for _ in range(number)]
    for peer in peers:
        connections.opened(peer, address)
    return peers


def ended(peers: list[Peer]) -> int:
    return sum(peer.ended for peer in peers)


def test_of_an_addresss_idle_connections_the_oldest_give_way() -> None:
    clock = Clock()
    connections = Connections(clock=clock)
    busy = opened(connections, 10, "1.1.1.1", idle=False)
    idle = opened(connections, OF_ADDRESS - 10, "1.1.1.1")
    other = opened(connections, OF_ADDRESS, "2.2.2.2")
    clock.now += 2 * YOUNG_SECONDS
    new = opened(connections, 5, "1.1.1.1")
    assert [peer.ended for peer in idle[:6]] == [True] * 5 + [False]
    assert ended(busy) == ended(other) == ended(new) == 0


def test_who_comes_in_a_crowd_is_heard_first() -> None:
    clock = Clock()
    connections = Connections(clock=clock)
    crowd = opened(connections, 3 * OF_ADDRESS, "1.1.1.1")
    assert not ended(crowd)
    clock.now += 2 * YOUNG_SECONDS
    opened(connections, 1, "1.1.1.1")
    assert ended(crowd) == 2 * OF_ADDRESS + 1


def test_who_is_known_does_not_count() -> None:
    clock = Clock()
    connections = Connections(clock=clock)
    known = opened(connections, OF_ADDRESS, "1.1.1.1")
    for peer in known:
        connections.forget(peer)
        connections.forget(peer)
    clock.now += 2 * YOUNG_SECONDS
    assert not ended(opened(connections, OF_ADDRESS, "1.1.1.1"))
    assert not ended(known)


def test_a_proxys_connections_do_not_count_and_all_others_do_together() -> None:
    connections = Connections("10.0.0.0/8, 2001:db8::1", most=20)
    proxies = opened(connections, 2 * OF_ADDRESS, "10.1.2.3")
    proxies += opened(connections, 10, "2001:db8::1")
    others = [peer for at in range(30) for peer in opened(connections, 1, f"1.1.1.{at}")]
    assert ended(proxies) == 0
    assert [peer.ended for peer in others] == [True] * 10 + [False] * 20


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix:" + "x" * 500, ("unix:" + "x" * 500)[:LONGEST]),
    ],
)
def test_an_address_counts_as_its_customers(address: str, name: str) -> None:
    assert counted_as(address) == name


def test_networks_are_those_of_the_setting() -> None:
    networks = Networks("10.0.0.5, 10.1.0.0/16,")
    assert "10.0.0.5" in networks
    assert "10.1.255.1" in networks
    assert "10.2.0.1" not in networks
    assert "testclient" not in networks
    assert "10.0.0.5" not in Networks("")
