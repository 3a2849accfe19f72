#!/bin/bash
# The build refuses a libssh that lacks security fixes (see ARCHITECTURE.md); bartizand checks again when it starts.
set -euo pipefail
least=0.10.6-0+deb12u3

command -v pkg-config >/dev/null || { echo "pkg-config is missing; run: make deps" >&2; exit 1; }
pkg-config --exists libssh || { echo "libssh-dev is missing; run: make deps" >&2; exit 1; }
version=$(dpkg-query -W -f '${Version}' libssh-dev 2>/dev/null || true)
if [ -n "$version" ]; then
	dpkg --compare-versions "$version" ge "$least" && exit 0
else # not a Debian package: the upstream version is all that can be compared
	version=$(pkg-config --modversion libssh)
	pkg-config --atleast-version="${least%%-*}" libssh && exit 0
fi
echo "libssh $version is too old: at least $least is needed (security fixes); run: make deps" >&2
exit 1
