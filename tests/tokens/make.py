#!/usr/bin/python3
"""Makes the cases of tests/tokens/*.json with another implementation than ours (Debian's python3-cryptography).

The results are kept, so that tests need neither this nor that package; run it again only to add cases. Keys and signatures are new each time, the
moment AT at which tokens are judged stays. A case has a name, what must be accepted, or words of the refusal.
"""

import base64
import json
import pathlib
import sys

from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, ed448, padding, rsa, utils

HERE = pathlib.Path(__file__).parent
AT = 1800000000
HASH = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P256_P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
ED_L = 2**252 + 27742317777372353535851937790883648493


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(value, size=None):
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def text(value):
    return value if isinstance(value, bytes) else value.encode() if isinstance(value, str) else json.dumps(value, separators=(",", ":")).encode()


RSA = rsa.generate_private_key(65537, 2048)
RSA2 = rsa.generate_private_key(65537, 2048)
RSA_SMALL = rsa.generate_private_key(65537, 1024)
RSA_E3 = rsa.generate_private_key(3, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
P521 = ec.generate_private_key(ec.SECP521R1())
K256 = ec.generate_private_key(ec.SECP256K1())
ED = ed25519.Ed25519PrivateKey.generate()
ED_448 = ed448.Ed448PrivateKey.generate()


def jwk(key, **more):
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        out = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
    elif isinstance(public, ec.EllipticCurvePublicKey):
        numbers, size = public.public_numbers(), (public.key_size + 7) // 8
        name = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "secp256k1": "secp256k1"}[public.curve.name]
        out = {"kty": "EC", "crv": name, "x": number(numbers.x, size), "y": number(numbers.y, size)}
    else:
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        out = {"kty": "OKP", "crv": "Ed25519" if len(raw) == 32 else "Ed448", "x": b64(raw)}
    return dict(out, **more)


