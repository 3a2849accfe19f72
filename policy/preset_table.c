/* The presets. Data only: `bartizan policy guards --show NAME` prints these rows.
 *
 * They are what most people would want to be asked about; none is complete, and none is a boundary:
 * that is an allow-list. Options that take a value are listed as `values` where their value could
 * be taken for an option. */
#include "policy/preset.h"

#include <string.h>

#define GIT "[-C, -c, --git-dir, --work-tree, --namespace]"
#define DOCKER \
	"[-H, -c, -l, -f, -p, --host, --context, --config, --log-level, --file, --project-name]"

/* What destroys data, ends machines and services, or takes the way in. */
static const char *const destructive[] = {
	/* files */
	"{program: [rm, grm, zf_rm], options: [-r, -R, --recursive]}",
	"{program: [find, gfind, bfs], options: [-delete]}",
	"{program: [find, gfind, bfs], options: [-exec, -execdir, -ok, -okdir], arguments: [rm, "
	"'*/rm', unlink, '*/unlink', shred]}",
	"{program: [fd, fdfind], options: [-x, -X, --exec, --exec-batch], arguments: [rm, shred]}",
	"{program: [shred, gshred, srm, wipe, scrub, sfill]}",
	"{program: [chmod, gchmod, chown, gchown, chgrp, gchgrp, zf_chmod, zf_chown, zf_chgrp, "
	"setfacl, chattr, chcon], options: [-R, --recursive], arguments: [/, '/\\*', /bin, /boot, "
	"/dev, /etc, /home, /lib, /lib64, /opt, /root, /sbin, /srv, /usr, /var, /usr/bin, "
	"/usr/lib, /usr/sbin, /var/lib]}",
	"{program: rsync, options: [--delete, --delete-before, --delete-during, --delete-delay, "
	"--delete-after, --delete-excluded, --remove-source-files, --del], values: [-e, -f, -B, "
	"-T, -M, --rsh, --exclude, --include, --filter]}",
	"{program: rclone, subcommand: [purge, delete, sync, cleanup, rmdirs]}",
	"{program: truncate, options: [-s, --size]}",
	"{program: git, subcommand: clean, options: [-f, --force], values: " GIT "}",
	"{program: [tar, bsdtar, gtar], options: [--remove-files, --recursive-unlink]}",
	"{program: [mv, zf_mv], matches: 're:^(mv|zf_mv) (.* )?/dev/null$'}",
	/* disks */
	"{program: [dd, gdd, dcfldd, dc3dd], arguments: ['re:^of=(?!/dev/null$)']}",
	"{program: ['mkfs', 'mkfs.*', mke2fs, mkswap, mkdosfs, mkntfs, mkudffs, newfs, "
	"mkreiserfs]}",
	"{program: wipefs, options: [-a, --all, -o, --offset], values: [-t, -O]}",
	"{program: blkdiscard}",
	"{program: [sgdisk, gdisk], options: [-Z, -z, -o, -d, --zap, --zap-all, --clear, "
	"--delete]}",
	"{program: [fdisk, sfdisk, cfdisk], matches: 're:^(fdisk|sfdisk|cfdisk) "
	"(?!.*(-l|--list|-d|--dump|-s|-x|-J|-V|--json)( |$)).*/dev/'}",
	"{program: parted, arguments: [mklabel, mktable, rm, mkpart, resizepart]}",
	"{program: partx, options: [-d, --delete]}",
	"{program: hdparm, options: [--security-erase, --security-erase-enhanced, "
	"--trim-sector-ranges]}",
	"{program: nvme, subcommand: [format, sanitize, delete-ns, write-zeroes, dsm]}",
	"{program: [lvremove, vgremove, pvremove, lvreduce, vgreduce]}",
	"{program: lvm, subcommand: [lvremove, vgremove, pvremove, lvreduce, vgreduce]}",
	"{program: mdadm, options: [--zero-superblock, --stop, -S, --remove, --fail]}",
	"{program: dmsetup, subcommand: [remove, remove_all, wipe_table]}",
	"{program: cryptsetup, subcommand: [luksFormat, erase, luksErase, luksKillSlot, "
	"luksRemoveKey, reencrypt, luksHeaderRestore]}",
	"{program: [zpool, zfs], subcommand: [destroy, labelclear, rollback, offline, detach]}",
	"{program: btrfs, subcommand: [subvolume delete, device delete, device remove]}",
	"{program: ceph, subcommand: [osd purge, osd destroy, osd pool delete, fs rm]}",
	"{program: [umount, swapoff], options: [-a, -f, --all, --force]}",
	"{program: fstrim, options: [-a, --all]}",
	/* machines and services */
	"{program: [shutdown, reboot, halt, poweroff, kexec, pm-suspend, pm-hibernate]}",
	"{program: [init, telinit], arguments: ['0', '1', '6', s, S]}",
	"{program: [systemctl, loginctl], subcommand: [stop, kill, disable, mask, isolate, "
	"poweroff, reboot, halt, kexec, soft-reboot, suspend, hibernate, rescue, emergency, "
	"default, exit, switch-root, revert, clean, terminate-user, terminate-session, kill-user, "
	"kill-session], values: [-H, -M, -t, -p, -P, -n, -o, -s, --host, --machine, --type, "
	"--state, --property, --lines, --output, --signal, --root, --image]}",
	"{program: [service, rc-service, invoke-rc.d], matches: "
	"'re:^(service|rc-service|invoke-rc\\.d) (.* )?(stop|disable)( |$)'}",
	"{program: ['re:^/etc/init\\.d/']}",
	"{program: initctl, subcommand: stop}",
	"{program: [sv, svc, s6-svc, supervisorctl, monit, pm2], matches: "
	"'re:^(sv|svc|s6-svc|supervisorctl|monit|pm2) (.* "
	")?(stop|down|exit|force-stop|delete|shutdown)( |$)'}",
	"{program: [update-rc.d], arguments: [remove, disable]}",
	"{program: chkconfig, arguments: ['off', --del]}",
	"{program: [kill], matches: 're:^kill (.+ )?(-9|-KILL|-SIGKILL) (-- )?1( |$)'}",
	"{program: [kill], matches: 're:^kill .*\\S -1( |$)'}",
	"{program: killall5}",
	"{program: [pkill, killall], matches: 're:^(pkill|killall)( .*)? "
	"(\\.|\\.\\*|systemd|sshd|init|-u|-U|--user|--uid|--euid)( |=|$)'}",
	"{program: [sysctl], arguments: ['kernel.panic*', 'kernel.sysrq*', kernel.sysrq-trigger]}",
	"> /proc/sysrq-trigger",
	">> /proc/sysrq-trigger",
	"{program: [tee], matches: 're:^tee (.* "
	")?(/proc/sysrq-trigger|/dev/(sd|nvme|vd|xvd|mapper/|mmcblk|disk/|md|dm-))'}",
	"> /dev/sd*",
	"> /dev/nvme*",
	"> /dev/vd*",
	"> /dev/xvd*",
	"> /dev/mapper/*",
	"> /dev/mmcblk*",
	"> /dev/disk/*",
	"> /dev/md*",
	"> /dev/dm-*",
	"{program: [cp, mv, install], matches: 're:^(cp|mv|install) .* "
	"/dev/(sd|nvme|vd|xvd|mapper/|mmcblk|disk/|md|dm-)'}",
	"{program: [dbus-send, busctl, gdbus, qdbus], matches: 're:^(dbus-send|busctl|gdbus|qdbus) "
	".*(PowerOff|Reboot|Halt|StopUnit|KillUnit|Suspend)'}",
	"{program: [rtcwake, ipmitool, ipmi-chassis], arguments: ['off', mem, disk, 'on', cycle, "
	"reset, soft]}",
	"{program: [rmmod, modprobe], options: [-r, -f, --remove, --force]}",
	/* network */
	"{program: [iptables, ip6tables, iptables-legacy, ip6tables-legacy, iptables-nft, "
	"ip6tables-nft, ebtables, arptables], options: [-F, -X, --flush, --delete-chain, -P, "
	"--policy], values: [-s, -d, -p, -j, -m, -i, -o, -t]}",
	"{program: [iptables-restore, ip6tables-restore]}",
	"{program: nft, subcommand: [flush ruleset, flush table, flush chain, delete table, delete "
	"chain]}",
	"{program: nft, options: [-f, --file]}",
	"{program: ufw, arguments: [disable, reset]}",
	"{program: firewall-cmd, options: [--panic-on, --complete-reload]}",
	"{program: ipset, arguments: [flush, destroy, -F, -X]}",
	"{program: ip, subcommand: [link delete, link del, route flush, route del, route delete, "
	"addr flush, address flush, a flush, addr del, address delete, netns delete, netns del, l "
	"del, r flush, r del, neigh flush]}",
	"{program: ip, subcommand: [link set, l set], arguments: [down]}",
	"{program: ifdown}",
	"{program: [ifconfig], matches: 're:^ifconfig .* down( |$)'}",
	"{program: [nmcli], matches: 're:^nmcli (.* )?(down|delete|off|disconnect)( |$)'}",
	"{program: route, arguments: [del, flush]}",
	"{program: conntrack, options: [-F, -D, --flush, --delete]}",
	/* accounts and packages */
	"{program: [userdel, groupdel, deluser, delgroup]}",
	"{program: usermod, options: [-L, -e, --lock, --expiredate]}",
	"{program: passwd, options: [-l, -d, -e, --lock, --delete, --expire]}",
	"{program: crontab, options: [-r]}",
	"{program: [apt, apt-get, aptitude], subcommand: [remove, purge, autoremove, autopurge], "
	"values: [-o, -c, -t]}",
	"{program: dpkg, options: [-r, -P, --remove, --purge, --force-all]}",
	"{program: [yum, dnf, microdnf, zypper, tdnf], subcommand: [remove, erase, rm, autoremove, "
	"distro-sync, 'history undo', 'history rollback']}",
	"{program: rpm, options: [-e, --erase], values: [-E, --eval, -D, --define]}",
	"{program: apk, subcommand: del}",
	"{program: pacman, options: [-R, --remove]}",
	"{program: [snap, flatpak], subcommand: [remove, uninstall]}",
	/* history and repositories */
	"{program: git, subcommand: push, options: [-f, -d, --force, --force-with-lease, "
	"--force-if-includes, --mirror, --delete, --prune], values: [-o, --push-option, --repo, "
	"--receive-pack, --exec, -C, -c]}",
	"{program: git, subcommand: push, arguments: ['+*', ':*'], values: " GIT "}",
	"{program: git, subcommand: reset, options: [--hard], values: " GIT "}",
	"{program: git, subcommand: [filter-branch, filter-repo, 'reflog expire', 'reflog delete', "
	"'stash clear', 'stash drop', 'update-ref -d'], values: " GIT "}",
	"{program: git, subcommand: branch, options: [-D], values: " GIT "}",
	/* infrastructure */
	"{program: [terraform, tofu, terragrunt], subcommand: [destroy, 'run-all destroy', 'state "
	"rm', taint, force-unlock, 'workspace delete']}",
	"{program: [terraform, tofu, terragrunt], subcommand: apply, options: [-destroy]}",
	"{program: pulumi, subcommand: [destroy, down, 'stack rm', 'state delete']}",
	"{program: [kubectl, oc, k], subcommand: [delete, drain, 'adm drain'], values: [-n, "
	"--namespace, --context, --kubeconfig, --cluster, --user, -s, --server]}",
	"{program: [kubectl, oc, k], subcommand: [apply, replace], options: [--prune, --force]}",
	"{program: [kubectl, oc, k], subcommand: scale, arguments: ['--replicas=0', '0']}",
	"{program: helm, subcommand: [uninstall, delete, del, un]}",
	"{program: [docker, podman, nerdctl], subcommand: [system prune, volume rm, volume remove, "
	"volume prune, image prune, container prune, network prune, builder prune, system reset, "
	"kill, rm, rmi, container rm, container kill, image rm, swarm leave, stack rm, service rm, "
	"secret rm, node rm], values: " DOCKER "}",
	"{program: [docker, podman, nerdctl, docker-compose, podman-compose], subcommand: [compose "
	"down, compose rm, compose kill, down, rm, kill], values: " DOCKER "}",
	"{program: crictl, subcommand: [rm, rmi, rmp, stop, stopp]}",
	"{program: ctr, arguments: [rm, delete, del, remove, kill]}",
	"{program: [virsh], subcommand: [destroy, undefine, shutdown, reboot, reset, vol-delete, "
	"vol-wipe, pool-delete, pool-destroy, snapshot-delete, snapshot-revert, net-destroy]}",
	"{program: [qm, pct, vzctl], subcommand: [destroy, stop, shutdown, rollback]}",
	"{program: [lxc, incus], subcommand: [delete, stop, restore, 'storage delete', 'image "
	"delete']}",
	"{program: [lxc-destroy, lxc-stop]}",
	"{program: machinectl, subcommand: [poweroff, reboot, terminate, kill, remove, clean]}",
	"{program: vagrant, subcommand: [destroy, halt]}",
	"{program: [aws], matches: 're:^aws (.* "
	")?(delete|terminate|deregister|stop|purge|reboot)-'}",
	"{program: aws, subcommand: [s3 rb]}",
	"{program: aws, subcommand: s3 rm}",
	"{program: aws, subcommand: s3 sync, options: [--delete]}",
	"{program: [gcloud, az, doctl, hcloud, openstack, linode-cli, exo, scw, oci, ibmcloud, "
	"flyctl, fly, heroku], matches: "
	"'re:^(gcloud|az|doctl|hcloud|openstack|linode-cli|exo|scw|oci|ibmcloud|flyctl|fly|heroku) "
	"(.* )?(delete|destroy|purge|terminate|deallocate|apps:destroy|pg:reset)( |$)'}",
	"{program: gsutil, arguments: [rm, rb]}",
	"{program: [mc, s3cmd], subcommand: [rm, rb, del, expire]}",
	"{program: [borg, restic, kopia], subcommand: [delete, prune, forget, compact, 'snapshot "
	"delete']}",
	"{program: etcdctl, arguments: [del, rm, remove, rmdir]}",
	"{program: [consul], subcommand: ['kv delete', leave]}",
	"{program: vault, subcommand: [delete, 'kv delete', 'kv destroy', 'operator seal', "
	"'secrets disable', 'auth disable']}",
	"{program: nomad, subcommand: [stop, 'job stop', 'system gc']}",
/* databases: DELETE and UPDATE where no WHERE follows in the same statement */
#define SQL                                                                                 \
	"[psql, mysql, mariadb, sqlite3, sqlite, sqlcmd, mysqlsh, cockroach, usql, pgcli, " \
	"mycli, clickhouse-client, clickhouse, duckdb, isql, tsql, sqlplus, cqlsh, trino, " \
	"presto, hive, beeline, "                                                           \
	"impala-shell, bq, snowsql, db2, fisql]"
	"{program: " SQL ", arguments: ['re:(?i)\\b(drop|truncate)\\b', "
	"'re:(?i)\\bdelete(\\s|/\\*.*?\\*/)+from\\b(?![^;]*\\bwhere\\b)', "
	"'re:(?i)\\bupdate\\b[^;]*\\bset\\b(?![^;]*\\bwhere\\b)']}",
	"{program: [dropdb, dropuser]}",
	"{program: mysqladmin, arguments: [drop, shutdown, kill, flush-hosts]}",
	"{program: pg_ctl, arguments: [stop, kill]}",
	"{program: [pg_ctlcluster], arguments: [stop]}",
	"{program: pg_restore, options: [-c, --clean]}",
	"{program: [pg_resetwal, pg_dropcluster]}",
	"{program: [redis-cli], matches: "
	"'re:(?i)^redis-cli\\b.*\\s(flushall|flushdb|shutdown|del|unlink|swapdb)(\\s|$)'}",
	"{program: [mongo, mongosh], arguments: "
	"['re:(?i)(drop|remove|delete(one|many)|shutdown)']}",
	"{program: [rabbitmqctl], subcommand: [reset, force_reset, stop, stop_app, delete_vhost, "
	"delete_queue, delete_user, purge_queue]}",
	"{program: [kafka-topics, kafka-topics.sh, kafka-consumer-groups, "
	"kafka-consumer-groups.sh, kafka-delete-records, kafka-delete-records.sh], options: "
	"[--delete, --offset-json-file]}",
	"{program: curl, arguments: ['re:(?i)^(-X|--request=)?delete$', "
	"'re:^-[a-zA-Z]*X(?i)delete$']}",
	NULL,
};

