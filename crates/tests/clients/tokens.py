"""Tokens as four libraries make them, and as their users should not: the keys that verify them, then each with what it is
worth. Printed as one JSON object."""

import base64
import json
import time

import jwt
from authlib.jose import jwt as authlib_jwt
from cryptography.hazmat.primitives import serialization
from jose import jwt as jose_jwt
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

ISSUER, NOW = "https://issuer.example", int(time.time())
CLAIMS = {"iss": ISSUER, "sub": "kim", "aud": "shop", "iat": NOW, "nbf": NOW, "exp": NOW + 600}

keys = {
    "rsa": RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"}, private=True),
    "p256": ECKey.generate_key("P-256", {"kid": "p256", "use": "sig"}, private=True),
    "p384": ECKey.generate_key("P-384", {"kid": "p384"}, private=True),
    "p521": ECKey.generate_key("P-521", {"kid": "p521"}, private=True),
    "ed": OKPKey.generate_key("Ed25519", {"kid": "ed"}, private=True),
}
of = {"RS256": "rsa", "RS384": "rsa", "RS512": "rsa", "PS256": "rsa", "PS384": "rsa", "PS512": "rsa",
      "ES256": "p256", "ES384": "p384", "ES512": "p521", "EdDSA": "ed"}
tokens = []


def add(by, token, counts):
    tokens.append({"by": by, "token": token if isinstance(token, str) else token.decode(), "counts": counts})


def pem(name):
    return keys[name].as_pem(private=True)


for algorithm, name in of.items():
    head = {"alg": algorithm, "kid": name}
    add(f"pyjwt {algorithm}", jwt.encode(CLAIMS, pem(name), algorithm=algorithm, headers={"kid": name}), True)
    add(f"joserfc {algorithm}", joserfc_jwt.encode(head, CLAIMS, keys[name], algorithms=[algorithm]), True)
    add(f"authlib {algorithm}", authlib_jwt.encode(head, CLAIMS, pem(name)), True)
    if algorithm[:2] in ("RS", "ES") and algorithm != "ES512":
        text = pem(name).decode()
        add(f"python-jose {algorithm}", jose_jwt.encode(CLAIMS, text, algorithm=algorithm, headers={"kid": name}), True)
add("pyjwt without kid", jwt.encode(CLAIMS, pem("p256"), algorithm="ES256"), True)


def with_claims(name, change):
    claims = {**CLAIMS, **change}
    claims = {key: value for key, value in claims.items() if value is not None}
    add(f"claims {name}", joserfc_jwt.encode({"alg": "ES256", "kid": "p256"}, claims, keys["p256"]), False)


with_claims("expired", {"exp": NOW - 60})
with_claims("without end", {"exp": None})
with_claims("not yet", {"nbf": NOW + 600})
with_claims("of another issuer", {"iss": "https://other.example"})
with_claims("for somebody else", {"aud": ["bank", "mail"]})
with_claims("for nobody", {"aud": None})


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


add("pyjwt none", jwt.encode(CLAIMS, None, algorithm="none"), False)
public = keys["rsa"].as_pem(private=False)
for secret in (public, part(keys["rsa"].as_dict(private=False)).encode(), b""):
    import hashlib
    import hmac
    signed = f"{part({'alg': 'HS256', 'kid': 'rsa'})}.{part(CLAIMS)}"
    seal = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    add("HS256 with the public key", f"{signed}.{base64.urlsafe_b64encode(seal).rstrip(b'=').decode()}", False)
thief = RSAKey.generate_key(2048, {"kid": "rsa"}, private=True)
add("another key of the same name", joserfc_jwt.encode({"alg": "RS256", "kid": "rsa"}, CLAIMS, thief), False)
inside = {"alg": "RS256", "kid": "rsa", "jwk": thief.as_dict(private=False)}
add("a key inside", jwt.encode(CLAIMS, thief.as_pem(private=True), algorithm="RS256", headers=inside), False)
far = {"kid": "x", "jku": "http://127.0.0.1:9/keys"}
add("a key elsewhere", jwt.encode(CLAIMS, thief.as_pem(private=True), algorithm="RS256", headers=far), False)
critical = {"kid": "p256", "crit": ["exp"]}
add("crit", jwt.encode(CLAIMS, pem("p256"), algorithm="ES256", headers=critical), False)
add("kid ../", jwt.encode(CLAIMS, pem("p256"), algorithm="ES256", headers={"kid": "../../dev/null"}), False)
public_keys = [{**key.as_dict(private=False), "kid": name} for name, key in keys.items()]
print(json.dumps({"jwks": json.dumps({"keys": public_keys}), "tokens": tokens}))
