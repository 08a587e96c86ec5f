"""The address of a BTCPay Server as an administrator types it: normalised and checked."""
import ipaddress
import socket
import time
from urllib.parse import urljoin, urlsplit, urlunsplit

import requests

from odoo.exceptions import ValidationError

from odoo.addons.payment_btcpay.http_client import send_request

HEALTH_ENDPOINT = '/api/v1/health'
_MAX_REDIRECTS = 5
_DEFAULT_PORTS = {'http': 80, 'https': 443}


def normalize(env, address):
    """Bring an address into the one form that is stored, or refuse it.

    :param odoo.api.Environment env: The environment, for translations.
    :param str address: The address, with or without scheme; a path is kept.
    :return: The address: scheme, host in lower case, port if unusual, path without final slash.
    :rtype: str
    :raise ValidationError: If the address cannot be one of a BTCPay Server.
    """
    address = (address or '').strip()
    if not address:
        raise ValidationError(env._("Enter the address of your BTCPay Server."))
    if '://' not in address:
        address = f'https://{address}'
    try:
        parts = urlsplit(address)
        host, port = (parts.hostname or '').rstrip('.'), parts.port
        host_ascii = host if ':' in host else host.encode('idna').decode().rstrip('.')
    except (ValueError, UnicodeError):
        raise ValidationError(env._(
            "“%s” is not a web address. Enter it as your browser shows it on your BTCPay Server,"
            " for example https://btcpay.example.com.", address,
        )) from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise ValidationError(env._(
            "The address must begin with https:// (or http:// for a server on a private network)."
        ))
    if not host_ascii or any(char.isspace() for char in address) or '\\' in address:
        raise ValidationError(env._(
            "“%s” has no host name. Enter the address as your browser shows it on your BTCPay"
            " Server, for example https://btcpay.example.com.", address,
        ))
    if '@' in parts.netloc:
        raise ValidationError(env._(
            "Remove the user name and password from the address. You log in on the server's own"
            " page in the next step."
        ))
    if parts.query or parts.fragment or '?' in address or '#' in address:
        raise ValidationError(env._(
            "Remove what follows “?” or “#” from the address: only the server's own address is"
            " needed, for example https://btcpay.example.com."
        ))
    if host_ascii.endswith('.onion'):
        raise ValidationError(env._(
            "Odoo cannot reach Tor (.onion) addresses, as it has no proxy setting yet. Enter the"
            " clearnet address of your BTCPay Server."
        ))
    netloc = f'[{host_ascii}]' if ':' in host_ascii else host_ascii
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        netloc = f'{netloc}:{port}'
    return urlunsplit((parts.scheme, netloc.lower(), parts.path.rstrip('/'), '', ''))


def _parse_ip(host):
    """Read an IP address.

    :param str host: The host name or IP address.
    :return: The IP address, or None if it is a name.
    :rtype: IPv4Address|IPv6Address|None
    """
    try:
        address = ipaddress.ip_address(host.split('%')[0])
    except ValueError:
        return None
    return getattr(address, 'ipv4_mapped', None) or address


def is_loopback(host):
    """Return whether the host is this very machine.

    :param str host: The host name or IP address.
    :rtype: bool
    """
    if host == 'localhost' or host.endswith('.localhost'):
        return True
    address = _parse_ip(host)
    return bool(address) and address.is_loopback


def is_private(host):
    """Return whether the host is on this machine or on a private network.

    :param str host: The host name or IP address. A name is looked up.
    :rtype: bool
    """
    if is_loopback(host):
        return True
    if address := _parse_ip(host):
        return address.is_private
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return bool(found) and all(_parse_ip(ip).is_private for ip in found)


def check_scheme(env, url):
    """Refuse plain http to a host on the open Internet.

    :param odoo.api.Environment env: The environment, for translations.
    :param str url: The normalised address.
    :return: None
    :raise ValidationError: If the address is http and the host is not private.
    """
    parts = urlsplit(url)
    if parts.scheme == 'http' and not is_private(parts.hostname):
        raise ValidationError(env._(
            "“%s” uses plain http, over which anyone on the way could read your API key. Use the"
            " https:// address of your BTCPay Server; http is only possible on a private network.",
            url,
        ))


def resolve(env, address, timeout):
    """Find the address at which a BTCPay Server really answers. No key is sent.

    :param odoo.api.Environment env: The environment, for translations.
    :param str address: The address as typed.
    :param int timeout: The number of seconds to wait in all.
    :return: The normalised address, after following redirects.
    :rtype: str
    :raise ValidationError: If the address is refused or no BTCPay Server answers there.
    """
    url = normalize(env, address)
    deadline = time.monotonic() + timeout
    for _redirect in range(_MAX_REDIRECTS + 1):
        check_scheme(env, url)
        response = _ask_health(env, url, max(deadline - time.monotonic(), 0.1))
        if response.is_redirect:
            url = _follow(env, url, response.headers['Location'])
            continue
        try:
            answer = response.json()
        except (ValueError, RecursionError):
            break
        if response.ok and isinstance(answer, dict) and 'synchronized' in answer:
            return url
        break
    raise _make_not_found_error(env, url)


def _ask_health(env, url, timeout):
    """Ask whether a BTCPay Server is at the address.

    :param odoo.api.Environment env: The environment, for translations.
    :param str url: The normalised address.
    :param float timeout: The number of seconds to wait.
    :return: The response, which may be a redirection.
    :rtype: requests.Response
    :raise ValidationError: If there is no answer.
    """
    try:
        return send_request(
            'GET', f'{url}{HEALTH_ENDPOINT}', timeout=timeout,
            headers={'Accept': 'application/json'},
        )
    except requests.exceptions.SSLError:
        raise ValidationError(env._(
            "The certificate of %s is not valid, so that Odoo cannot be sure to speak to your"
            " server. Renew the certificate, then try again.", url,
        )) from None
    except requests.exceptions.RequestException:
        raise ValidationError(env._(
            "No server answers at %s. Check the address, and that the server is running and"
            " can be reached from Odoo.", url,
        )) from None


def _follow(env, url, location):
    """Find the address that a redirection of the health page leads to.

    :param odoo.api.Environment env: The environment, for translations.
    :param str url: The normalised address that was asked.
    :param str location: The redirection's target.
    :return: The next normalised address.
    :rtype: str
    :raise ValidationError: If it does not lead to a server's health page.
    """
    try:
        target = urlsplit(urljoin(f'{url}{HEALTH_ENDPOINT}', location))
    except ValueError:
        raise _make_not_found_error(env, url) from None
    if not target.path.endswith(HEALTH_ENDPOINT):
        raise _make_not_found_error(env, url)
    if url.startswith('https:') and target.scheme != 'https':
        raise ValidationError(env._(
            "%(url)s leads on to the unencrypted address %(target)s. Have the server answer on"
            " https itself.", url=url, target=target.geturl(),
        ))
    path = target.path.removesuffix(HEALTH_ENDPOINT)
    return normalize(env, urlunsplit((target.scheme, target.netloc, path, '', '')))


def _make_not_found_error(env, url):
    return ValidationError(env._(
        "There is no BTCPay Server at %s. Enter the address at which you log in to your server,"
        " without the page's path.", url,
    ))
