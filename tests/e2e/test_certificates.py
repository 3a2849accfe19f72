"""Who may come in: certificates made by ssh-keygen, each refusal with its words. facts/identity.md, field.md 16."""
import pytest
from world import World, run

SERIAL = iter(range(1000))


def visit(world: World, *arguments, key_type="ed25519", bits=None, words=("echo in",), host="web1.direct", **options):
    """A new key with a certificate made by hand, and one attempt to go to web1 with it."""
    name = "visitor%d" % next(SERIAL)
    world.visitor(name, key_type, bits)
    world.certificate(name, *arguments, **options)
    return world.ssh(name, *([host, *words]))


def refused(world, done, words):
    assert done.code == 255 and "in\n" not in done.out, done
    assert words in done.err, done
    assert world.event("login-refused", reason=words)


@pytest.mark.parametrize("key_type, bits", [("ed25519", None), ("ecdsa", 256), ("ecdsa", 384), ("ecdsa", 521), ("rsa", 2048), ("rsa", 4096)])
def test_accepted(world, key_type, bits):
    """The twin of every refusal below: the same certificate without its fault."""
    done = visit(world, key_type=key_type, bits=bits)
    assert (done.code, done.out) == (0, "in\n"), done


def test_accepted_in_jump_mode(world):
    done = visit(world, host="web1", words=["-o", "User=%s" % world.env["LOGIN"], "echo in"])
    assert done.code in (0, 255)  # the jump's own user name is the visitor's, which the certificate does not have to be
    name = "visitor%d" % next(SERIAL)
    world.visitor(name)
    world.certificate(name)
    config = world.dir / ("ssh_config." + name)
    config.write_text(config.read_text().replace("User %s\n" % name, "User alice\n"))
    assert world.ssh(name, "web1", "echo in").out == "in\n"


@pytest.mark.parametrize("words, arguments, options", [
    ("expired", [], {"validity": "-2h:-1h"}),
    ("not valid before", [], {"validity": "+1h:+2h"}),
    ("no principal", [], {"principals": None}),
    ("principals", [], {"principals": "alice,bob"}),
    ("critical option", ["-O", "critical:no-such-option@example.com=1"], {}),
    ("source-address", ["-O", "source-address=10.99.0.0/16"], {}),
    ("verify-required", ["-O", "verify-required"], {}),
    ("valid name", [], {"principals": "*"}),
    ("valid name", [], {"principals": "al ice"}),
], ids=["expired", "future", "no-principal", "two-principals", "unknown-critical", "source-address", "verify-required", "star", "space"])
def test_refused(world, words, arguments, options):
    refused(world, visit(world, *arguments, **options), words)


def test_host_certificate(world):
    """The stock client does not even offer it; tests/unit has the gateway's own answer."""
    done = visit(world, "-h")
    assert done.code == 255 and "in\n" not in done.out


def test_refused_with_the_time(world):
    """field.md 16: 'expired 3 minutes ago', not 'Permission denied'."""
    done = visit(world, validity="-1h:-3m")
    refused(world, done, "expired 3 minutes ago")


def test_other_authority(world):
    ca = world.dir / "people/alice/other_ca"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", ca])
    refused(world, visit(world, ca=ca), "authority")


def test_backend_ca_is_not_a_user_ca(world):
    refused(world, visit(world, ca=world.env["BACKEND_CA"]), "authority")


def test_plain_key(world):
    """A key without a certificate gets nowhere without a login, which BatchMode cannot do; it is said so."""
    name = "visitor%d" % next(SERIAL)
    world.visitor(name)
    done = world.ssh(name, "web1.direct", "echo in")
    assert done.code == 255 and "in\n" not in done.out and "certificate needed: run ssh gw login" in done.err, done


def test_sha1_signature_of_an_authority(world):
    """An RSA authority that signs with SHA-1 is refused, with SHA-2 (and trusted) it is not."""
    ca = world.dir / "people/alice/rsa_ca"
    run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", ca])
    done = visit(world, "-t", "ssh-rsa", ca=ca)
    assert done.code == 255 and "in\n" not in done.out


def test_certificate_of_another_key(world):
    """The proof of possession counts: alice's certificate beside mallory's key."""
    name = "visitor%d" % next(SERIAL)
    key = world.visitor(name)
    key.with_name("id-cert.pub").write_bytes((world.dir / "people/alice/id-cert.pub").read_bytes())
    done = world.ssh(name, "web1.direct", "echo in")
    assert done.code == 255 and "in\n" not in done.out


