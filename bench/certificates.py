"""One authority, one ECDSA P-256 server certificate and two members of a mesh, made with openssl once per work folder."""

import subprocess

from places import CERTIFICATES

EXTENSIONS = """subjectAltName=DNS:localhost,DNS:*.example.com,IP:127.0.0.1
extendedKeyUsage=serverAuth
basicConstraints=CA:FALSE
"""


def openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], cwd=CERTIFICATES, check=True, capture_output=True)


def make() -> None:
    if (CERTIFICATES / "server.combined.pem").exists():
        return
    CERTIFICATES.mkdir(parents=True, exist_ok=True)
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-days", "3650", "-subj", "/CN=bench-ca",
            "-addext", "keyUsage=critical,keyCertSign")
    openssl("req", *curve, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    (CERTIFICATES / "extensions").write_text(EXTENSIONS)
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", "server.pem", "-days", "3650", "-extfile", "extensions")
    both = (CERTIFICATES / "server.pem").read_text() + (CERTIFICATES / "server.key").read_text()
    (CERTIFICATES / "server.combined.pem").write_text(both)


MEMBER = """subjectAltName=URI:spiffe://bench.example/ns/shop/sa/{account},DNS:{account}-1.shop.bench.example
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth,clientAuth
basicConstraints=critical,CA:FALSE
"""


def make_members() -> None:
    """`web` calls `cart`."""
    make()
    for account in ("web", "cart"):
        if (CERTIFICATES / f"{account}.pem").exists():
            continue
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{account}.key",
                "-out", f"{account}.csr", "-subj", f"/CN={account}")
        (CERTIFICATES / f"{account}.extensions").write_text(MEMBER.format(account=account))
        openssl("x509", "-req", "-in", f"{account}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-out", f"{account}.pem", "-days", "3650", "-extfile", f"{account}.extensions")
