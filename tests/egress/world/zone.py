"""The names and addresses of the fake internet."""

from collections.abc import Mapping, Sequence

HOME = "11.22.33.1"  # of the gate's host
HOME_6 = "2a11:22:33::1"
ROUTER = "11.22.33.2"
ROUTER_6 = "2a11:22:33::2"
NAME_SERVER = "11.22.33.53"
METADATA = "169.254.169.254"

# What stands on the other side. Whatever else is dialled arrives there too, and gets no answer.
STANDING = (
    NAME_SERVER,
    *(f"11.22.33.{last}" for last in (10, 11, 12, 20, 66, 67)),
    METADATA,
    "10.0.0.7",
    "172.16.0.7",
    "192.168.0.7",
    "100.64.0.7",
    "100.100.100.200",
    "168.63.129.16",
    "8.8.8.8",
)
STANDING_6 = (
    "2a11:22:33::10",
    "fd00::7",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::a00:7",
    "2002:a00:7::1",
    "2001::a00:7",
)

# Each question for an address takes the next list, and the last one for ever. What is no address is another name.
ZONE: Mapping[str, Sequence[Sequence[str]]] = {
    "allowed.test": [["11.22.33.10"]],
    "*.allowed.test": [["11.22.33.10"]],
    "api.allowed.test": [["11.22.33.11"]],
    "other.test": [["11.22.33.12"]],
    "xn--bcher-kva.test": [["11.22.33.10"]],
    "denied.test": [["11.22.33.66"]],
    "*.denied.test": [["11.22.33.66"]],
    "*.exfil.test": [["11.22.33.67"]],
    "paths.test": [["11.22.33.20"]],
    "port.test": [["11.22.33.20"]],
    "raw.test": [["11.22.33.20"]],
    "mitm.it": [["11.22.33.66"]],
    "metadata.google.internal": [[METADATA]],
    "cname.allowed.test": [["other.test"]],
    "six.allowed.test": [["2a11:22:33::10"]],
    "slow.allowed.test": [["11.22.33.10"]],
    "late.allowed.test": [["11.22.33.10"], [METADATA]],  # the second question is answered otherwise
    "early.allowed.test": [["10.0.0.7"], ["11.22.33.10"]],
    "rebind.allowed.test": [["11.22.33.10"], ["127.0.0.1"], ["11.22.33.10"], [METADATA]],
    "mixed.allowed.test": [["10.0.0.7", "11.22.33.10"]],
    "mixed6.allowed.test": [["fd00::7", "11.22.33.10"]],
    "mixedmeta.allowed.test": [["11.22.33.10", METADATA]],
    "meta.allowed.test": [[METADATA]],
    "loop.allowed.test": [["127.0.0.1"]],
    "loop2.allowed.test": [["127.9.9.9"]],
    "priv.allowed.test": [["10.0.0.7"]],
    "priv172.allowed.test": [["172.16.0.7"]],
    "priv192.allowed.test": [["192.168.0.7"]],
    "cgnat.allowed.test": [["100.64.0.7"]],
    "cloud.allowed.test": [["100.100.100.200"]],
    "wire.allowed.test": [["168.63.129.16"]],
    "zero.allowed.test": [["0.0.0.0"]],
    "broadcast.allowed.test": [["255.255.255.255"]],
    "multicast.allowed.test": [["224.0.0.251"]],
    "reserved.allowed.test": [["240.0.0.1"]],
    "testnet.allowed.test": [["192.0.2.7"]],
    "own.allowed.test": [[HOME]],
    "own6.allowed.test": [[HOME_6]],
    "v6map.allowed.test": [["::ffff:169.254.169.254"]],
    "v6mapown.allowed.test": [["::ffff:11.22.33.1"]],
    "v6compat.allowed.test": [["::10.0.0.7"]],
    "v6loop.allowed.test": [["::1"]],
    "v6zero.allowed.test": [["::"]],
    "nat64.allowed.test": [["64:ff9b::169.254.169.254"]],
    "nat64priv.allowed.test": [["64:ff9b::10.0.0.7"]],
    "nat64local.allowed.test": [["64:ff9b:1::10.0.0.7"]],
    "sixtofour.allowed.test": [["2002:a00:7::1"]],
    "teredo.allowed.test": [["2001::a00:7"]],
    "ula.allowed.test": [["fd00::7"]],
    "link6.allowed.test": [["fe80::1"]],
    "ec2v6.allowed.test": [["fd00:ec2::254"]],
    "cnamemeta.allowed.test": [["meta.internal.test"]],
    "cnamelocal.allowed.test": [["localhost.internal.test"]],
    "cnamechain.allowed.test": [["one.internal.test"]],
    "one.internal.test": [["two.internal.test"]],
    "two.internal.test": [["10.0.0.7"]],
    "meta.internal.test": [[METADATA]],
    "localhost.internal.test": [["127.0.0.1"]],
}
SLOW = {"slow.allowed.test": 0.3}  # seconds before an answer
TTL_S = 86_400  # long enough that whoever kept answers by it would never ask again
