#!/bin/bash
# deps.sh LIST…: installs the Debian packages named in the lists that are not there yet; says nothing when none is missing.
# A list has one package a line, optionally with the least version: "libssh-dev >= 0.10.6-0+deb12u3"; or with a command that, where it works, makes
# the package unnecessary: "npm or npm --version". # begins a comment.
set -euo pipefail

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	echo "deps: this is not a Debian system; install by hand what is named in: $*" >&2
	exit 0
fi

installed() { # installed PACKAGE LEAST-VERSION
	local state version
	read -r state version < <(dpkg-query -W -f '${db:Status-Status} ${Version}\n' "$1" 2>/dev/null || echo none) || true
	[ "$state" = installed ] && { [ -z "$2" ] || dpkg --compare-versions "$version" ge "$2"; }
}

find_missing() {
	missing=()
	while read -r package relation rest; do
		case $relation in
		or) $rest </dev/null >/dev/null 2>&1 || missing+=("$package") ;;
		*) installed "$package" "$rest" || missing+=("$package") ;;
		esac
	done < <(sed 's/#.*//; /^[[:space:]]*$/d' "$@" | sort -u)
}

find_missing "$@"
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || { echo "deps: as root: apt-get install ${missing[*]}" >&2; exit 1; }
	as_root=(sudo)
fi
echo "deps: installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" >>"$log" 2>&1
}
apt update || true # without the newest lists an old version may be all there seems to be; without a network they may still do
# A name that this release does not have must not keep the others from being installed; it is said below.
had=()
for package in "${missing[@]}"; do
	[[ $(LC_ALL=C apt-cache policy "$package" 2>/dev/null) != *'Candidate: '[!\(]* ]] || had+=("$package")
done
if [ ${#had[@]} -gt 0 ] && ! apt install -y --no-install-recommends "${had[@]}"; then
	cat "$log" >&2
	exit 1
fi
find_missing "$@"
[ ${#missing[@]} -eq 0 ] && exit 0
echo "deps: still missing or too old: ${missing[*]}; are all of this release's sources, security among them, in /etc/apt?" >&2
exit 1