/* What makes more of an account than it is. */
static const char *const privilege[] = {
	"{program: [sudo, sudoedit, su, doas, pkexec, run0, runuser, gosu, su-exec, setpriv, "
	"capsh, calife, super, dzdo, pbrun, sg, newgrp]}",
	"{program: [setcap, visudo, vipw, vigr, chsh, chpasswd, chage, newusers, usermod, useradd, "
	"adduser, groupmod, groupadd, addgroup, gpasswd, passwd, semanage, setsebool, setenforce, "
	"nsenter, unshare, chroot, systemd-nspawn, insmod, modprobe, kexec, update-alternatives]}",
	"{program: [crontab, at, batch, systemd-run, atrm]}",
	"{program: [chmod, gchmod, zf_chmod], arguments: ['re:^[ugoa,=+rwxXt-]*[+=][rwxXt]*s', "
	"'re:^0*[2-7][0-7]{3}$']}",
	"{program: [install, ginstall], arguments: "
	"['re:^(-m|--mode=)?([ugoa]*[+=][rwx]*s|0*[2-7][0-7]{3}$)']}",
	"{program: [chown, gchown, zf_chown], arguments: ['root', 'root:*', '0', '0:*', '+0*']}",
	"{program: setfacl, options: [-m, -M, -x, --modify, --set, --restore]}",
	"{program: [docker, podman, nerdctl], arguments: [--privileged, '--privileged=*', "
	"'--pid=host', '--userns=host', '--cap-add*', '/:/*', '-v/:/*', '--volume=/:/*']}",
	"{program: mount}",
	"{program: gdb, options: [-p, --pid]}",
	"{program: [ssh-copy-id, ssh-keygen]}",
	"{program: systemctl, subcommand: [edit, link, set-property, set-environment, "
	"import-environment, enable]}",
	"> /etc/*",
	">> /etc/*",
	"> *.ssh/authorized_keys*",
	">> *.ssh/authorized_keys*",
	"> /root/*",
	">> /root/*",
	"> /var/spool/cron/*",
	">> /var/spool/cron/*",
	"{program: [tee, cp, mv, ln, install, dd, sed], arguments: ['/etc/sudoers*', "
	"'*=/etc/sudoers*', /etc/passwd, /etc/shadow, /etc/group, '/etc/pam.d*', '/etc/cron*', "
	"'/var/spool/cron*', '*.ssh/authorized_keys*', /etc/ld.so.preload, '*/.bashrc', "
	"'*/.profile', '/etc/systemd/system*', '/etc/profile*']}",
	"LD_PRELOAD=*",
	"LD_LIBRARY_PATH=*",
	"LD_AUDIT=*",
	NULL,
};

