"""What tests of the queue do: wait for a request, vote on it as somebody, look at it."""
import contextlib
import json
import re
import subprocess

from world import finish, until

ID = r"[2-9A-Z]{5}"


def gw(world, who, words, **options):
    return world.ssh(who, "gw", words, **options)


def requests(world, *words, **wanted):
    """Open requests, newest first, as an administrator sees them."""
    return [row for row in world.json("requests", *words) if all(row[key] == value for key, value in wanted.items())]


def pending(world, seconds=10, **wanted):
    """The id of the newest pending request, as soon as there is one."""
    return until(lambda: requests(world, state="pending", **wanted), seconds, "a request %s" % wanted)[0]["id"]


def show(world, id):
    return json.loads(world.lab.cli("requests", "show", id, "--json").stdout)[0]


def state(world, id):
    return show(world, id)["state"]


def vote(world, id, who="bob", words=""):
    done = gw(world, who, "approve %s %s" % (id, words))
    assert done.code == 0, done
    return done


def held(world, who, *words, **options):
    """ssh in the background that has to wait; (child, id of its request)."""
    before = {row["id"] for row in requests(world, "--all")}
    child = world.popen(who, *words, stdin=subprocess.DEVNULL, **options)
    row = until(lambda: [row for row in requests(world) if row["id"] not in before], 15, "the request of %s" % (words,))[0]
    return child, row["id"]


def end(child):
    return finish(child)


def clear(world):
    """Nothing that one test has left is there for the next one."""
    for row in requests(world):
        if row["state"] == "pending":
            world.lab.cli("cancel", row["id"])
        else:
            world.lab.cli("requests", "revoke", row["id"])


@contextlib.contextmanager
def undone(world):
    """Queue and configuration are as before when it ends."""
    before = world.lab.config.read_text()
    yield
    clear(world)
    if world.lab.config.read_text() != before:
        world.edit(lambda _: before)


def id_in(text):
    found = re.search(r"request (%s)" % ID, text)
    assert found, text
    return found.group(1)


def rule(world, approval, more=""):
    """The lab's prod rule with these approval settings (without the braces)."""
    def change(text):
        return re.sub(r"    approval: \{.*\}\n(    [a-z_]+: .*\n)*", lambda _: "    approval: {%s}\n%s" % (approval, more), text)
    world.edit(change)


def member(world, name, group):
    """One more person, of this group, with a certificate."""
    world.visitor(name)
    world.lab.issue(name, [group], world.dir / "people" / name / "id.pub")


def lead(world, name):
    member(world, name, "leads")
