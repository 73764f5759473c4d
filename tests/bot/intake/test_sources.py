"""Where a call comes from: the far end of its socket, or what a trusted proxy says of the one behind it."""

from ipaddress import ip_network

import pytest

from bot.intake.http.sources import Sources

NOBODY = Sources()
PROXIES = Sources([ip_network("10.0.0.0/24"), ip_network("2001:db8:ffff::/64")])

SOURCES = {
    "10.0.0.9": "10.0.0.9",
    "::ffff:10.0.0.9": "10.0.0.9",
    "2001:db8:1:2:aaaa::1": "2001:db8:1:2::/64",
    "fe80::1%eth0": "fe80::/64",
    "a path": "unknown",
}


def _call(address: str, *forwarded: str) -> dict[str, object]:
    return {"client": (address, 1), "headers": [(b"x-forwarded-for", one.encode()) for one in forwarded]}


@pytest.mark.parametrize(("address", "source"), SOURCES.items())
def test_a_source_is_an_address_or_the_network_of_one(address, source):
    """Whoever owns an IPv6 network has 2**64 addresses in it, and counts as one."""
    assert (NOBODY.of(_call(address)), NOBODY.of({"client": None, "headers": []})) == (source, "unknown")


def test_a_strangers_forwarding_header_is_not_read():
    """Anybody could write one, so that each guess would seem to come from somewhere else."""
    assert NOBODY.of(_call("10.0.0.9", "1.2.3.4")) == "10.0.0.9"
    assert PROXIES.of(_call("10.0.1.9", "1.2.3.4")) == "10.0.1.9"


@pytest.mark.parametrize("written", ["::ffff:10.0.0.0/120", "::ffff:10.0.0.7/128", "10.0.0.7/32"])
def test_a_proxy_is_trusted_however_its_address_is_written(written):
    """On a dual-stack socket an IPv4 proxy is seen in IPv6, and so is it copied; its callers must not share one brake."""
    proxies = Sources([ip_network(written)])

    assert [proxies.of(_call(far, "192.0.2.1")) for far in ("10.0.0.7", "::ffff:10.0.0.7")] == ["192.0.2.1"] * 2
    assert (proxies.is_proxy("10.0.0.7"), proxies.is_proxy("10.0.1.7")) == (True, False)


FORWARDED = {
    "one hop": (("192.0.2.1",), "192.0.2.1"),
    "what a stranger wrote is left of it": (("1.1.1.1, 192.0.2.1",), "192.0.2.1"),
    "proxies are passed over": (("192.0.2.1, 10.0.0.7, 10.0.0.8",), "192.0.2.1"),
    "several headers are one list": (("1.1.1.1", "192.0.2.1", "10.0.0.7"), "192.0.2.1"),
    "with a port": (("192.0.2.1:4711",), "192.0.2.1"),
    "IPv6": (("2001:db8:1:2::3",), "2001:db8:1:2::/64"),
    "IPv6 with a port": (("[2001:db8:1:2::3]:4711",), "2001:db8:1:2::/64"),
    "only proxies": (("10.0.0.7, 10.0.0.8",), "10.0.0.7"),
    "no address": (("unknown",), "10.0.0.1"),
    "no address left of a proxy": (("1.1.1.1, nonsense, 10.0.0.8",), "10.0.0.8"),
    "empty": (("",), "10.0.0.1"),
    "none": ((), "10.0.0.1"),
    "very many": ((", ".join(["10.0.0.7"] * 5000),), "10.0.0.7"),
}


@pytest.mark.parametrize(("forwarded", "source"), FORWARDED.values(), ids=FORWARDED.keys())
def test_behind_a_trusted_proxy_the_rightmost_stranger_counts(forwarded, source):
    """Each proxy adds the address that it saw at the right end; all that is left of the first stranger is hearsay."""
    assert PROXIES.of(_call("10.0.0.1", *forwarded)) == source


def test_a_proxy_is_known_by_the_name_of_its_socket():
    """A proxy's own connections are many callers' and are not counted as one's."""
    far = [NOBODY.of(_call(address)) for address in ("10.0.0.1", "10.0.1.1", "2001:db8:ffff::1", "2001:db8::1", "?")]

    assert [PROXIES.is_proxy(source) for source in far] == [True, False, True, False, False]
