#!/usr/bin/python3
"""An identity provider that does what a good one never does, in this process, for tests.

	with HostileProvider(lab.dir / "idp") as provider:      # a folder with the lab's authority (lablib/idp.py)
	    provider.behave("jwks", "redirect")                 # discovery, jwks, device, token, userinfo
	    provider.approve(sub="x", email="x@example.com")    # the next polls get an ID token with these claims
	    text = provider.yaml("evil")                        # an entry for `providers:`

Without a word it is a good provider whose logins stay pending. BEHAVIOURS lists what else it can do. Run as a program it serves until it is killed:
hostile_idp.py FOLDER [PATH=BEHAVIOUR…].
"""
import base64
import hashlib
import http.server
import json
import pathlib
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lablib import idp  # noqa: E402

PATHS = {"/.well-known/openid-configuration": "discovery", "/jwks": "jwks", "/device": "device", "/token": "token", "/me": "userinfo"}
GIGABYTE = 1 << 30
PIECE = b" " * 65536


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


# ---- what it can do: each gets the request's handler and the provider; a good answer is provider.good(name) ----

def good(handler, provider, name):
    status, body = provider.good(name)
    handler.answer(status, body)


def redirect(handler, provider, name):
    handler.answer(302, {}, Location=provider.issuer + "/elsewhere")


def redirect_away(handler, provider, name):
    handler.answer(307, {}, Location="http://127.0.0.1:9/" + name)


def garbage(handler, provider, name):
    handler.raw(200, b'{"keys": [}\x00\xff', "application/json")


def html(handler, provider, name):
    handler.raw(200, b"<html>Log in first</html>", "text/html")


def unavailable(handler, provider, name):
    handler.raw(503, b"busy", "text/plain")


def modulus(key):
    """Of an RSA key in this file, which is made where there is none."""
    if not key.exists():
        idp.openssl("genrsa", "-out", key, "2048")
    done = subprocess.run(["openssl", "rsa", "-in", str(key), "-noout", "-modulus"], check=True, stdout=subprocess.PIPE, text=True)
    return base64url(bytes.fromhex(done.stdout.strip().split("=")[1]))


def empty(handler, provider, name):
    handler.raw(200, b"", "application/json")


def twice(handler, provider, name):
    handler.raw(200, b'{"issuer": "%s", "issuer": "https://evil.example"}' % provider.issuer.encode(), "application/json")


def deep(handler, provider, name):
    handler.raw(200, b"[" * 100000 + b"]" * 100000, "application/json")


def gigabyte(handler, provider, name):
    """With an honest length, refused before it comes."""
    handler.begin(200, "application/json", GIGABYTE)
    provider.sent[name] = handler.pour(GIGABYTE)


def endless(handler, provider, name):
    """Without a length, until the reader has had enough."""
    handler.begin(200, "application/json", None)
    provider.sent[name] = handler.pour(GIGABYTE)


def headers(handler, provider, name):
    handler.send_response(200)
    for number in range(90):
        handler.send_header("X-%d" % number, "x" * 4000)
    handler.end_headers()


def silent(handler, provider, name):
    provider.closing.wait(600)


def drip(handler, provider, name):
    """One byte a second: no time-out for silence helps."""
    handler.begin(200, "application/json", 1000)
    for _ in range(1000):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        if provider.closing.wait(1):
            return


def cut(handler, provider, name):
    handler.begin(200, "application/json", 1000)
    handler.wfile.write(b"{")
    handler.close_connection = True


def hang_up(handler, provider, name):
    handler.close_connection = True


def wrong_issuer(handler, provider, name):
    handler.answer(200, dict(provider.good("discovery")[1], issuer=provider.issuer + "/"))


def http_endpoints(handler, provider, name):
    handler.answer(200, dict(provider.good("discovery")[1], token_endpoint="http://idp.example/token"))


def workload(handler, provider, name):
    """What CI systems and clusters publish: keys, and no logins."""
    handler.answer(200, {"issuer": provider.issuer, "jwks_uri": provider.issuer + "/jwks", "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
                         "authorization_endpoint": "urn:kubernetes:programmatic_authorization", "id_token_signing_alg_values_supported": ["RS256"]})


def no_keys(handler, provider, name):
    handler.answer(200, {"keys": []})


def other_key(handler, provider, name):
    """A key of the right name, but not the one that signs."""
    handler.answer(200, {"keys": [dict(provider.jwk, n=modulus(provider.folder / "hostile-other.key"))]})


def broken_key(handler, provider, name):
    """A number that is no modulus."""
    handler.answer(200, {"keys": [dict(provider.jwk, n=base64url(b"\xc1" + b"\x55" * 254 + b"\x0d"))]})


