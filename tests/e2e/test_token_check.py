"""bartizan token check: the cases of tests/tokens through the command line, with a provider from a configuration."""

import base64
import json
import os
import subprocess

import pytest

from lablib.lab import ROOT, program

ENV = {key: value for key, value in os.environ.items() if not key.startswith("BARTIZAN_")}
TOKENS = json.loads((ROOT / "tests/tokens/tokens.json").read_text())
IN_CONFIGURATION = {"skew", "lifetime", "algorithms", "user", "groups", "issuer", "audience"}
ON_COMMAND_LINE = {"nonce", "max_age"}


def check(*words, stdin=""):
    done = subprocess.run(
        [program("bartizan"), "token", "check", *map(str, words)],
        env=ENV,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=30,
    )
    assert "Sanitizer" not in done.stderr, done.stderr
    return done


def possible(rules):
    return (
        set(rules) <= IN_CONFIGURATION | ON_COMMAND_LINE
        and 0 <= rules.get("skew", 0) <= 60
        and "none" not in rules.get("algorithms", [])
        and rules.get("max_age", 0) < 2**31
    )


@pytest.fixture
def world(tmp_path):
    """Writes a configuration with the rules of a case; the key set stands beside it."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "host")], check=True)
    (tmp_path / "jwks.json").write_text(json.dumps(TOKENS["jwks"]))

    def configure(**rules):
        rules = {"user": "email", "groups": "groups", **{key: TOKENS[key] for key in ("issuer", "audience", "algorithms", "skew")}, **rules}
        provider = {"name": "corp", "client_id": "client", **{key: rules[key] for key in ("issuer", "audience", "algorithms", "user", "groups")}}
        provider.update(skew="%ds" % rules["skew"], token_lifetime="%ds" % rules.get("lifetime", 86400))
        config = {"version": 1, "state_dir": str(tmp_path), "host_key": str(tmp_path / "host"), "providers": [provider]}
        (tmp_path / "config.yaml").write_text(json.dumps(config))
        return ["--config", tmp_path / "config.yaml", "--jwks", tmp_path / "jwks.json", "--provider", "corp", "--at", "2027-01-15T08:00:00Z"]

    configure.path = tmp_path
    return configure


def options_of(case, path):
    rules, words = case.get("rules", {}), []
    if "nonce" in rules:
        words += ["--nonce", rules["nonce"]]
    if "max_age" in rules:
        words += ["--max-age", "%ds" % rules["max_age"]]
    if "userinfo" in case:
        (path / "userinfo.json").write_text(json.dumps(case["userinfo"]))
        words += ["--userinfo", path / "userinfo.json"]
    return words


def test_every_case_of_a_token(world):
    run = 0
    for case in TOKENS["cases"]:
        rules = case.get("rules", {})
        if not possible(rules):
            continue
        words = world(**{key: value for key, value in rules.items() if key in IN_CONFIGURATION})
        done = check("-", *words, *options_of(case, world.path), "--json", stdin=case["token"])
        (answer,) = json.loads(done.stdout)
        if case["accept"]:
            assert (done.returncode, answer["result"]) == (0, "accepted"), (case["name"], answer)
            for key in ("user", "groups", "subject"):
                assert answer[key] == case.get("expect", {}).get(key, answer[key]), case["name"]
        else:
            assert (done.returncode, answer["result"]) == (1, "refused"), (case["name"], answer)
            assert case["words"].replace("\\", "\\\\") in answer["reason"] or case["words"] in answer["reason"], (case["name"], answer)
        run += 1
    assert run > 150


def test_the_words_for_people(world):
    good, words = TOKENS["cases"][0], world()
    done = check("-", *words, stdin=good["token"] + "\n")
    assert done.returncode == 0 and done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == "accepted"
    assert dict(line.split(None, 1) for line in lines[1:]) == {
        "user": "alice@example.com",
        "groups": "leads,sre",
        "subject": "https://login.example.com 248289761001",
        "login": "time  2027-01-15T07:59:50.000Z",
    }
    late = check("-", *words[:-1], "2027-01-15T08:13:00Z", stdin=good["token"])
    assert (late.returncode, late.stdout) == (1, "refused: token expired 3 minutes ago\n")
    spaced = check("-", *words, stdin=good["token"] + " \n")
    assert (spaced.returncode, spaced.stdout) == (1, "refused: signature: not base64url: holds ' '\n")


def test_a_token_in_a_file_and_one_that_is_too_long(world):
    path, words = world.path / "token", world()
    path.write_text(TOKENS["cases"][0]["token"])
    assert check(path, *words).stdout.startswith("accepted\n")
    for size in (16385, 2 * 1024 * 1024):
        path.write_text("a" * size)
        done = check(path, *words)
        assert (done.returncode, done.stdout) == (1, "refused: token is longer than 16384 bytes\n")


def test_questions_that_cannot_be_asked(world):
    words, token = world(), TOKENS["cases"][0]["token"]
    (world.path / "bad.json").write_text("<html>")
    for changed, says in (
        ([*words, "--jwks", "/nowhere"], "given twice"),
        ([word for word in words if word not in ("--provider", "corp")], "--provider"),
        (["--config", world.path / "config.yaml", "--provider", "corp"], "--jwks"),
        ([*words[:-3], "other", *words[-2:]], "no provider 'other'"),
        ([*words[:-1], "yesterday"], "--at"),
        ([*words[:3], world.path / "bad.json", *words[4:]], "key set: not valid JSON"),
        ([*words[:3], world.path / "none.json", *words[4:]], "none.json"),
        (["--config", "/nowhere", *words[2:]], "/nowhere"),
        ([*words, "--jws"], "--jwk"),
        ([*words, "--alg", "RS256"], "--alg"),
        ([*words, "--userinfo", world.path / "bad.json"], "not valid JSON"),
    ):
        done = check("-", *changed, stdin=token)
        assert done.returncode == 2 and done.stdout == "" and says in done.stderr, (changed, done)
    missing = check(world.path / "no-token", *words)
    assert missing.returncode == 2 and "no-token" in missing.stderr


def test_a_bare_jws(tmp_path):
    key = tmp_path / "key.json"
    for case in json.loads((ROOT / "tests/tokens/published.json").read_text())["cases"]:
        key.write_text(json.dumps(case["key"]))
        done = check("-", "--jws", "--jwk", key, stdin=case["jws"])
        if case["accept"]:
            assert done.returncode == 0 and done.stdout.startswith("accepted\n"), (case["name"], done)
        else:
            assert done.returncode == 1 and done.stdout.startswith("refused: ") and case["words"] in done.stdout, (case["name"], done)


def test_a_bare_jws_with_fewer_algorithms(tmp_path):
    case = json.loads((ROOT / "tests/tokens/published.json").read_text())["cases"][0]
    key = tmp_path / "key.json"
    key.write_text(json.dumps(case["key"]))
    assert check("-", "--jws", "--jwk", key, "--alg", "ES256", "--alg", "RS256", stdin=case["jws"]).returncode == 0
    done = check("-", "--jws", "--jwk", key, "--alg", "ES256", "--alg", "EdDSA", stdin=case["jws"])
    assert (done.returncode, done.stdout) == (1, "refused: algorithm 'RS256' is not one that '--alg' names (ES256, EdDSA)\n")
    changed = bytearray(base64.urlsafe_b64decode(case["jws"].split(".")[1] + "=="))
    changed[0] ^= 1
    head, _, signature = case["jws"].split(".")
    forged = ".".join((head, base64.urlsafe_b64encode(changed).rstrip(b"=").decode(), signature))
    assert check("-", "--jws", "--jwk", key, stdin=forged).stdout == "refused: signature does not fit the token and the key\n"
    key.write_text("{}")
    assert check("-", "--jws", "--jwk", key, stdin=case["jws"]).stdout == "refused: key: 'kty' is missing or not a string\n"
    key.unlink()
    assert check("-", "--jws", "--jwk", key, stdin=case["jws"]).returncode == 2
