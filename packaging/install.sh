#!/bin/bash
# make install: programs, manual pages, unit files, example configuration. BUILD, DESTDIR and PREFIX come from the Makefile.
set -euo pipefail
root=${DESTDIR%/}$PREFIX

install -D -m 755 "$BUILD/bartizand" "$root/sbin/bartizand"
install -D -m 755 "$BUILD/bartizan" "$root/bin/bartizan"
for page in man/*.[158]; do
	install -D -m 644 "$page" "$root/share/man/man${page##*.}/${page##*/}"
done
install -D -m 644 config.example.yaml "$root/share/doc/bartizan/config.example.yaml"
for unit in packaging/systemd/*.service; do
	install -d "$root/lib/systemd/system"
	sed "s|/usr/sbin/|$PREFIX/sbin/|; s|/usr/bin/|$PREFIX/bin/|" "$unit" >"$root/lib/systemd/system/${unit##*/}"
	chmod 644 "$root/lib/systemd/system/${unit##*/}"
done
for conf in packaging/systemd/*.sysusers packaging/systemd/*.tmpfiles; do
	[ -e "$conf" ] || continue
	kind=${conf##*.}
	install -D -m 644 "$conf" "$root/lib/$kind.d/$(basename "$conf" ".$kind").conf"
done
