#!/bin/bash
# libssh.sh MODE FOLDER: makes FOLDER hold what compiling and linking with libssh takes; says nothing when there is nothing to do.
#
# MODE static: the library as we want it (see `options`), built from Debian's own source package, which apt fetches and checks against the Debian
#   keyring. apt runs on folders and sources of its own: nothing of the system's configuration is changed, and root is not needed. The result is kept in
#   ${XDG_CACHE_HOME:-~/.cache}/bartizan and serves every build folder and every clone of this user.
# MODE system: the distribution's libssh-dev, with a word about what is missing then.
# MODE newest: builds what Debian has now, even though something is kept already; FOLDER is left alone.
#
# FOLDER gets: cflags, libs (one line each, for the compiler) and version; for static also lib/libssh.a, include/libssh/ (all headers, those of the
# library's inside too: for server/libssh/ alone) with config.h beside it, and source/ (the source package).
#
# LIBSSH_CFLAGS: hardening, from the Makefile. LIBSSH_SUITES: Debian's suites, in the order in which they are asked.
set -euo pipefail
export LC_ALL=C
mode=$1 folder=$2
least=0.12.2              # post-quantum key exchanges, direct-tcpip as a callback, windows counted rightly
least_system=0.10.6-0+deb12u3 # older builds miss security fixes
suites=${LIBSSH_SUITES:-forky sid}
cflags="-O3 -g -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections ${LIBSSH_CFLAGS:-}"
options=(
	-DBUILD_SHARED_LIBS=OFF -DWITH_SERVER=ON -DWITH_INSECURE_NONE=OFF
	# no configuration file is ever read, and nothing is ever executed
	-DGLOBAL_BIND_CONFIG=/dev/null -DGLOBAL_CLIENT_CONFIG=/dev/null -DWITH_EXEC=OFF
	-DWITH_GSSAPI=OFF -DWITH_ZLIB=OFF -DWITH_SFTP=OFF -DWITH_GEX=OFF -DWITH_NACL=OFF -DWITH_FIDO2=OFF -DWITH_PKCS11_URI=OFF -DWITH_PCAP=OFF
	-DWITH_DEBUG_CALLTRACE=OFF -DWITH_SYMBOL_VERSIONING=OFF -DWITH_EXAMPLES=OFF -DUNIT_TESTING=OFF
)

fail() {
	printf 'libssh: %s\n' "$@" >&2
	exit 1
}

need() { # need COMMAND…
	local command
	for command; do
		command -v "$command" >/dev/null || fail "$command is missing; run: make deps"
	done
}

write() { # write FILE TEXT: only what differs, for everything that is compiled looks at the file's time
	[ -e "$folder/$1" ] && [ "$(<"$folder/$1")" = "$2" ] || printf '%s\n' "$2" >"$folder/$1"
}

# ---- the distribution's ----

provide_system() {
	local version missing
	need pkg-config
	pkg-config --exists libssh || fail "libssh-dev is missing; run: make deps LIBSSH=system"
	version=$(dpkg-query -W -f '${Version}' libssh-dev 2>/dev/null || true)
	if [ -n "$version" ]; then
		dpkg --compare-versions "$version" ge "$least_system" || fail "libssh $version is too old: at least $least_system is needed (security fixes); run: make deps LIBSSH=system"
	else # not a Debian package: the upstream version is all that can be compared
		version=$(pkg-config --modversion libssh)
		pkg-config --atleast-version="${least_system%%-*}" libssh || fail "libssh $version is too old: at least ${least_system%%-*} is needed"
	fi
	missing="the parts of the protocol that libssh drops are not relayed"
	pkg-config --atleast-version="$least" libssh || missing="no post-quantum key exchange; $missing"
	mkdir -p "$folder"
	rm -rf "$folder"/{lib,include,source}
	write version "$version"
	write libs "$(pkg-config --libs libssh)"
	write cflags "$(pkg-config --cflags libssh)"
	printf 'libssh: the distribution'"'"'s %s is used; with it: %s\n' "$version" "$missing" >&2
}

# ---- Debian's source package ----

# Of the machine's own sources: the address of a Debian archive; not that of security updates, which has no sid.
find_archive() {
	apt-get indextargets --format '$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
		awk -F'|' '$2 ~ /^(https?|file|copy|mirror)/ && ($1 == "Debian" || $1 == "" && $2 !~ /security/) { print $2; exit }'
}

find_keyring() {
	local keyring
	for keyring in /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do
		[ -e "$keyring" ] && echo "$keyring" && return
	done
	fail "Debian's archive keyring is missing; run: make deps"
}

prepare_apt() { # prepare_apt SUITE: a fresh configuration in $work
	rm -rf "$work/apt" "$work/source"
	mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial" "$work/source"
	echo "deb-src [signed-by=$(find_keyring)] $archive $1 main" >"$work/apt/sources.list"
	apt=(
		apt-get -q -o "Dir::Etc::SourceList=$work/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::Etc::Preferences=/dev/null
		-o Dir::Etc::PreferencesParts=/dev/null -o "Dir::State::Lists=$work/apt/lists" -o "Dir::Cache=$work/apt/cache"
		-o Acquire::Retries=3 -o Acquire::Languages=none -o APT::Update::Error-Mode=any
		# whatever the machine allows otherwise: here a signature is demanded
		-o Acquire::AllowInsecureRepositories=false -o Acquire::AllowWeakRepositories=false -o APT::Get::AllowUnauthenticated=false
	)
	if [ "$(id -u)" = 0 ] && getent passwd _apt >/dev/null; then
		chown -R _apt "$work/apt/lists" "$work/apt/cache" "$work/source" # apt downloads as this user
	fi
}

