"""Hosts and the IP addresses behind them: where one may connect to, and who else is on the way."""
import ipaddress
import re
import socket

IP = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Where clouds tell any program of a machine its secrets, besides what is link-local.
_METADATA = frozenset(map(ipaddress.ip_address, (
    '100.100.100.200', '168.63.129.16', '192.0.0.192', 'fd00:ec2::254', 'fd20:ce::254',
)))
#: Prefixes of IPv6 addresses whose last 32 bits are an IPv4 address.
_EMBEDDING = tuple(map(ipaddress.IPv6Network, (
    '::/96', '::ffff:0:0:0/96', '64:ff9b::/96', '64:ff9b:1::/48',
)))
#: Ends of names that are never public.
_INTERNAL_NAMES = ('.local', '.internal', '.lan', '.home.arpa')


def parse_ip(host: str) -> IP | None:
    """Read an IP address in any notation that the system connects to; None if it is a name.

    :param str host: e.g. `127.0.0.1`, `::ffff:7f00:1`, `2130706433`, `0x7f.1`, `fe80::1%eth0`
    """
    try:
        address = ipaddress.ip_address(host.partition('%')[0] if ':' in host else host)
    except ValueError:
        if not re.fullmatch(r'[0-9a-fx.]+', host, re.IGNORECASE):
            return None
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
    return getattr(address, 'ipv4_mapped', None) or address


def _embedded(address: IP) -> set[IP]:
    """Return the IPv4 addresses that an address may lead to by a translator or a tunnel."""
    if isinstance(address, ipaddress.IPv4Address):
        return set()
    found: set[IP] = {
        ipaddress.IPv4Address(int(address) & 0xffffffff)
        for network in _EMBEDDING if address in network and int(address) > 1
    }
    return found | {ip for ip in (address.sixtofour, *(address.teredo or ())) if ip}


def is_forbidden(host: str) -> bool:
    """Return whether no server can be at an IP address that may be meant: a name is not looked up.

    These are link-local and cloud metadata addresses, behind which is what only this machine may
    see, and those of nobody or of many.
    """
    address = parse_ip(host)
    return address is not None and any(
        ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip in _METADATA
        or ip == ipaddress.IPv4Address('255.255.255.255')
        for ip in {address, *_embedded(address)}
    )


def is_loopback(host: str) -> bool:
    """Return whether a host name or IP address is this very machine."""
    if host == 'localhost' or host.endswith('.localhost'):
        return True
    address = parse_ip(host)
    return address is not None and address.is_loopback


def is_internal(host: str) -> bool:
    """Return whether a host is one that only machines nearby reach: this one, a private network's
    address, or a name that no public DNS has, such as a container's. Names are not looked up.
    """
    if is_loopback(host):
        return True
    if address := parse_ip(host):
        return address.is_private
    return '.' not in host or host.endswith(_INTERNAL_NAMES)


def is_private(host: str) -> bool:
    """Return whether a host is on this machine or on a private network; a name is looked up."""
    if is_loopback(host):
        return True
    if address := parse_ip(host):
        return address.is_private
    try:
        found = [parse_ip(str(info[4][0])) for info in socket.getaddrinfo(host, None)]
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(ip is not None and ip.is_private for ip in found)
