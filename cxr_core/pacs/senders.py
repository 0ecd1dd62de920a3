"""Who may send: application entities by title and address, from the setting ``pacs_senders``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from ..errors import WrongArguments
from ..pacs_settings import AE_TITLE

__all__ = ["Sender", "is_known", "is_known_address", "parse_senders"]

_SENDER = re.compile(rf"(?P<title>{AE_TITLE})@(?P<network>[0-9A-Fa-f.:/]+)")


@dataclass(frozen=True)
class Sender:
    """An application entity that may send, from any address of a network."""

    ae_title: str
    network: IPv4Network | IPv6Network


def parse_senders(texts: Iterable[str]) -> tuple[Sender, ...]:
    """Return the senders that a setting names, such as ``CT1@10.1.2.3`` or ``ARCHIVE@10.1.2.0/24``.

    Raises WrongArguments for none at all, and for one that cannot be used.
    """
    senders = []
    for number, text in enumerate(texts, 1):
        match = _SENDER.fullmatch(text)
        try:
            network = ip_network(match["network"]) if match else None
        except ValueError:
            network = None
        if match is None or network is None:
            raise WrongArguments(
                f"SECOND_READ_PACS_SENDERS: entry {number} cannot be used. AE title and IP address or network, such as "
                "CT1@10.1.2.3 or ARCHIVE@10.1.2.0/24, are accepted."
            )
        senders.append(Sender(match["title"], network))
    if not senders:
        raise WrongArguments(
            "Nobody may send yet: set SECOND_READ_PACS_SENDERS, such as CT1@10.1.2.3,ARCHIVE@10.1.2.4."
        )
    return tuple(senders)


def is_known(senders: Iterable[Sender], ae_title: str, address: str) -> bool:
    """Return whether an entity of this title may send from this address."""
    return any(sender.ae_title == ae_title.strip() and is_known_address([sender], address) for sender in senders)


def is_known_address(senders: Iterable[Sender], address: str) -> bool:
    """Return whether anybody may send from this address."""
    host = ip_address(address.partition("%")[0])
    if isinstance(host, IPv6Address) and host.ipv4_mapped is not None:
        host = host.ipv4_mapped
    return any(host in sender.network for sender in senders)