fetch_from() { # fetch_from SUITE
	prepare_apt "$1"
	if ! "${apt[@]}" update >"$work/log" 2>&1; then
		grep -q 'is expired\|no longer valid' "$work/log" || return 1
		echo "libssh: the list of Debian's suite $1 has expired; its signature is checked all the same" >&2
		"${apt[@]}" -o Acquire::Check-Valid-Until=false update >"$work/log" 2>&1 || return 1
	fi
	(cd "$work/source" && "${apt[@]}" source --only-source --download-only libssh) >"$work/log" 2>&1 || return 1
	version=$(sed -n 's/^Version: //p' "$work"/source/libssh_*.dsc | head -n 1)
	dpkg --compare-versions "$version" ge "$least" || { echo "Debian's suite $1 has $version only" >"$work/log"; return 1; }
}

fetch() {
	local suite
	archive=$(find_archive)
	[ -n "$archive" ] || fail "no Debian archive among this machine's apt sources" "the distribution's own libssh serves, with less: make deps LIBSSH=system"
	for suite in $suites; do
		fetch_from "$suite" && return
	done
	cat "$work/log" >&2
	fail "at least $least is needed, and Debian's source package could not be fetched (tried: $suites)" "the distribution's own serves, with less: make deps LIBSSH=system"
}

compile() { # the source package in $work/source becomes $work/made
	local tree=$work/tree made=$work/made
	dpkg-source -x "$(echo "$work"/source/libssh_*.dsc)" "$tree"
	CC=${CC:-cc} CFLAGS="$cflags -ffile-prefix-map=$tree=libssh" cmake -S "$tree" -B "$work/objects" -G 'Unix Makefiles' -DCMAKE_BUILD_TYPE=None "${options[@]}"
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u DESTDIR make -C "$work/objects" -j"$(nproc)" ssh
	mkdir -p "$made"/{lib,include/libssh,source}
	cp "$work/objects/src/libssh.a" "$made/lib/"
	cp "$tree"/include/libssh/*.h "$work"/objects/include/libssh/libssh_version.h "$made/include/libssh/"
	cp "$work/objects/config.h" "$made/include/"
	cp "$work"/source/libssh_* "$made/source/"
	cp "$tree/COPYING" "$tree/debian/copyright" "$made/source/"
	echo "$version" >"$made/version"
}

# What is kept is good for the same options, compiler flags, release and OpenSSL.
fingerprint() {
	{
		echo "$cflags ${options[*]}"
		uname -m
		sed -n 's/^\(ID\|VERSION_ID\|VERSION_CODENAME\)=//p' /etc/os-release
		pkg-config --modversion libcrypto
		cat "$0"
	} | sha256sum | cut -c 1-12
}

build() {
	need cmake dpkg-source apt-get cc make
	work=$(mktemp -d) fresh=
	trap 'rm -rf "$work" "$fresh"' EXIT
	chmod 755 "$work"
	fetch
	kept=$cache/libssh_$version-$print
	[ ! -e "$kept" ] || return 0
	echo "libssh: building $version from Debian's source package (once)" >&2
	compile >"$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; fail "$version could not be built"; }
	fresh=$(mktemp -d "$cache/new.XXXXXX")
	cp -r "$work/made/." "$fresh/"
	chmod 755 "$fresh"
	mv -T "$fresh" "$kept" 2>/dev/null || [ -e "$kept" ] # another make was faster: the same
}

find_kept() { # the newest that fits
	local newest
	newest=$(cd "$cache" && printf '%s\n' libssh_*-"$print" | sort -V | tail -n 1)
	kept=$cache/$newest
	[ -e "$kept/version" ]
}

provide_static() {
	need pkg-config
	print=$(fingerprint)
	cache=${XDG_CACHE_HOME:-${HOME:-$folder}/.cache}/bartizan
	mkdir -p "$cache" 2>/dev/null || { cache=$folder/.cache; mkdir -p "$cache"; }
	cache=$(cd "$cache" && pwd)
	[ "$mode" != newest ] && find_kept || build
	[ "$mode" != newest ] || { echo "libssh: $kept"; return; }
	mkdir -p "$folder"
	folder=$(cd "$folder" && pwd)
	if [ ! -e "$folder/lib/libssh.a" ] || ! cmp -s "$kept/lib/libssh.a" "$folder/lib/libssh.a" || [ ! -e "$folder/include/config.h" ]; then
		rm -rf "$folder"/{lib,include,source} "$folder/cflags"
		cp -r "$kept"/{lib,include,source} "$folder/"
	fi
	write version "$(<"$kept/version")"
	write libs "-Wl,--gc-sections $folder/lib/libssh.a"
	write cflags "-isystem $folder/include -DLIBSSH_STATIC -DBARTIZAN_LIBSSH_STATIC=\\\"$(<"$kept/version")\\\""
}

case $mode in
static | newest) provide_static ;;
system) provide_system ;;
*) fail "'$mode' is neither static nor system" ;;
esac