/* What carries data away. */
static const char *const exfiltration[] = {
	"{program: curl, options: [-T, -d, -F, --upload-file, --data, --data-binary, --data-raw, "
	"--data-ascii, --data-urlencode, --form, --form-string, --json, -K, --config, --url-query, "
	"--mail-from, -Q, --quote, -X, --request], values: [-o, -H, -u, -A, -b, -c, -e, -w, -x, "
	"-m, -r, -E, -C, -y, -Y, -z, -D, -t, -P, -U, --output, --header, --user, --user-agent, "
	"--cookie, --proxy]}",
	"{program: wget, options: [--post-data, --post-file, --body-data, --body-file, --method, "
	"--use-askpass], values: [-O, -o, -a, -e, -t, -T, -U, -P, -i, -A, -R, -D, -Q]}",
	"{program: [scp, pscp, sshpass-scp, rsync, rcp], arguments: ['*:*', '*@*']}",
	"{program: [sftp, psftp, ftp, lftp, ncftp, ncftpput, tftp, smbclient, davfs2, cadaver]}",
	"{program: [nc, ncat, netcat, nc.openbsd, nc.traditional, socat, telnet, cryptcat, sbd, "
	"websocat, chisel, gost, ngrok, cloudflared, frpc, iodine, dnscat2, mosh]}",
	"{program: openssl, subcommand: [s_client, s_server]}",
	"{program: [ssh, autossh, dbclient, plink], options: [-R, -L, -D, -w, -W], values: [-o, "
	"-i, -l, -p, -F, -J, -b, -c, -E, -e, -I, -m, -O, -Q, -S, -B]}",
	"{program: rclone, subcommand: [copy, copyto, move, moveto, sync, rcat, serve, bisync]}",
	"{program: [mail, mailx, s-nail, mutt, sendmail, msmtp, swaks, sendemail, exim, exim4]}",
	"{program: aws, subcommand: [s3 cp, s3 sync, s3 mv]}",
	"{program: aws, arguments: ['put-*', 'upload-*']}",
	"{program: gsutil, arguments: [cp, mv, rsync]}",
	"{program: [s3cmd, mc, azcopy], subcommand: [put, sync, cp, mv, copy, mirror]}",
	"{program: git, subcommand: [push, 'remote add', 'remote set-url', send-email, bundle]}",
	"{program: [docker, podman, nerdctl], subcommand: [push, save, export, cp, image push, "
	"image save]}",
	"{program: skopeo, subcommand: [copy, sync]}",
	"{program: [kubectl, oc], subcommand: [cp, port-forward, proxy]}",
	"{program: [gh, glab], subcommand: ['gist create', 'release upload', 'release create']}",
	"{program: [magic-wormhole, wormhole, croc, transfer, ffsend, onionshare-cli]}",
	"{program: [pg_dump, pg_dumpall, mysqldump, mariadb-dump, mongodump], arguments: ['-h*', "
	"'--host*']}",
	"{program: [python, python3, 'python3.*', php, ruby, busybox], arguments: [http.server, "
	"SimpleHTTPServer, '-S', httpd, pyftpdlib]}",
	"{program: [xxd, base64, base32, uuencode, dig, nslookup, host, drill], arguments: "
	"['re:\\$\\(|`']}",
	"> /dev/tcp/*",
	">> /dev/tcp/*",
	"<> /dev/tcp/*",
	"< /dev/tcp/*",
	"> /dev/udp/*",
	">> /dev/udp/*",
	"<> /dev/udp/*",
	"< /dev/udp/*",
	NULL,
};

/* The rest is in shell/code_table.c: every command that is found to carry code. */
static const char *const interpreters[] = { NULL };

const struct preset presets[] = {
	{ "destructive", "destroys data, stops machines and services, closes the way in",
		destructive, false },
	{ "exfiltration", "carries data to other machines", exfiltration, false },
	{ "interpreters", "runs code that it is given as text, in any language", interpreters,
		true },
	{ "privilege", "becomes somebody else, or makes an account more than it is", privilege,
		false },
};
const size_t preset_count = sizeof(presets) / sizeof(*presets);

size_t preset_find(const char *name)
{
	size_t i = 0;

	while (i < preset_count && strcmp(presets[i].name, name))
		i++;
	return i;
}