def nameless(handler, provider, name):
    handler.answer(200, {"keys": [{key: value for key, value in provider.jwk.items() if key != "kid"}]})


def other_nameless(handler, provider, name):
    handler.answer(200, {"keys": [{**{key: value for key, value in provider.jwk.items() if key != "kid"}, "n": modulus(provider.folder / "hostile-other.key")}]})


def slow_down(handler, provider, name):
    handler.answer(400, {"error": "slow_down"})


def denied(handler, provider, name):
    handler.answer(400, {"error": "access_denied"})


def expired(handler, provider, name):
    handler.answer(400, {"error": "expired_token"})


def terminal(handler, provider, name):
    """Control characters where a person would see them."""
    handler.answer(400, {"error": "invalid_request", "error_description": "\x1b[2J\x1b]0;owned\x07\u202egpj.exe\r\nbartizan: all is well"})


def evil_code(handler, provider, name):
    status, body = provider.good("device")
    handler.answer(status, dict(body, user_code="\x1b[31mABCD"))


def evil_link(handler, provider, name):
    status, body = provider.good("device")
    handler.answer(status, dict(body, verification_uri="javascript:alert(1)"))


def no_interval(handler, provider, name):
    status, body = provider.good("device")
    handler.answer(status, {key: value for key, value in body.items() if key != "interval"})


def short_lived(handler, provider, name):
    status, body = provider.good("device")
    handler.answer(status, dict(body, expires_in=2))


def strict_proof(handler, provider, name):
    """What Keycloak 26 does for a client that must use PKCE: the challenge in the device authorization, the verifier with each poll."""
    form = dict(urllib.parse.parse_qsl(provider.asked[-1][2]))
    if name == "device":
        provider.challenge = form.get("code_challenge")
        if form.get("code_challenge_method") != "S256":
            return handler.answer(400, {"error": "invalid_request", "error_description": "Missing parameter: code_challenge_method"})
    elif base64url(hashlib.sha256(form.get("code_verifier", "").encode()).digest()) != provider.challenge:
        return handler.answer(400, {"error": "invalid_grant", "error_description": "PKCE verification failed: Code mismatch"})
    return good(handler, provider, name)


def odd_members(handler, provider, name):
    """Optional members as they are seen in the wild, none of them usable as it is written."""
    status, body = provider.good(name)
    odd = {"device": {"verification_uri_complete": None, "interval": 1.0, "expires_in": "600"},
           "discovery": {"end_session_endpoint": None, "authorization_endpoint": "", "registration_endpoint": 7}}
    handler.answer(status, dict(body, **odd[name]))


def zero_in_front(handler, provider, name):
    """A modulus with the octet that a signed number has in front (Java's BigInteger: Jenkins, Firebase)."""
    number = base64.urlsafe_b64decode(provider.jwk["n"] + "==")
    handler.answer(200, {"keys": [dict(provider.jwk, n=base64url(b"\0" + number))]})


def with_logout(handler, provider, name):
    handler.answer(200, dict(provider.good(name)[1], end_session_endpoint=provider.issuer + "/logout"))


def no_id_token(handler, provider, name):
    handler.answer(200, {"access_token": "at", "token_type": "Bearer"})


def huge_token(handler, provider, name):
    handler.answer(200, {"id_token": "a." + "x" * 30000 + ".c"})


BEHAVIOURS = {function.__name__: function for function in (
    good, redirect, redirect_away, garbage, html, unavailable, empty, twice, deep, gigabyte, endless, headers, silent, drip, cut, hang_up, wrong_issuer,
    http_endpoints, workload, no_keys, other_key, broken_key, nameless, other_nameless, slow_down, denied, expired, terminal, evil_code, evil_link, no_interval, short_lived, strict_proof, odd_members, zero_in_front, with_logout, no_id_token, huge_token)}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def begin(self, status, kind, length, **more):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is None:
            self.close_connection = True
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(length))
        for name, value in more.items():
            self.send_header(name, value)
        self.end_headers()

    def raw(self, status, body, kind, **more):
        self.begin(status, kind, len(body), **more)
        self.wfile.write(body)

    def answer(self, status, body, **more):
        self.raw(status, json.dumps(body).encode(), "application/json", **more)

    def pour(self, size):
        sent = 0
        try:
            while sent < size:
                self.wfile.write(PIECE)
                sent += len(PIECE)
        except OSError:
            self.close_connection = True
        return sent

    def serve(self):
        provider = self.server.provider
        name = PATHS.get(self.path.split("?")[0], "other")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode(errors="replace")
        provider.asked.append((name, time.monotonic(), body))
        try:
            BEHAVIOURS[provider.behaviour.get(name, "good")](self, provider, name)
        except OSError:
            self.close_connection = True

    do_GET = do_POST = serve


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, address):
        pass  # a reader who had enough