def ecdsa_raw(der, size):
    r, s = utils.decode_dss_signature(der)
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def sign(alg, key, data, salt=None):
    if alg == "EdDSA":
        return key.sign(data)
    digest = HASH[alg[2:]]
    if alg.startswith("RS"):
        return key.sign(data, padding.PKCS1v15(), digest)
    if alg.startswith("PS"):
        return key.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size if salt is None else salt), digest)
    if alg.startswith("ES"):
        return ecdsa_raw(key.sign(data, ec.ECDSA(digest)), (key.key_size + 7) // 8)
    mac = hmac.HMAC(key, digest)
    mac.update(data)
    return mac.finalize()


def compact(header, payload, alg, key, change=None, **how):
    """header and payload as objects or as their bytes; change gets the signature and gives another."""
    data = b64(text(header)) + "." + b64(text(payload))
    signature = sign(alg, key, data.encode(), **how)
    return data + "." + b64(change(signature) if change else signature)


KEYS = {"RS256": RSA, "RS384": RSA, "RS512": RSA, "PS256": RSA, "ES256": P256, "ES384": P384, "EdDSA": ED}
PAYLOAD = {"iss": "joe", "exp": 1300819380}
ALL = list(KEYS)


# ---- one JWS and one key ----


def jws_cases():
    def case(name, token, key, words=None, algorithms=None):
        out = {"name": name, "jws": token, "key": jwk(key) if not isinstance(key, dict) else key, "accept": words is None}
        if words:
            out["words"] = words
        if algorithms:
            out["algorithms"] = algorithms
        return out

    def made(name, words=None, alg="ES256", header=None, payload=PAYLOAD, key=None, change=None, signer=None, algorithms=None, **how):
        signer = signer or key or KEYS.get(alg)
        return case(
            name,
            compact(header if header is not None else {"alg": alg}, payload, alg, signer, change, **how),
            key or KEYS.get(alg),
            words,
            algorithms,
        )

    good = {alg: compact({"alg": alg}, PAYLOAD, alg, KEYS[alg]) for alg in ALL}
    es = good["ES256"].split(".")
    wrong = "signature does not fit"
    for alg in ALL:
        yield made(alg, alg=alg)
        yield made(alg + ": payload that is not JSON", alg=alg, payload=b"\x00\xff just bytes")
        yield made(alg + ": empty payload", alg=alg, payload=b"")
        yield made(alg + ": payload is a list", alg=alg, payload=b"[1]")
        head, body, signature = good[alg].split(".")
        raw = unb64(signature)
        yield case(alg + ": first bit of the signature", ".".join((head, body, b64(bytes([raw[0] ^ 1]) + raw[1:]))), KEYS[alg], wrong)
        yield case(alg + ": last bit of the signature", ".".join((head, body, b64(raw[:-1] + bytes([raw[-1] ^ 1])))), KEYS[alg], wrong)
        yield case(alg + ": other payload", ".".join((head, b64(text(dict(PAYLOAD, exp=1))), signature)), KEYS[alg], wrong)
        yield case(alg + ": other header", ".".join((b64(text({"alg": alg, "kid": "x"})), body, signature)), KEYS[alg], wrong)
        yield case(alg + ": signature is zeros", ".".join((head, body, b64(bytes(len(raw))))), KEYS[alg], wrong)
        yield case(
            alg + ": signature cut", ".".join((head, body, b64(raw[:-1]))), KEYS[alg], "signature has %d bytes, not %d" % (len(raw) - 1, len(raw))
        )
        yield case(
            alg + ": signature with a zero more",
            ".".join((head, body, b64(raw + b"\0"))),
            KEYS[alg],
            "signature has %d bytes, not %d" % (len(raw) + 1, len(raw)),
        )
        yield case(
            alg + ": signature with a zero in front", ".".join((head, body, b64(b"\0" + raw))), KEYS[alg], "signature has %d bytes" % (len(raw) + 1)
        )
        yield case(alg + ": no signature", head + "." + body + ".", KEYS[alg], "token has no signature")

    # what belongs to a signature scheme
    yield made("RS256 with the digest of RS384", wrong, alg="RS384", header={"alg": "RS256"})
    yield made("RS256 header, PS256 signature", wrong, alg="PS256", header={"alg": "RS256"})
    yield made("PS256 header, RS256 signature", wrong, alg="RS256", header={"alg": "PS256"})
    yield made("PS256 with a salt of 20 bytes", wrong, alg="PS256", salt=20)
    yield made("PS256 without salt", wrong, alg="PS256", salt=0)
    yield made("RS256 of another key", wrong, alg="RS256", key=RSA, signer=RSA2)
    yield made("ES256: r and s swapped", wrong, change=lambda s: s[32:] + s[:32])
    yield made(
        "ES256: DER instead of r and s",
        "signature has",
        change=lambda s: utils.encode_dss_signature(int.from_bytes(s[:32], "big"), int.from_bytes(s[32:], "big")),
    )
    for name, r, s in (
        ("r is zero", 0, 1),
        ("s is zero", 1, 0),
        ("both are zero", 0, 0),
        ("both are one", 1, 1),
        ("r is the order", P256_N, 1),
        ("s is the order", 1, P256_N),
        ("r is beyond the order", P256_N + 1, 1),
        ("both are all ones", 2**256 - 1, 2**256 - 1),
    ):
        yield made("ES256: " + name, wrong, change=lambda _, r=r, s=s: r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    yield made(
        "ES256: s plus the order", "signature has", change=lambda sig: sig[:32] + (int.from_bytes(sig[32:], "big") + P256_N).to_bytes(33, "big")
    )
    yield made("ES256 with a P-384 key", "key: type EC P-384 does not fit algorithm 'ES256'", alg="ES384", header={"alg": "ES256"})
    yield made("ES384 with a P-256 key", "key: type EC P-256 does not fit algorithm 'ES384'", alg="ES256", header={"alg": "ES384"})
    yield made("ES512 is not supported", "algorithm 'ES512' is not supported", alg="ES512", key=P256, signer=P521)
    yield made("ES256K is not supported", "algorithm 'ES256K' is not supported", alg="ES256", header={"alg": "ES256K"}, key=P256, signer=K256)
    yield made("PS384 is not supported", "algorithm 'PS384' is not supported", alg="PS384", key=RSA)
    yield made(
        "EdDSA: s plus the order of the group",
        wrong,
        alg="EdDSA",
        change=lambda sig: sig[:32] + (int.from_bytes(sig[32:], "little") + ED_L).to_bytes(32, "little"),
    )
    yield made("RS256 with an EC key", "key: type EC P-256 does not fit algorithm 'RS256'", alg="RS256", key=P256, signer=RSA)
    yield made("key for another algorithm", "key: for algorithm 'RS384', not 'RS256'", alg="RS256", key=jwk(RSA, alg="RS384"), signer=RSA)
    yield made("key for this algorithm", alg="RS256", key=jwk(RSA, alg="RS256", use="sig", key_ops=["verify"]), signer=RSA)

    # algorithms that must never be
    pem = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    der = RSA.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    for alg in ("HS256", "HS384", "HS512"):
        yield made(alg + " with the RSA key's PEM as the secret", "algorithm '%s' is not supported" % alg, alg=alg, key=jwk(RSA), signer=pem)
        yield made(alg + " with the RSA key's DER as the secret", "algorithm '%s' is not supported" % alg, alg=alg, key=jwk(RSA), signer=der)
    yield made(
        "HS256 although the list has it", "algorithm 'HS256' is not supported", alg="HS256", key=jwk(RSA), signer=pem, algorithms=["HS256", "RS256"]
    )
    for alg in ("none", "nOnE", "None", "NONE", ""):
        head = b64(text({"alg": alg})) + "." + b64(text(PAYLOAD)) + "."
        yield case("alg '%s', no signature" % alg, head, RSA, "algorithm '%s' is not supported" % alg)
        yield case("alg '%s', a signature" % alg, head + good["RS256"].split(".")[2], RSA, "algorithm '%s' is not supported" % alg)
        yield case("alg '%s', in the list" % alg, head, RSA, "algorithm '%s' is not supported" % alg, ["none", "nOnE", "None", "NONE", ""])
    for alg in ("rs256", "RS256 ", " RS256", "RS256\n", "RS256\u200b"):
        yield made("alg %r" % alg, "is not supported", alg="RS256", header={"alg": alg})
    yield made(
        "algorithm not in the list", "algorithm 'RS256' is not in the provider's list (ES256, EdDSA)", alg="RS256", algorithms=["ES256", "EdDSA"]
    )
    yield made("algorithm in the list", alg="RS256", algorithms=["ES256", "RS256"])

    # headers
    for name, value in (("null", None), ("a number", 256), ("a list", ["ES256"]), ("an object", {"ES256": 1}), ("true", True)):
        yield made("alg is " + name, "header: 'alg' is not a string", header={"alg": value})
    yield made("no alg", "header: 'alg' is missing", header={"typ": "JWT"})
    for name, value in (
        ("crit", ["exp"]),
        ("crit", []),
        ("b64", False),
        ("b64", True),
        ("zip", "DEF"),
        ("enc", "A128GCM"),
        ("jku", "https://evil.example/jwks"),
        ("jwk", jwk(P256)),
        ("x5u", "https://evil.example/x5u"),
        ("crit", None),
    ):
        yield made("%s: %s" % (name, json.dumps(value)[:20]), "header: '%s' is not accepted" % name, header={"alg": "ES256", name: value})
    yield made("typ JWT", header={"alg": "ES256", "typ": "JWT"})
    yield made("typ at+jwt", header={"alg": "ES256", "typ": "at+jwt"})
    for typ in ("JOSE", "jwt+x", "logout+jwt", "dpop+jwt", "JWT ", ""):
        yield made("typ '%s'" % typ, "type '%s' is not accepted" % typ, header={"alg": "ES256", "typ": typ})
    yield made("typ is a number", "header: 'typ' is not a string", header={"alg": "ES256", "typ": 1})
    yield made("kid", header={"alg": "ES256", "kid": "k" * 256})
    yield made("kid too long", "header: 'kid' is longer than 256 bytes", header={"alg": "ES256", "kid": "k" * 257})
    yield made("kid is a number", "header: 'kid' is not a string", header={"alg": "ES256", "kid": 1})
    yield made("kid is null", "header: 'kid' is not a string", header={"alg": "ES256", "kid": None})
    yield made("white space in the header", header=b' {"alg":\r\n "ES256" }\t')
    yield made("members that mean nothing", header={"alg": "ES256", "x5t": "x", "x5c": ["x"], "cty": "x", "foo": {"a": [1]}})
    yield made("alg twice", "header: not valid JSON", header=b'{"alg":"ES256","alg":"ES256"}')
    yield made("alg twice, once escaped", "header: not valid JSON", header=b'{"alg":"none","\\u0061lg":"ES256"}')
    yield made("NUL in a string", "header: not valid JSON", header=b'{"alg":"ES256\\u0000"}')
    yield made("NUL in a name", "header: not valid JSON", header=b'{"alg\\u0000x":"ES256"}')
    yield made("NUL byte", "header: not valid JSON", header=b'{"alg":"ES256"}\0')
    yield made("invalid UTF-8", "header: not valid JSON", header=b'{"alg":"ES256","kid":"\xff"}')
    yield made("byte order mark", "header: not valid JSON", header=b'\xef\xbb\xbf{"alg":"ES256"}')
    yield made("more than one value", "header: not valid JSON", header=b'{"alg":"ES256"}{}')
    yield made("header is a list", "header is not a JSON object", header=b'["ES256"]')
    yield made("header is a string", "header: not valid JSON", header=b'"ES256"')
    yield made("header is nothing", "header is empty", header=b"")
    yield made("header is not JSON", "header: not valid JSON", header=b"alg=ES256")
    yield made("64 deep", header=b'{"alg":"ES256","x":' + b"[" * 63 + b"]" * 63 + b"}")
    yield made("65 deep", "header: JSON is nested deeper than 64", header=b'{"alg":"ES256","x":' + b"[" * 64 + b"]" * 64 + b"}")
    yield made("5000 deep", "header: JSON is nested deeper than 64", header=b'{"alg":"ES256","x":' + b"[" * 5000 + b"]" * 5000 + b"}")

    # the compact form
    for i, part in enumerate(("header", "payload", "signature")):

        def put(value, i=i):
            return ".".join(es[:i] + [value] + es[i + 1 :])

        # each part of this token has bits to spare in its last character
        token = compact({"alg": "ES256", "a": "." * (3 * 10 + 1)}, b"12345", "ES256", P256).split(".")

        def spare(last, i=i, token=token):
            return ".".join(token[:i] + [token[i][:-1] + last] + token[i + 1 :])

        assert len(token[i]) % 4 in (2, 3), (part, len(token[i]))
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        yield case(part + ": canonical", ".".join(token), P256)
        yield case(
            part + ": last character not canonical", spare(alphabet[alphabet.index(token[i][-1]) + 1]), P256, part + ": not canonical base64url"
        )
        yield case(part + ": padded", put(es[i] + "=" * (-len(es[i]) % 4 or 1)), P256, part + ": padded base64url")
        yield case(part + ": one character more", put(es[i] + "A" * (5 - len(es[i]) % 4 if len(es[i]) % 4 != 1 else 4)), P256, part + ": not")
        for name, junk in (
            ("space", " "),
            ("line end", "\n"),
            ("tab", "\t"),
            ("NUL", "\0"),
            ("letter beyond ASCII", "\u00e4"),
            ("comma", ","),
            ("escape", "\x1b"),
        ):
            yield case("%s: %s inside" % (part, name), put(es[i][:4] + junk + es[i][4:]), P256, part + ": not base64url: holds")
        yield case(part + ": + inside", put("+" + es[i][1:]), P256, part + ": base64 ('+'), not base64url")
        yield case(part + ": / inside", put("/" + es[i][1:]), P256, part + ": base64 ('/'), not base64url")
    whole = good["ES256"]
    yield case("space in front", " " + whole, P256, "header: not base64url: holds ' '")
    yield case("space behind", whole + " ", P256, "signature: not base64url: holds ' '")
    yield case("line end behind", whole + "\n", P256, "signature: not base64url: holds '\\n'")
    yield case("NUL behind", whole + "\0", P256, "signature: not base64url: holds '\\x00'")
    yield case("empty", "", P256, "token is empty")
    yield case("one part", es[0], P256, "token has 1 part, not 3")
    yield case("two parts", es[0] + "." + es[1], P256, "token has 2 parts, not 3")
    yield case("four parts", whole + "." + es[2], P256, "token has 4 parts, not 3")
    yield case("dot behind", whole + ".", P256, "token has 4 parts, not 3")
    yield case("dot in front", "." + whole, P256, "token has 4 parts, not 3")
    yield case("five parts", whole + ".a.b", P256, "encrypted tokens (JWE)")
    yield case("dots only", "..", P256, "header is empty")
    yield case("JSON serialization", json.dumps({"payload": es[1], "protected": es[0], "signature": es[2]}), P256, "token has 1 part")
    for size, words in ((16384, None), (16385, "token is longer than 16384 bytes")):
        for fill in range(4):
            header = {"alg": "ES256", "x": "x" * fill}
            room = size - len(b64(text(header))) - len(es[2]) - 2
            if room % 4 != 1:
                break
        payload = b"x" * (room * 3 // 4)
        out = made("%d bytes" % size, words, header=header, payload=payload)
        assert len(out["jws"]) == size
        yield out


# ---- keys ----


def point_off_curve():
    key = jwk(P256)
    return dict(key, y=number(int.from_bytes(unb64(key["y"]), "big") ^ 1, 32))


def jwk_cases():
    def case(name, key, words=None):
        out = {"name": name, "accept": words is None}
        out["text" if isinstance(key, str) else "key"] = key
        return dict(out, words=words) if words else out

    def without(key, name):
        return {k: v for k, v in key.items() if k != name}

    rsa_key, ec_key, ed_key = jwk(RSA), jwk(P256), jwk(ED)
    n = RSA.public_key().public_numbers().n
    private = RSA.private_numbers()
    yield case("RSA", rsa_key)
    yield case("RSA with exponent 3", jwk(RSA_E3))
    yield case("RSA with its private half", dict(rsa_key, d=number(private.d), p=number(private.p), q=number(private.q)))
    yield case("P-256", ec_key)
    yield case("P-384", jwk(P384))
    yield case("Ed25519", ed_key)
    yield case("all members", dict(rsa_key, kid="k", alg="RS256", use="sig", key_ops=["sign", "verify"], x5c=["x"], x5t="x", foo=[1]))
    yield case("kid as long as it may be", dict(ec_key, kid="k" * 256))

    yield case("RSA 1024", jwk(RSA_SMALL), "RSA key has 1024 bits; 2048 to 8192 are accepted")
    yield case("RSA 2047", dict(rsa_key, n=number((1 << 2046) + 12345)), "RSA key has 2047 bits")
    yield case("RSA 8193", dict(rsa_key, n=number((1 << 8192) + 12345)), "RSA key has 8193 bits")
    yield case("RSA 16384", dict(rsa_key, n=number((1 << 16383) + 12345)), "RSA key has 16384 bits")
    for e, words in ((1, "exponent"), (2, "exponent"), (65536, "exponent"), ((1 << 64) + 1, "exponent"), (n, "exponent"), (0, "leading zeros")):
        yield case("RSA, e = %s" % (e if e < 1 << 70 else "n"), dict(rsa_key, e=number(e, 1 if not e else None)), words)
    yield case("RSA, even modulus", dict(rsa_key, n=number(n + 1)), "even or a prime")
    yield case("RSA, prime modulus", dict(rsa_key, n=number(PRIME)), "even or a prime")
    yield case("RSA, modulus with a small factor", dict(rsa_key, n=number(105 * ((1 << 2047) // 105 + 2 | 1))), "small factor")
    yield case("RSA, square of a prime", dict(rsa_key, n=number(RSA.private_numbers().p ** 2)), "RSA key is not accepted")
    yield case("RSA, the octet of a sign in n", dict(rsa_key, n=b64(b"\0" + unb64(rsa_key["n"]))))
    yield case("RSA, two zeros in front of n", dict(rsa_key, n=b64(b"\0\0" + unb64(rsa_key["n"]))), "'n' is empty or has leading zeros")
    yield case("RSA, leading zero in e", dict(rsa_key, e="AAEAAQ"), "'e' is empty or has leading zeros")
    yield case("RSA, n empty", dict(rsa_key, n=""), "'n' is empty")
    yield case("RSA, n padded", dict(rsa_key, n=rsa_key["n"] + "=="), "'n': padded base64url")
    yield case("RSA, n with a space", dict(rsa_key, n=" " + rsa_key["n"]), "'n': not base64url")
    yield case("RSA, n is a number", dict(rsa_key, n=12345), "'n' is missing or not a string")
    yield case("RSA without e", without(rsa_key, "e"), "'e' is missing")
    yield case("RSA without n", without(rsa_key, "n"), "'n' is missing")

    yield case("P-256 off the curve", point_off_curve(), "not a point of its curve")
    yield case("P-256, zero", dict(ec_key, x=number(0, 32), y=number(0, 32)), "not a point of its curve")
    yield case("P-256, x beyond the field", dict(ec_key, x=b64(b"\xff" * 32)), "not a point of its curve")
    yield case("P-256, x too short", dict(ec_key, x=b64(unb64(ec_key["x"])[1:])), "'x' has 31 bytes, not 32")
    # both y of this x are on the curve: one of them begins with a set bit, and has a sign in front in two's complement
    low, high = sorted((unb64(ec_key["y"]), (P256_P - int.from_bytes(unb64(ec_key["y"]), "big")).to_bytes(32, "big")))
    yield case("P-256, y too long", dict(ec_key, y=b64(b"\0" + low)), "'y' has 33 bytes, not 32")
    yield case("P-256, the octet of a sign in y", dict(ec_key, y=b64(b"\0" + high)))
    yield case("P-256, a zero in front of y that is no sign", dict(ec_key, y=b64(b"\0" + low)), "'y' has 33 bytes, not 32")
    yield case("P-256 without y", without(ec_key, "y"), "'y' is missing")
    yield case("P-256 point said to be P-384", dict(ec_key, crv="P-384"), "'x' has 32 bytes, not 48")
    yield case("EC without crv", without(ec_key, "crv"), "curve '' is not supported")
    yield case("EC with crv Ed25519", dict(ec_key, crv="Ed25519"), "curve 'Ed25519' is not supported")
    yield case("P-521", jwk(P521), "curve 'P-521' is not supported")
    yield case("secp256k1", jwk(K256), "curve 'secp256k1' is not supported")
    yield case("crv in lower case", dict(ec_key, crv="p-256"), "curve 'p-256' is not supported")

    yield case("Ed25519 too short", dict(ed_key, x=b64(bytes(31))), "'x' has 31 bytes, not 32")
    yield case("Ed25519 too long", dict(ed_key, x=b64(bytes(33))), "'x' has 33 bytes, not 32")
    for name, point in (
        ("zero", bytes(32)),
        ("one", b"\x01" + bytes(31)),
        ("of order 8", bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")),
        ("not canonical", b"\xff" * 31 + b"\x7f"),
        ("not a point", b"\x02" + bytes(31)),
    ):
        yield case("Ed25519, " + name, dict(ed_key, x=b64(point)), "not a usable point of its curve")
    yield case("X25519", dict(ed_key, crv="X25519"), "curve 'X25519' is not supported")
    yield case("Ed448", jwk(ED_448), "curve 'Ed448' is not supported")

    yield case("oct", {"kty": "oct", "k": b64(bytes(32))}, "a shared secret")
    yield case("kty in lower case", dict(rsa_key, kty="rsa"), "key type 'rsa' is not supported")
    yield case("kty with an escape", dict(rsa_key, kty="\x1b[31m"), "key type '\\x1b[31m' is not supported")
    yield case("kty missing", without(rsa_key, "kty"), "'kty' is missing")
    yield case("kty is a list", dict(rsa_key, kty=["RSA"]), "'kty' is missing or not a string")
    yield case("use enc", dict(rsa_key, use="enc"), "for 'enc', not for signatures")
    yield case("use enc, although key_ops verify", dict(rsa_key, use="enc", key_ops=["verify"]), "for 'enc'")
    yield case("use is a list", dict(rsa_key, use=["sig"]), "'use' is not a string")
    yield case("key_ops sign", dict(rsa_key, key_ops=["sign"]), "not for verifying")
    yield case("key_ops empty", dict(rsa_key, key_ops=[]), "not for verifying")
    yield case("key_ops a string", dict(rsa_key, key_ops="verify"), "'key_ops' is not a list")
    yield case("alg is a number", dict(rsa_key, alg=1), "'alg' is not a string")
    yield case("kid is a number", dict(rsa_key, kid=1), "'kid' is not a string")
    yield case("kid too long", dict(rsa_key, kid="k" * 257), "'kid' is longer than 256 bytes")
    yield case("null where there is nothing to say", dict(rsa_key, use=None, key_ops=None, alg=None, kid=None, x5c=None))
    yield case("not an object", [rsa_key], "not an object")
    yield case("member twice", json.dumps(ec_key)[:-1] + ', "x": "AA"}', "not valid JSON")
    yield case("NUL in kid", json.dumps(dict(ec_key, kid="a\0b")), "not valid JSON")
    yield case("too deep", json.dumps(ec_key)[:-1] + ', "z": ' + "[" * 64 + "]" * 64 + "}", "nested deeper than 64")
    yield case("empty text", "", "not valid JSON")


def set_cases():
    def case(name, keys, words=None, kid=None, alg="RS256", unknown=False, count=None, text=None):
        out = {"name": name, "alg": alg, "accept": words is None}
        out.update({"text": text} if text is not None else {"set": {"keys": keys}})
        for key, value in (("kid", kid), ("words", words), ("unknown", unknown or None), ("count", count)):
            if value is not None:
                out[key] = value
        return out

    one, two, curve = jwk(RSA, kid="k1"), jwk(RSA2, kid="k2"), jwk(P256, kid="e1")
    yield case("by kid", [one, two, curve], kid="k2", count=3)
    yield case("by kid, other type", [one, two, curve], kid="e1", alg="ES256")
    yield case("unknown kid", [one], "no key with kid 'k9' in the provider's key set", kid="k9", unknown=True)
    yield case("kid is compared whole", [one], "no key with kid 'k' in", kid="k", unknown=True)
    yield case("kid is compared in case", [one], "no key with kid 'K1' in", kid="K1", unknown=True)
    yield case("hostile kid", [one], "no key with kid '\\x1b]0;x\\x07' in", kid="\x1b]0;x\x07", unknown=True)
    yield case("kid of another type", [one, curve], "key 'e1' of the provider's key set: type EC P-256 does not fit algorithm 'RS256'", kid="e1")
    yield case("kid of another algorithm", [dict(one, alg="RS512")], "for algorithm 'RS512', not 'RS256'", kid="k1")
    yield case(
        "kid of a key for encryption", [dict(one, use="enc"), two], "key 'k1' of the provider's key set: not usable: for 'enc'", kid="k1", count=1
    )
    yield case(
        "kid of a weak key",
        [jwk(RSA_SMALL, kid="weak"), two],
        "key 'weak' of the provider's key set: not usable: RSA key has 1024 bits",
        kid="weak",
        count=1,
    )
    yield case("a weak key beside a good one", [jwk(RSA_SMALL, kid="weak"), two, 17, None, {}, {"kty": "oct", "k": "AAAA"}], kid="k2", count=1)
    yield case("two keys of one kid", [one, dict(two, kid="k1"), curve], "not usable: the set holds two keys with this kid", kid="k1", count=1)
    yield case("the same key twice", [one, one], "not usable: the set holds two keys with this kid", kid="k1", count=0)
    yield case("two keys of one kid, one for encryption", [one, dict(two, kid="k1", use="enc")], "two keys with this kid", kid="k1", count=0)
    yield case("private half published", [dict(one, d=number(RSA.private_numbers().d))], "the set publishes its private half", kid="k1", count=0)
    several = "token names no kid, and the provider's key set holds more than one key"
    yield case("no kid, one that fits", [one, curve, dict(two, use="enc")], several)
    yield case("no kid, two that fit", [one, two], several)
    yield case("no kid, none that fits", [one, two], several, alg="ES256")
    yield case("no kid, one that fits by alg", [dict(one, alg="RS384"), two], several)
    yield case("keys without kid", [jwk(RSA), jwk(P256)], several, alg="ES256", count=2)
    yield case("no kid, one key for signatures", [one, dict(two, use="enc"), 17])
    yield case(
        "no kid, the only key is of another type",
        [one],
        "token names no kid, and the provider's key set holds no key for 'ES256'",
        alg="ES256",
        unknown=True,
    )
    yield case("keys without kid are not found by kid", [jwk(RSA)], "no key with kid 'k1'", kid="k1", unknown=True)
    yield case("empty kid is a kid", [dict(one, kid=""), dict(two, kid="k1")], kid="")
    yield case("no keys", [], "no key with kid 'k1'", kid="k1", unknown=True, count=0)
    yield case("algorithm that is not supported", [one], "algorithm 'HS256' is not supported", alg="HS256")
    yield case("keys is an object", None, "key set: 'keys' is missing or not a list", text='{"keys":{}}')
    yield case("a list", None, "key set: 'keys' is missing or not a list", text="[]")
    yield case("one key", None, "key set: 'keys' is missing or not a list", text=json.dumps(one))
    yield case("HTML", None, "key set: not valid JSON", text="<html>")
    yield case("nothing", None, "key set: not valid JSON", text="")
    yield case("keys twice", None, "key set: not valid JSON", text='{"keys":[],"keys":[]}')
    yield case("too deep", None, "key set: JSON is nested deeper than 64", text='{"keys":' + "[" * 64 + "]" * 64 + "}")


# ---- tokens ----

ISSUER, AUDIENCE = "https://login.example.com", "bartizan"
CLAIMS = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "248289761001",
    "iat": AT - 10,
    "exp": AT + 600,
    "email": "alice@example.com",
    "email_verified": True,
    "groups": ["sre", "leads"],
}
BACKCHANNEL = "http://schemas.openid.net/event/backchannel-logout"
TOKEN_KEYS = {"r1": RSA, "e1": P256, "e3": P384, "d1": ED}


def token_cases():
    def signed(payload, header=None, alg="ES256", kid="e1", key=None):
        head = dict({"alg": alg, "typ": "JWT", "kid": kid}, **(header or {}))
        return compact({k: v for k, v in head.items() if v is not None}, payload, alg, key or TOKEN_KEYS[kid])

    def case(
        name,
        words=None,
        change=None,
        payload=None,
        drop=(),
        userinfo=None,
        expect=None,
        header=None,
        alg="ES256",
        kid="e1",
        key=None,
        token=None,
        **rules
    ):
        body = payload if payload is not None else {k: v for k, v in dict(CLAIMS, **(change or {})).items() if k not in drop}
        out = {"name": name, "token": token or signed(body, header, alg, kid, key), "accept": words is None}
        for name, value in (("words", words), ("rules", rules), ("userinfo", userinfo), ("expect", expect)):
            if value:
                out[name] = value
        return out

    def raw(changes):
        """The claims as text, with members put in as they are written."""
        body = json.dumps({k: v for k, v in CLAIMS.items() if k not in changes})
        return (body[:-1] + "".join(', "%s": %s' % item for item in changes.items()) + "}").encode()

    who = {"user": "alice@example.com", "groups": ["leads", "sre"], "subject": ISSUER + " 248289761001", "login_time": AT - 10}
    yield case("good", expect=who)
    for alg, kid in (("RS256", "r1"), ("RS384", "r1"), ("RS512", "r1"), ("PS256", "r1"), ("ES384", "e3"), ("EdDSA", "d1")):
        yield case("good " + alg, alg=alg, kid=kid, expect=who)
    yield case("no typ", header={"typ": None}, expect=who)
    yield case("no kid, one key that fits", "token names no kid, and the provider's key set holds more than one key", header={"kid": None})

    # the front and the keys
    yield case("access token", "token is an access token", header={"typ": "at+jwt"})
    yield case("unknown kid", "no key with kid 'gone' in the provider's key set", header={"kid": "gone"})
    yield case("kid of another key", "key 'r1' of the provider's key set: type RSA does not fit", header={"kid": "r1"})
    yield case("signed by a stranger", "signature does not fit", key=ec.generate_private_key(ec.SECP256R1()))
    yield case(
        "algorithm not in the list",
        "algorithm 'RS256' is not in the provider's list (ES256, EdDSA)",
        alg="RS256",
        kid="r1",
        algorithms=["ES256", "EdDSA"],
    )
    pem = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    yield case("HS256 with the public key", "algorithm 'HS256' is not in the provider's list", alg="HS256", kid="r1", key=pem)
    unsigned = b64(text({"alg": "none"})) + "." + b64(text(CLAIMS)) + "."
    yield case("none", "algorithm 'none' is not in the provider's list", token=unsigned)
    yield case("none, and the list has it", "algorithm 'none' is not supported", token=unsigned, algorithms=["none", "ES256"])
    yield case("payload is not JSON", "payload: not valid JSON", payload=b"hello")
    yield case("payload is empty", "payload: not valid JSON", payload=b"")
    yield case("payload is a list", "payload is not a JSON object", payload=b"[{}]")
    yield case("claim twice", "payload: not valid JSON", payload=json.dumps(CLAIMS).encode()[:-1] + b', "sub": "root"}')
    yield case("payload too deep", "payload: JSON is nested deeper", payload=raw({"x": "[" * 64 + "]" * 64}))
    yield case("NUL in a claim", "payload: not valid JSON", payload=raw({"sub": '"a\\u0000b"'}))

    # issuer, audience, party
    for name, value, words in (
        ("other", "https://evil.example", "issuer is 'https://evil.example', not 'https://login.example.com'"),
        ("with a slash", ISSUER + "/", "issuer is"),
        ("in other case", "https://LOGIN.example.com", "issuer is"),
        ("a list", [ISSUER], "'iss' is missing or not a string"),
        ("null", None, "'iss' is missing"),
    ):
        yield case("issuer " + name, words, {"iss": value})
    yield case("no issuer", "'iss' is missing", drop=["iss"])
    yield case("audience in a list", change={"aud": [AUDIENCE]})
    for name, value, words in (
        ("other", "web", "audience is 'web', not 'bartizan'"),
        ("others", ["web", "app"], "audience is 'web', 'app', not 'bartizan'"),
        ("empty list", [], "'aud' is empty"),
        ("empty", "", "audience is '', not"),
        ("in other case", "Bartizan", "audience is 'Bartizan'"),
        ("part", "bartizan2", "audience is 'bartizan2'"),
        ("number", 7, "'aud' is missing"),
        ("object", {"bartizan": 1}, "'aud' is missing"),
        ("list with a number", [AUDIENCE, 7], "'aud' holds something that is not a string"),
        ("list in a list", [[AUDIENCE]], "'aud' holds"),
        ("65", [AUDIENCE] * 65, "longer than 64"),
        ("hostile", "\x1b[2J", "audience is '\\x1b[2J', not"),
    ):
        yield case("audience: " + name, words, {"aud": value})
    yield case("no audience", "'aud' is missing", drop=["aud"])
    yield case("two audiences with azp", change={"aud": ["web", AUDIENCE], "azp": AUDIENCE})
    yield case("two audiences without azp", "'azp' is missing, and the token is for 2 audiences", {"aud": ["web", AUDIENCE]})
    yield case("two audiences, azp other", "authorized party ('azp') is 'web', not 'bartizan'", {"aud": ["web", AUDIENCE], "azp": "web"})
    yield case("one audience, azp the same", change={"azp": AUDIENCE})
    yield case("one audience, azp other", "authorized party ('azp') is 'web'", {"azp": "web"})
    yield case("azp is a number", "'azp' is not a string", {"azp": 1})

    # times: the skew is 30 s unless said
    for name, change, words in (
        ("expired, within the skew", {"exp": AT - 29, "iat": AT - 100}, None),
        ("expired, at the skew", {"exp": AT - 30, "iat": AT - 100}, "token expired 30 seconds ago"),
        ("expired", {"exp": AT - 180, "iat": AT - 1000}, "token expired 3 minutes ago"),
        ("issued ahead, within the skew", {"iat": AT + 30}, None),
        ("issued ahead", {"iat": AT + 31}, "token was issued 31 seconds in the future"),
        ("issued far ahead", {"iat": AT + 300, "exp": AT + 600}, "5 minutes in the future"),
        ("not before, within the skew", {"nbf": AT + 30}, None),
        ("not before", {"nbf": AT + 31}, "token is not valid for another 31 seconds"),
        ("expires before it was issued", {"iat": AT + 20, "exp": AT + 10}, "token expires before it was issued"),
        ("expires when it was issued", {"iat": AT, "exp": AT}, "expires before"),
        ("as long as it may be", {"iat": AT - 1, "exp": AT + 86399}, None),
        ("too long", {"iat": AT - 1, "exp": AT + 86400}, "token is valid for 1 day"),
        ("very long", {"iat": 1, "exp": 253402300799}, "token is valid for"),
        ("year 10000", {"exp": 253402300800}, "'exp' is not a time"),
        ("negative", {"iat": -1}, "'iat' is not a time"),
        ("text", {"exp": str(AT + 600)}, "'exp' is not a whole number"),
        ("float", {"exp": AT + 600.0}, "'exp' is not a whole number"),
        ("true", {"exp": True}, "'exp' is not a whole number"),
        ("null", {"exp": None}, "'exp' is not a whole number"),
        ("list", {"iat": [AT]}, "'iat' is not a whole number"),
        ("nbf is text", {"nbf": "0"}, "'nbf' is not a whole number"),
        ("nbf is null", {"nbf": None}, "'nbf' is not a whole number"),
        ("largest integer", {"exp": 2**63 - 1}, "'exp' is not a time"),
        ("smallest integer", {"iat": -(2**63)}, "'iat' is not a time"),
    ):
        yield case("times: " + name, words, change)
    for name, value in (
        ("exponent", "1.8e9"),
        ("huge", "9223372036854775808"),
        ("huge exponent", "1e400"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("hex", "0x6b49d200"),
        ("leading zero", "01800000600"),
    ):
        yield case("times: " + name, "'exp' is not a whole number" if name == "exponent" else "payload: not valid JSON", payload=raw({"exp": value}))
    yield case("times: no exp", "'exp' is missing", drop=["exp"])
    yield case("times: no iat", "'iat' is missing", drop=["iat"])
    yield case("skew 0, expired now", "token expired 0 seconds ago", {"exp": AT}, skew=0)
    yield case("skew 0, one second left", change={"exp": AT + 1}, skew=0)
    yield case("skew is at most 60 s", "token expired 1 minute ago", {"exp": AT - 60, "iat": AT - 100}, skew=3600)
    yield case("skew 60 s", change={"exp": AT - 59, "iat": AT - 100}, skew=3600)
    yield case("skew below 0 is 0", "token expired 0 seconds ago", {"exp": AT}, skew=-100)
    yield case("lifetime of the rules", "10 minutes is the most", lifetime=600)
    yield case("lifetime of the rules, kept", lifetime=610)

    # subject
    for name, value, words in (
        ("empty", "", "'sub' is empty"),
        ("a number", 248289761001, "'sub' is not a string"),
        ("null", None, "'sub' is not a string"),
        ("256 bytes", "s" * 256, "'sub' is longer than 255 bytes"),
        ("line end", "a\nb", "'sub' holds control or invisible characters"),
        ("escape", "\x1b[31m", "'sub' holds control"),
        ("DEL", "a\x7f", "'sub' holds control"),
        ("C1", "a\x9bb", "'sub' holds control"),
        ("zero width", "a\u200bb", "'sub' holds control"),
        ("bidirectional", "a\u202eb", "'sub' holds control"),
    ):
        yield case("sub: " + name, words, {"sub": value})
    yield case("no sub", "'sub' is missing", drop=["sub"])
    for name, value in (
        ("255 bytes", "s" * 255),
        ("bar", "auth0|5f7c8ec7c33c6c004bbafe82"),
        ("spaces", "CN=Alice B, O=Example"),
        ("backslash", "CORP\\alice"),
        ("beyond ASCII", "\u00c4lice"),
    ):
        yield case("sub: " + name, change={"sub": value}, expect={"subject": ISSUER + " " + value})

    # nonce, age
    yield case("nonce", change={"nonce": "n-0S6_WzA2Mj"}, nonce="n-0S6_WzA2Mj")
    yield case("nonce that nobody asked for", change={"nonce": "x"})
    yield case("nonce missing", "'nonce' is missing", nonce="n")
    yield case("nonce other", "nonce is not the one of this login", {"nonce": "N"}, nonce="n")
    yield case("nonce a number", "'nonce' is missing or not a string", {"nonce": 1}, nonce="1")
    yield case("login young enough", change={"auth_time": AT - 930}, max_age=900, expect={"login_time": AT - 930})
    yield case("login too old", "login was 15 minutes ago; 15 minutes is the most", {"auth_time": AT - 931}, max_age=900)
    yield case("login now", change={"auth_time": AT}, max_age=0)
    yield case("login old, nobody asks", change={"auth_time": AT - 999999}, expect={"login_time": AT - 999999})
    yield case("no auth_time: iat counts", change={"iat": AT - 931}, words="login was 15 minutes ago", max_age=900)
    yield case("no auth_time: iat is young enough", max_age=900)
    yield case("auth_time ahead", "login was 31 seconds in the future", {"auth_time": AT + 31})
    yield case("auth_time is text", "'auth_time' is not a whole number", {"auth_time": str(AT)})
    yield case("auth_time is null", "'auth_time' is not a whole number", {"auth_time": None})
    yield case("age as long as can be", change={"auth_time": 0}, max_age=2**63 - 1)
    yield case("logout token", "token is a logout token", {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}})

    # who it is
    def claims(name, words=None, change=None, userinfo=None, expect=None, drop=(), **rules):
        return case("identity: " + name, words, change, None, drop, userinfo, expect, **rules)

    yield claims("e-mail address not verified", "e-mail address 'alice@example.com' is not verified", {"email_verified": False})
    yield claims("verified, but as text", "'email_verified' is the text \"true\", and not true", {"email_verified": "true"})
    yield claims("verified, but as a number", "is not verified", {"email_verified": 1})
    yield claims("nothing about verified", "is not verified (there is no 'email_verified')", drop=["email_verified"])
    yield claims("no e-mail address", "claim 'email', which names the user, is missing", drop=["email"])
    yield claims("e-mail address is null", "claim 'email', which names the user, is missing", {"email": None})
    yield claims("e-mail address is a list", "claim 'email' is not a string", {"email": ["alice@example.com"]})
    info = {"sub": "248289761001", "email": "alice@example.com", "email_verified": True, "groups": ["from-info"]}
    yield claims(
        "e-mail address in userinfo",
        userinfo=info,
        drop=["email", "email_verified", "groups"],
        expect={"user": "alice@example.com", "groups": ["from-info"]},
    )
    yield claims("groups of the token first", userinfo=info, expect={"groups": ["leads", "sre"]})
    yield claims("an empty list in the token counts", change={"groups": []}, userinfo=info, expect={"groups": []})
    yield claims("userinfo verifies the same address", userinfo=info, drop=["email_verified"], expect={"user": "alice@example.com"})
    yield claims(
        "userinfo verifies another address",
        "'alice@example.com' is not verified",
        userinfo=dict(info, email="bob@example.com"),
        drop=["email_verified"],
    )
    yield claims("userinfo cannot undo what the token says", "is not verified", {"email_verified": False}, userinfo=info)
    yield claims("userinfo's address is not verified", "is not verified", userinfo=dict(info, email_verified=False), drop=["email"])
    yield claims(
        "the token's email_verified does not serve userinfo's address",
        "is not verified",
        userinfo={k: v for k, v in info.items() if k != "email_verified"},
        drop=["email"],
    )
    yield claims("userinfo of another", "userinfo is about another subject", userinfo=dict(info, sub="2"))
    yield claims("userinfo without sub", "userinfo is about another subject", userinfo={k: v for k, v in info.items() if k != "sub"})
    for name, value in (
        ("space", "alice b"),
        ("comma", "alice,root"),
        ("star", "*"),
        ("slash", "../alice"),
        ("line end", "alice\nroot"),
        ("escape", "\x1b[31malice"),
        ("zero width", "ali\u200bce"),
        ("bidirectional", "alice\u202e"),
        ("dash first", "-alice"),
        ("empty", ""),
        ("256 bytes", "a" * 256),
        ("quote", 'a"b'),
        ("backslash", "CORP\\alice"),
    ):
        yield claims("user with " + name, "which cannot be a user name", {"preferred_username": value}, user="preferred_username")
    yield claims("user by another claim", change={"preferred_username": "alice"}, user="preferred_username", expect={"user": "alice"})
    yield claims("user by a path", change={"a": {"b": "alice"}}, user="a.b", expect={"user": "alice"})
    yield claims("path through what is not an object", "claim 'sub.b', which names the user, is missing", user="sub.b")
    yield claims("path that ends too early", "claim 'a' is not a string", {"a": {"b": "alice"}}, user="a")
    yield claims("e-mail address by a path", "is not verified", {"a": {"email": "x@example.com"}}, user="a.email")
    yield claims(
        "e-mail address by a path, verified there",
        change={"a": {"email": "x@example.com", "email_verified": True}},
        user="a.email",
        expect={"user": "x@example.com"},
    )
    yield claims("claim named by a URL", change={"https://example.com/groups": ["x"]}, groups="https://example.com/groups", expect={"groups": ["x"]})
    yield claims("groups by a path", change={"realm_access": {"roles": ["admin"]}}, groups="realm_access.roles", expect={"groups": ["admin"]})
    yield claims("no groups claim", drop=["groups"], expect={"groups": []})
    yield claims("groups null", change={"groups": None}, expect={"groups": []})
    yield claims("one group as text", change={"groups": "sre"}, expect={"groups": ["sre"]})
    yield claims("groups as objects", change={"groups": [{"name": "sre", "id": 1}, {"id": 2}, {"name": 3}]}, expect={"groups": ["sre"], "dropped": 2})
    yield claims("groups twice", change={"groups": ["b", "a", "b", "a", "b"]}, expect={"groups": ["a", "b"], "dropped": 0})
    yield claims(
        "groups that are no names",
        change={"groups": ["sre", "a b", "a,b", "*", "", "a\nb", "\u200b", 7, None, ["x"], "-x", "g" * 256]},
        expect={
            "groups": ["sre"],
            "dropped": 11,
            "dropped_words": "'a b' (it holds ' '), 'a,b' (it holds ','), '*' (it holds '*'), '' (it is empty), 'a\\nb' (it holds '\\n'), "
            "'\\u{200B}' (it holds '\\u{200B}'), one (it is not text), one (it is not text)",
        },
    )
    yield claims("groups is a number", "claim 'groups' is neither a string nor a list", {"groups": 7})
    yield claims(
        "groups is an object",
        "claim 'groups' is neither a string nor a list (where the keys of an object are the groups",
        {"groups": {"sre": True}},
    )
    yield claims(
        "groups left out by the provider",
        "left claim 'groups' out",
        {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.example"}}},
        drop=["groups"],
    )
    yield claims("groups left out, hasgroups", "left claim 'groups' out", {"hasgroups": True}, drop=["groups"])
    yield claims(
        "groups left out, but userinfo has them", change={"hasgroups": True}, userinfo=info, drop=["groups"], expect={"groups": ["from-info"]}
    )
    kept = {
        "repository": "org/app",
        "run": 17,
        "protected": True,
        "ratio": 1.5,
        "list": ["a"],
        "object": {},
        "none": None,
        "hostile": "a\x1b[31m",
        "long": "x" * 1025,
        "most": "x" * 1024,
    }
    yield claims(
        "claims kept as text",
        change=kept,
        keep=list(kept) + ["absent"],
        expect={"claims": {"repository": "org/app", "run": "17", "protected": "true", "most": "x" * 1024}},
    )
    yield claims("32 claims to keep", keep=["c%d" % i for i in range(32)], expect={"claims": {}})
    yield claims("33 claims to keep", "more than 32 claims", keep=["c%d" % i for i in range(33)])


# A prime of 2048 bits, made by `openssl prime -generate -bits 2048 -hex`.
PRIME = int(
    "F2FB0006EE348A7C0D85CAC24B5F57985B52BC3BEB0772856EEAAB9779A01021D1FF93E0DD33BEE4AB06A0EC5744D6BA0E9D55E387B611641E9917098291EC3E"
    "99EC825D771D080ED3C972AD656F482EF236E73B975CA35D18AD87258C3B57A6403DCC5BE4EA1298DF54B746D9F106A4514CC171090CD0B967860CB1FA698995"
    "76CD288C39EE6E8692EA93E328D9E0424770C81E7E245DE56CF7C2DA728CED4FB7D508C929223F34172659C3098DFFF37D9F4098B95D2C1FE29D0D3A07CF1348"
    "E72C7AF05043DFD81978E5A4E7DD1272F6282B1C2D09B0B266F713B842674B67AB4D15EA7490F876BE92A2D100DC9BF2EDBE515D5399AFA8444419F12B52E115",
    16,
)


def save(name, content):
    lines = []
    for key, value in content.items():
        if isinstance(value, list):
            value = "[\n%s\n]" % ",\n".join(json.dumps(item) for item in value)
        else:
            value = json.dumps(value)
        lines.append("%s: %s" % (json.dumps(key), value))
    (HERE / name).write_text("{\n%s\n}\n" % ",\n".join(lines))


def kind_cases():
    """What providers sign with one key, as they document and send it: ID tokens, and everything that must not pass for one. And what was once
    accepted loosely, each decided."""
    person = {"iss": ISSUER, "aud": AUDIENCE, "sub": "248289761001", "iat": AT - 10, "exp": AT + 600}
    named = {"preferred_username": "alice", "email": "alice@example.com", "email_verified": True, "groups": ["sre"]}

    def case(name, words=None, claims=None, header=None, expect=None, payload=None, **rules):
        head = dict({"alg": "ES256", "typ": "JWT", "kid": "e1"}, **(header or {}))
        body = payload if payload is not None else {k: v for k, v in dict(person, **(claims or {})).items() if v is not None}
        token = compact({k: v for k, v in head.items() if v is not None}, body, "ES256", P256)
        out = {"name": name, "token": token, "accept": words is None}
        for key, value in (("words", words), ("rules", dict({"user": "sub"}, **rules)), ("expect", expect)):
            if value:
                out[key] = value
        return out

    # ---- Keycloak 26 ----
    session = {"auth_time": AT - 10, "azp": AUDIENCE, "sid": "0c6fb9a6", "acr": "1"}
    keycloak_id = dict(session, **named, typ="ID", jti="7c1b", at_hash="wM7Yz2w8wHcHkQXlz8SXLg", name="Alice B", given_name="Alice", family_name="B")
    access = dict(
        session, **named, typ="Bearer", jti="onrtac:4d2e", scope="openid email profile", realm_access={"roles": ["sre"]}, resource_access={}
    )
    access["allowed-origins"] = ["https://app.example.com"]
    is_access = "token is an access token"
    yield case("Keycloak: ID token", claims=keycloak_id, user="preferred_username", expect={"user": "alice", "groups": ["sre"]})
    yield case("Keycloak: ID token of a service account", claims=dict(keycloak_id, client_id="ci-deploy", clientHost="10.0.0.1"), machine=True)
    yield case("Keycloak: access token, its client is ours", is_access + " ('typ' is 'Bearer')", access)
    yield case("Keycloak: access token, an audience mapper", is_access + " ('typ' is 'Bearer')", dict(access, aud=[AUDIENCE, "account"]))
    yield case("Keycloak: access token of another client", is_access, dict(access, azp="other-app"))
    yield case("Keycloak: access token, the scope alone tells", is_access + " (it has 'scope')", dict(access, typ=None))
    yield case("Keycloak: DPoP-bound access token", is_access, dict(access, typ="DPoP", cnf={"jkt": "0ZcO"}))
    yield case("Keycloak: refresh token", "token is a refresh token", dict(session, typ="Refresh", scope="openid"))
    yield case("Keycloak: offline token", "token is an offline token", dict(session, typ="Offline", scope="openid offline_access"))
    yield case("Keycloak: logout token", "token is a logout token", {"typ": "Logout", "sid": "x", "events": {BACKCHANNEL: {}}})
    yield case("Keycloak: logout token of its own header", "type 'logout+jwt' is not accepted", {"events": {BACKCHANNEL: {}}}, {"typ": "logout+jwt"})
    yield case("typ of another kind", "token of another type ('typ' is 'Serialized-ID')", {"typ": "Serialized-ID"})
    yield case("typ in another spelling", "token of another type ('typ' is 'id')", {"typ": "id"})
    yield case("typ hostile", "token of another type ('typ' is '\\x1b[2J')", {"typ": "\x1b[2J"})
    yield case("typ is a list", "token of another type (it has 'typ')", {"typ": ["ID"]})
    yield case("typ JWT in the payload", "token of another type", {"typ": "JWT"})

    # ---- Microsoft Entra ID ----
    entra = {"ver": "2.0", "tid": "1111", "oid": "2222", "preferred_username": "alice@example.com", "name": "Alice", "rh": "0.A", "uti": "u", "nbf": AT - 10}
    yield case("Entra: ID token", claims=dict(entra, groups=["0f5b1c2d-0000-4000-8000-000000000000"], roles=["sre"], wids=["b79f"]), groups="roles")
    yield case("Entra: access token v2", is_access + " (it has 'scp')", dict(entra, azp=AUDIENCE, azpacr="0", scp="access_as_user"))
    yield case("Entra: access token v2 of an application", is_access + " (it has 'idtyp')", dict(entra, idtyp="app", azp=AUDIENCE, azpacr="1", roles=["x"]))
    yield case("Entra: access token v2, no scope", is_access + " (it has 'azpacr')", dict(entra, azp=AUDIENCE, azpacr="1", roles=["x"]))
    yield case("Entra: access token v1", is_access + " (it has 'appid')", dict(entra, ver="1.0", appid=AUDIENCE, appidacr="0"))

    # ---- Okta ----
    okta = {"ver": 1, "jti": "ID.GJ2kBA", "amr": ["pwd", "mfa"], "idp": "00ok1", "auth_time": AT - 10, "at_hash": "preAhTk9Oc"}
    yield case("Okta: ID token", claims=okta)
    yield case("Okta: access token", is_access + " (it has 'scp')", {"ver": 1, "jti": "AT.0mP4", "cid": AUDIENCE, "uid": "00u1", "scp": ["openid"]})
    yield case("Okta: access token without scopes", is_access + " (it has 'cid')", {"ver": 1, "jti": "AT.0mP4", "cid": AUDIENCE, "uid": "00u1"})
    yield case("Okta: access token, its id alone tells", is_access + " ('jti' is 'AT.0mP4')", {"jti": "AT.0mP4"})

    # ---- Auth0 ----
    yield case("Auth0: ID token", claims={"nickname": "alice", "sid": "s", "nonce": "n", "updated_at": "2026-01-01T00:00:00.000Z"})
    yield case("Auth0: access token", is_access + " (it has 'scope')", {"aud": [AUDIENCE, "https://t.auth0.example/userinfo"], "azp": AUDIENCE, "scope": "openid"})
    yield case("Auth0: access token of an application", is_access + " (it has 'gty')", {"azp": AUDIENCE, "gty": "client-credentials"})
    yield case("Auth0: access token, RFC 9068 profile", is_access + " (typ 'at+jwt')", {"client_id": AUDIENCE, "scope": "openid"}, {"typ": "at+jwt"})

    # ---- GitLab, Kubernetes, GitHub: people's and workloads' ----
    gitlab = {"auth_time": AT - 100, "sub_legacy": "9f", "nickname": "alice", "groups_direct": ["sre"], "https://gitlab.org/claims/groups/owner": ["sre"]}
    job = {"namespace_id": "1", "project_id": "7", "project_path": "a/b", "job_id": "302", "pipeline_id": "9", "ref": "main", "user_login": "alice", "nbf": AT - 15}
    service = {"sub": "system:serviceaccount:ci:deploy", "kubernetes.io": {"namespace": "ci", "serviceaccount": {"name": "deploy"}}, "aud": [AUDIENCE], "nbf": AT - 10}
    workflow = {"repository": "a/b", "ref": "refs/heads/main", "run_id": "1", "job_workflow_ref": "a/b/.github/workflows/c.yml@refs/heads/main", "sub": "7"}
    people = "this provider is for people"
    yield case("GitLab: ID token", claims=gitlab)
    yield case("GitLab: a job's token for people", "token is a CI job's token (it has 'job_id'), and " + people, job)
    yield case("GitLab: a job's token", claims=job, machine=True, user="project_id", expect={"user": "7"})
    yield case("Kubernetes: a service account's token for people", "token is a service account's token (it has 'kubernetes.io'), and " + people, service)
    yield case("Kubernetes: a service account's token", claims=service, machine=True, expect={"user": "system:serviceaccount:ci:deploy"})
    yield case("GitHub: a workflow's token for people", "token is a workflow's token", workflow)
    yield case("GitHub: a workflow's token", claims=workflow, machine=True)

    # ---- others ----
    yield case("Zitadel: ID token", claims={"client_id": AUDIENCE, "azp": AUDIENCE, "at_hash": "x", "amr": ["pwd"], "auth_time": AT - 10})
    yield case("Zitadel: access token", is_access + " (it has 'client_id')", {"client_id": AUDIENCE, "jti": "v2"})
    yield case("Cognito: ID token", claims={"token_use": "id", "cognito:username": "alice", "event_id": "e", "auth_time": AT - 10})
    yield case("Cognito: access token", is_access + " ", {"token_use": "access", "client_id": AUDIENCE, "username": "alice"})
    yield case("ForgeRock: ID token", claims={"tokenName": "id_token", "realm": "/"})
    yield case("ForgeRock: access token", is_access, {"tokenName": "access_token"})
    dex = {"email": "alice@example.com", "email_verified": True, "name": "alice"}
    yield case("Dex: ID token", claims=dict(dex, at_hash="x"), require=["at_hash"])
    yield case("Dex: access token, where at_hash is required", "token has no 'at_hash', which an ID token of this provider has", dex, require=["at_hash"])
    yield case("an ID token without at_hash, where nothing requires it", claims=dex)
    yield case("two claims are required", "token has no 'sid'", dict(dex, at_hash="x"), require=["at_hash", "sid"])

    # ---- kinds by the standards ----
    yield case("a security event", "token is a logout token or another security event", {"events": {"https://schemas.openid.net/secevent/caep/x": {}}})
    yield case("events of no kind", "security event", {"events": {}})
    yield case("an answer to an introspection", "an answer to an introspection", {"token_introspection": {"active": True}})
    yield case("an authorization response", "answer to an authorization request (JARM)", {"code": "abc", "state": "s", "sub": None, "iat": None})
    yield case("bound to another key", "bound to another key (it has 'cnf')", {"cnf": {"jkt": "0ZcO"}})
    yield case("somebody else acts", "somebody else acts for the user", {"act": {"sub": "admin"}})
    yield case("a claim that is null is not there", claims={"scope": None, "typ": None})
    for typ in ("secevent+jwt", "token-introspection+jwt", "oauth-authz-req+jwt", "oauth-id-jag+jwt", "dpop+jwt", "application/at+jwt", "jwt"):
        yield case("header typ " + typ, "type '%s' is not accepted, only 'JWT'" % typ, header={"typ": typ})

    # ---- what was accepted loosely ----
    several = "token names no kid, and the provider's key set holds more than one key"
    yield case("loose: no kid, several keys", several, header={"kid": None})
    yield case("loose: no typ in the header", header={"typ": None})  # RFC 7519 section 5.1: optional, and many leave it out
    yield case("loose: cty", header={"cty": "json"})  # means nothing for a payload that is an object
    yield case("loose: one group as text", claims=dict(named, groups="sre"), expect={"groups": ["sre"], "dropped": 0})  # ADFS writes lists of one so
    for name, value, why in (("blank", "sre leads", "it holds ' '"), ("comma", "sre,leads", "it holds ','"), ("JSON", '["sre"]', "it holds '\"'"), ("empty", "", "it is empty")):
        yield case("loose: groups in one text, " + name, "which is neither a list nor one group: " + why, dict(named, groups=value))
    yield case("loose: groups are numbers", claims=dict(named, groups=[1, 2]), expect={"groups": [], "dropped": 2})
    yield case("loose: email_verified as text", "'email_verified' is the text \"true\", and not true", dict(named, email_verified="true"), user="email")
    yield case("loose: email_verified null is absent", "there is no 'email_verified'", payload=dict(person, email="a@example.com", email_verified=None), user="email")
    yield case("loose: aud is a list of one", claims={"aud": [AUDIENCE]})
    yield case("loose: aud twice in the list", "'azp' is missing, and the token is for 2 audiences", {"aud": [AUDIENCE, AUDIENCE]})
    yield case("loose: exp as a float", "'exp' is not a whole number", {"exp": AT + 600.0})
    yield case("loose: iat as a float", "'iat' is not a whole number", {"iat": AT - 0.5})
    yield case("loose: iat ahead, within the skew", claims={"iat": AT + 29})
    yield case("loose: nbf ahead, within the skew", claims={"nbf": AT + 29})
    yield case("loose: nonce that nobody asked for", claims={"nonce": "n"})  # its key's nonce is compared by the gateway where one came
    yield case("loose: sub twice", "payload: not valid JSON", payload=json.dumps(person).encode()[:-1] + b', "sub": "root"}')
    yield case("loose: aud twice, once escaped", "payload: not valid JSON", payload=json.dumps(person).encode()[:-1] + b', "\\u0061ud": "x"}')
    yield case("loose: white space around the payload", payload=b" " + json.dumps(person).encode() + b"\r\n")

    # ---- groups as Zitadel has them, and names ----
    roles = {"urn:zitadel:iam:org:project:roles": {"sre": {"2391": "example.com"}, "leads": {"2391": "example.com"}, "a b": {}}}
    urn = "urn:zitadel:iam:org:project:roles"
    yield case("roles as keys", claims=roles, groups=urn, keys_of=True, expect={"groups": ["leads", "sre"], "dropped": 1, "dropped_words": "'a b' (it holds ' ')"})
    yield case("roles as keys, nobody said so", "neither a string nor a list (where the keys of an object are the groups", roles, groups=urn)
    yield case("roles as keys, none", groups=urn, keys_of=True, expect={"groups": []})
    yield case("roles as keys, an empty object", claims={urn: {}}, groups=urn, keys_of=True, expect={"groups": []})
    yield case("roles as keys, a list", "is not an object, whose keys would be the groups", {urn: ["sre"]}, groups=urn, keys_of=True)
    cyrillic = {"preferred_username": "ali\u0441e", "groups": ["sre", "s\u0433e", "\u0433\u0440\u0443\u043f\u043f\u0430", "/sre"]}
    yield case("name of two scripts", "cannot be a user name: it holds '\\u{0441}', which is not ASCII", cyrillic, user="preferred_username")
    yield case("name of two scripts, unicode", "it holds '\\u{0441}' (Cyrillic) among Latin letters", cyrillic, user="preferred_username", unicode=True)
    yield case(
        "groups of other scripts",
        claims=cyrillic,
        expect={"groups": ["sre"], "dropped": 3},
    )
    yield case(
        "groups of other scripts, unicode",
        claims=cyrillic,
        unicode=True,
        expect={
            "groups": ["sre", "\u0433\u0440\u0443\u043f\u043f\u0430"],
            "dropped": 2,
            "dropped_words": "'s\u0433e' (it holds '\\u{0433}' (Cyrillic) among Latin letters), '/sre' (it holds '/')",
        },
    )
    yield case("a name with a colon", "it holds ':'", {"sub": "system:admin"})
    yield case("a name of the gateway's machine", "it begins with 'local:'", {"sub": "local:root"}, machine=True)
    yield case("O'Brien", claims={"preferred_username": "o'brien"}, user="preferred_username", expect={"user": "o'brien"})


FILES = {
    "jws.json": lambda: {"cases": list(jws_cases())},
    "keys.json": lambda: {"keys": list(jwk_cases()), "sets": list(set_cases())},
    "tokens.json": lambda: rules_and(token_cases()),
    "kinds.json": lambda: rules_and(kind_cases()),
}


def rules_and(cases):
    return {
        "at": AT,
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "algorithms": ALL,
        "skew": 30,
        "jwks": {"keys": [jwk(key, kid=kid, use="sig") for kid, key in TOKEN_KEYS.items()]},
        "cases": list(cases),
    }


def main():
    """All files, or those that are named."""
    for name in sys.argv[1:] or FILES:
        save(name, FILES[name]())


main()
