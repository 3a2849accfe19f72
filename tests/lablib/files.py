"""The texts that the lab writes: the gateway's configuration and what people's ssh reads."""

PEOPLE = {"alice": ["sre"], "bob": ["sre", "leads"], "carol": ["auditors"], "mallory": []}
TARGETS = ("web1", "db1", "plain1", "odd1")

CONFIG = """\
# The lab's gateway. Edit it, then: tests/lab reload {dir}
version: 1
listen: [{listen}]
state_dir: {dir}/state
control_socket: {control}
host_key: {dir}/keys/host
{run_as}
certificates:
  issuing_key: {dir}/keys/user_ca
  lifetime: 10h

providers:
  - name: corp
    issuer: https://127.0.0.1:{idp}
    client_id: bartizan
    scopes: [openid, email, profile, groups]
    user: preferred_username
    groups: groups
    algorithms: [RS256, PS256, ES256, ES384, EdDSA]
    ca_file: {dir}/idp/ca.pem
    jwks_refresh: 1s

keys:
  backend_ca: {{file: {dir}/keys/backend_ca}}
  router_key: {{file: {dir}/keys/router}}

transcripts:
  min_free: 16MiB

limits:
  unauthenticated_per_source: 100

targets:
  - name: web1
    address: 127.0.0.1:{web1}
    labels: {{env: staging, role: web}}
    host_keys: ["{web1_key}"]
    credential: {{certificate: backend_ca}}
  - name: db1
    address: 127.0.0.1:{db1}
    labels: {{env: prod, role: db}}
    host_keys: ["{db1_key}"]
    credential: {{certificate: backend_ca}}
  - name: plain1
    address: 127.0.0.1:{plain1}
    labels: {{env: legacy, role: router}}
    host_keys: ["{plain1_key}"]
    credential: {{key: router_key}}
  - name: odd1
    address: 127.0.0.1:{odd1}
    labels: {{env: odd, role: odd}}
    host_keys: ["{odd1_key}"]
    credential: {{certificate: backend_ca}}

roles:
  sre: {{groups: [sre]}}
  lead: {{groups: [leads], may: [sessions, kill]}}
  auditor: {{groups: [auditors], may: [sessions, replay, audit]}}

rules:
  - name: staging
    allow: "*"
    roles: [sre]
    targets: {{labels: {{env: staging}}}}
    env: [LANG, "LC_*", "TEST_*"]
  - name: prod
    allow: [shell, exec, sftp]
    roles: [sre]
    targets: {{labels: {{env: prod}}}}
    approval: {{by: lead, votes: 1}}
  - name: legacy
    allow: [shell, exec, sftp]
    roles: [sre]
    targets: {{labels: {{env: legacy}}}}
    env: [LANG, "LC_*", "TEST_*"]
  - name: odd
    allow: [shell, exec, sftp]
    roles: [sre]
    targets: {{labels: {{env: odd}}}}
    env: [LANG, "LC_*", "TEST_*"]
"""

SSH_CONFIG = """\
# {name} at the lab's gateway{how}: `ssh -F {file} web1`
Host *
{identity}	StrictHostKeyChecking yes
	UserKnownHostsFile {dir}/known_hosts
	GlobalKnownHostsFile /dev/null
	UpdateHostKeys no
	ControlPath none
Host gw *.direct
	HostName 127.0.0.1
	Port {port}
	HostKeyAlias gw
Host gw
	User {name}
{targets}"""

# The ways in which people have their certificate, in the order of keys that each of them makes.
SSH_EXPLICIT = """\
	IdentityFile {dir}/people/{name}/id
	CertificateFile {dir}/people/{name}/id-cert.pub
	IdentitiesOnly yes
	IdentityAgent none
	BatchMode yes
"""

SSH_BESIDE = """\
	# id-cert.pub lies beside it, and is offered after it
	IdentityFile {dir}/people/{name}/id
	IdentitiesOnly yes
	IdentityAgent none
	BatchMode yes
"""

SSH_AGENT = """\
	# holds the key, then the certificate
	IdentityFile none
	IdentityAgent {agent}
	BatchMode yes
"""

SSH_CERTIFICATE = {"alice": SSH_BESIDE, "bob": SSH_AGENT}

SSH_PLAIN = """\
	IdentityFile {dir}/people/{name}/plain
	IdentitiesOnly yes
	IdentityAgent none
	PreferredAuthentications publickey,keyboard-interactive
"""

SSH_TARGET = """\
Host {target}
	ProxyJump gw
	User {login}
Host {target}.direct
	User {login}@{target}
"""


def ssh_config(directory, name, port, login, plain=False, agent=None):
    """With the certificate, as its owner has it; or with a plain key, for logins at the identity provider."""
    targets = "".join(SSH_TARGET.format(target=target, login=login) for target in TARGETS)
    certificate = SSH_CERTIFICATE.get(name, SSH_EXPLICIT)
    identity = (SSH_PLAIN if plain else certificate).format(dir=directory, name=name, agent=agent)
    return SSH_CONFIG.format(dir=directory, file=ssh_config_path(directory, name, plain), name=name, port=port, targets=targets, identity=identity,
                             how=", with a plain key" if plain else "")


def ssh_config_path(directory, name, plain=False):
    return directory / ("ssh_config.%s%s" % (name, ".nocert" if plain else ""))


def known_hosts(port, key):
    names = ["gw", "[127.0.0.1]:%d" % port, "[::1]:%d" % port, *TARGETS]
    return "%s %s\n" % (",".join(names), key)