class HostileProvider:
    """folder: the lab's idp folder. tls: the name of a certificate made there; san: for whom; None: plain http."""

    def __init__(self, folder, tls="tls", san="IP:127.0.0.1", port=0):
        self.folder = pathlib.Path(folder)
        self.behaviour, self.asked, self.sent = {}, [], {}
        self.closing = threading.Event()
        self.claims, self.userinfo, self.header = None, {}, {}
        self.interval, self.expires_in = 1, 600
        self.server = Server(("127.0.0.1", port), Handler)
        self.server.provider = self
        self.port = self.server.server_address[1]
        self.issuer = "%s://127.0.0.1:%d" % ("https" if tls else "http", self.port)
        if tls:
            idp.certificate(self.folder, tls, san=san)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.folder / (tls + ".pem"), self.folder / (tls + ".key"))
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.key = self.folder / "hostile-sign.key"
        self.jwk = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "hostile", "e": "AQAB", "n": modulus(self.key)}

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *wrong):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def behave(self, path, behaviour):
        assert path in PATHS.values() and behaviour in BEHAVIOURS, (path, behaviour)
        if behaviour in ("other_key", "other_nameless"):
            modulus(self.folder / "hostile-other.key")  # made now: on a busy machine it takes longer than an answer may
        self.behaviour[path] = behaviour

    def count(self, path):
        return sum(1 for name, _, _ in self.asked if name == path)

    def yaml(self, name, **more):
        """An entry for `providers:`, in one line."""
        entry = {"name": name, "issuer": self.issuer, "client_id": "bartizan", "user": "preferred_username", "groups": "groups", "jwks_refresh": "1s",
                 "connect_time": "2s", "answer_time": "1s", **more}
        if self.issuer.startswith("https"):
            entry["ca_file"] = str(self.folder / "ca.pem")
        else:
            entry["allow_http"] = True
        return "  - " + json.dumps(entry) + "\n"

    # ---- what a good provider says ----

    def approve(self, **claims):
        """From now on, polls get an ID token with these claims over sensible ones; a claim that is None is left out."""
        self.claims = claims

    def approve_as(self, who, **claims):
        """The same for a person that the lab's rules let in."""
        self.approve(**{"sub": who, "preferred_username": who, "groups": ["sre"], **claims})

    def token(self, header=None, **claims):
        now = int(time.time())
        payload = {"iss": self.issuer, "aud": "bartizan", "sub": "hostile", "iat": now, "auth_time": now, "exp": now + 600, **claims}
        payload = {key: value for key, value in payload.items() if value is not None}
        head = {"alg": "RS256", "kid": "hostile", **self.header, **(header or {})}
        head = {key: value for key, value in head.items() if value is not None}
        signed = ".".join(base64url(json.dumps(part).encode()) for part in (head, payload))
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", str(self.key)], input=signed.encode(), check=True, stdout=subprocess.PIPE).stdout
        return signed + "." + base64url(signature)

    def good(self, name):
        if name == "discovery":
            return 200, {"issuer": self.issuer, "jwks_uri": self.issuer + "/jwks", "token_endpoint": self.issuer + "/token",
                         "device_authorization_endpoint": self.issuer + "/device", "userinfo_endpoint": self.issuer + "/me",
                         "authorization_endpoint": self.issuer + "/authorize"}
        if name == "jwks":
            return 200, {"keys": [self.jwk]}
        if name == "device":
            return 200, {"device_code": "dc-%d" % len(self.asked), "user_code": "EVIL-CODE", "verification_uri": self.issuer + "/device",
                         "expires_in": self.expires_in, "interval": self.interval}
        if name == "token" and self.claims is not None:
            return 200, {"id_token": self.token(**self.claims), "access_token": "at", "token_type": "Bearer"}
        if name == "token":
            return 400, {"error": "authorization_pending"}
        if name == "userinfo":
            return 200, {"sub": (self.claims or {}).get("sub", "hostile"), **self.userinfo}
        return 404, {}


def main():
    with HostileProvider(sys.argv[1]) as provider:
        for word in sys.argv[2:]:
            provider.behave(*word.split("=", 1))
        print(provider.yaml("hostile"), end="", flush=True)
        provider.thread.join()


if __name__ == "__main__":
    main()