def test_force_command(world):
    """Obeyed: what was asked for does not run; the forced command does, and knows what was asked."""
    done = visit(world, "-O", "force-command=echo forced: $SSH_ORIGINAL_COMMAND", words=["echo in"])
    assert "in\n" not in done.out.replace("echo in\n", "")
    assert done.out.startswith("forced:"), done
    done = visit(world, "-O", "force-command=echo forced", host="web1.direct", words=["-s", "sftp"])
    assert "forced" in done.out or done.code == 77, done


def test_no_pty(world):
    """No permit-pty, no terminal; the command itself is allowed."""
    done = visit(world, "-O", "no-pty", words=["-tt", "tty; echo in"])
    assert "/dev/pts" not in done.out, done
    assert visit(world, "-O", "no-pty", words=["echo in"]).out == "in\n"
    assert "/dev/pts" in visit(world, words=["-tt", "tty"]).out


def test_source_address_matches(world):
    assert visit(world, "-O", "source-address=127.0.0.0/8,10.0.0.0/8").out == "in\n"


def test_unknown_extension_is_ignored(world):
    assert visit(world, "-O", "extension:no-such@example.com").out == "in\n"


def test_key_id_is_shown_harmlessly(world):
    """A key id with escape sequences reaches neither log nor audit as itself."""
    visit(world, key_id="evil\033]0;x\007\r\nforged line")
    assert "\033" not in world.lab.log() and "\nforged" not in world.lab.log()
    assert "\033" not in world.lab.cli("audit", "tail").stdout


def test_many_keys_before_the_right_one(world):
    """field.md 16: keys that are only offered do not count as attempts."""
    options = []
    for _ in range(12):
        name = "visitor%d" % next(SERIAL)
        options.append("IdentityFile %s" % world.visitor(name))
    done = world.ssh("alice", "web1.direct", "echo in", options=options)
    assert done.out == "in\n", done


def test_issued_certificates(world):
    """bartizan cert issue: what it issues works, with its options; nonsense is refused."""
    name = "visitor%d" % next(SERIAL)
    key = world.visitor(name).with_name("id.pub")
    world.lab.issue("dora", ["sre"], key, "--force-command", "echo forced", "--lifetime", "5m")
    assert world.ssh(name, "web1.direct", "echo in").out == "forced\n"
    shown = run(["ssh-keygen", "-L", "-f", key.with_name("id-cert.pub")]).out
    assert "dora" in shown and "Serial: 0" not in shown
    world.lab.issue("dora", ["sre"], key, "--source-address", "192.0.2.1/32")
    refused(world, world.ssh(name, "web1.direct", "echo in"), "source-address")
    world.lab.issue("dora", [], key)
    assert world.ssh(name, "web1.direct", "echo in").code == 77
    for bad in (["--user", "a b"], ["--user", "*"], ["--user", ""], ["--user", "x", "--source-address", "nonsense"], ["--user", "x", "--lifetime", "900d"]):
        assert world.lab.cli("cert", "issue", *bad, "--key", key).returncode != 0


def test_trusted_authority(own_world):
    """certificates.trusted: another CA is accepted where it is named, with the user from principal or key id; its users are nobody else's."""
    world = own_world()
    for name, source in (("step", "principal"), ("vault", "key_id")):
        run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", world.dir / "keys" / name])
    trust = "\n  trusted:\n" + "".join("    - {key: %s/keys/%s.pub, user: %s}\n" % (world.dir, name, source) for name, source in (("step", "principal"), ("vault", "key_id")))
    world.edit(lambda text: text.replace("  lifetime: 10h\n", "  lifetime: 10h" + trust).replace("sre: {groups: [sre]}", "sre: {groups: [sre], users: [erin]}"))
    for ca, options in (("step", {"principals": "erin"}), ("vault", {"principals": "whatever", "key_id": "erin"})):
        done = visit(world, ca=world.dir / "keys" / ca, **options)
        assert done.out == "in\n", done
    done = visit(world, ca=world.dir / "keys/step", principals="mallory2")
    assert done.code == 77
    done = visit(world, ca=world.dir / "keys/step", principals="alice")  # this alice is the other authority's: no group
    assert done.code == 77, done
