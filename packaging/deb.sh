#!/bin/bash
# make deb: stages `make install` below BUILD and packs it. The library dependencies are read off the programs. libssh is inside them, and Built-Using names its
# source package; with LIBSSH=system it is a dependency whose version is ours to demand.
set -euo pipefail
version=$(sed -n 's/^#define BARTIZAN_VERSION "\(.*\)"/\1/p' common/version.h)
arch=$(dpkg --print-architecture)
stage=$BUILD/deb
rm -rf "$stage"
mkdir -p "$stage/root/DEBIAN" "$stage/debian"

DESTDIR=$stage/root PREFIX=/usr packaging/install.sh
gzip -9n "$stage"/root/usr/share/man/man*/*
install -D -m 644 LICENSE "$stage/root/usr/share/doc/bartizan/copyright"
built_using=/^@BUILT_USING@/d
if [ -e "$BUILD/libssh/lib/libssh.a" ]; then
	libssh=$(<"$BUILD/libssh/version")
	built_using="s|@BUILT_USING@|Built-Using: libssh (= $libssh)|"
	cat packaging/debian/copyright.libssh "$BUILD/libssh/source/copyright" >>"$stage/root/usr/share/doc/bartizan/copyright"
	sed -i "s|@LIBSSH@|$libssh|" "$stage/root/usr/share/doc/bartizan/copyright"
fi
strip "$stage"/root/usr/bin/* "$stage"/root/usr/sbin/*

printf 'Source: bartizan\nPackage: bartizan\n' >"$stage/debian/control"
depends=$(cd "$stage" && dpkg-shlibdeps -O root/usr/sbin/bartizand root/usr/bin/bartizan | sed 's/^shlibs:Depends=//; s/libssh-4 ([^)]*)/libssh-4 (>= 0.10.6-0+deb12u3)/')
size=$(du -sk "$stage/root" | cut -f1)
sed "$built_using; s|@VERSION@|$version|; s|@ARCH@|$arch|; s|@DEPENDS@|$depends|; s|@SIZE@|$size|" packaging/debian/control.in >"$stage/root/DEBIAN/control"
install -m 755 packaging/debian/postinst packaging/debian/prerm packaging/debian/postrm "$stage/root/DEBIAN/"
dpkg-deb --build --root-owner-group "$stage/root" "$BUILD/bartizan_${version}_$arch.deb"
