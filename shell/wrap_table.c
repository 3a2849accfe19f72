/* The wrappers that are known, from their manuals: util-linux, coreutils, procps, findutils, sudo,
 * OpenSSH, systemd, tmux, screen, Docker, kubectl.
 *
 * Data only; shell/wrap.h says what the options' signs mean. */
#include "shell/code.h"

#define OPAQUE_INPUT "commands that come from its standard input or a file"

#define DIGITS "0 1 2 3 4 5 6 7 8 9 "
#define CONTAINER_RUN                                                                             \
	"d i t P q e: l: p: u: v: w: h: m: c: a: detach interactive tty rm privileged init "      \
	"read-only publish-all no-healthcheck quiet name: env: "                                  \
	"env-file: publish: user: volume: workdir: hostname: memory: cpus: cpu-shares: network: " \
	"net: label: mount: restart: platform: pull: "                                            \
	"cap-add: cap-drop: device: dns: add-host: ipc: pid: uts: userns: security-opt: "         \
	"shm-size: ulimit: tmpfs: log-driver: log-opt: gpus: "                                    \
	"entrypoint:? group-add: ip: link: expose: stop-signal: stop-timeout: runtime: sysctl: "  \
	"cgroupns: cidfile: attach: detach-keys:"
#define CONTAINER_EXEC                                                                             \
	"d i t T e: u: w: l detach interactive tty no-TTY privileged latest env: env-file: user: " \
	"workdir: detach-keys: index:"
#define NAMESPACES \
	"m:: u:: i:: n:: p:: U:: C:: T:: mount:: uts:: ipc:: net:: pid:: user:: cgroup:: time:: "

const struct wrapper wrappers[] = {
	/* as someone else */
	{ "sudo",
		"A b B E H N P S n k i# s# K! l! v! V! e! h! C: D: g: h: p: R: r: T: t: U: u: "
		"askpass background bell preserve-env:: set-home "
		"non-interactive "
		"preserve-groups stdin no-update reset-timestamp login# shell# remove-timestamp! "
		"list! validate! edit! close-from: chdir: group: "
		"host: prompt: "
		"chroot: role: command-timeout: type: other-user: user:",
		WRAP_ASSIGN, 0, NULL, NULL },
	{ "doas", "n s# L! C:! u: a:", WRAP_ASSIGN, 0, NULL, NULL },
	{ "su", "", 0, 0, wrap_su, NULL },
	{ "runuser", "", 0, 0, wrap_su, NULL },
	{ "pkexec", "u: user: disable-internal-agent keep-cwd", WRAP_SHELL, 0, NULL, NULL },
	{ "run0",
		"u: g: D: user: group: nice: chdir: setenv: background: unit: property: slice: "
		"slice-inherit no-ask-password machine:",
		WRAP_SHELL, 0, NULL, NULL },
	{ "setpriv",
		"d! dump! no-new-privs clear-groups keep-groups init-groups reset-env nnp reuid: "
		"regid: ruid: euid: rgid: egid: groups: inh-caps: "
		"ambient-caps: "
		"bounding-set: securebits: pdeathsig: selinux-label: apparmor-profile:",
		0, 0, NULL, NULL },
	{ "gosu", "", 0, 1, NULL, NULL },
	{ "su-exec", "", 0, 1, NULL, NULL },
	{ "setuidgid", "", 0, 1, NULL, NULL },
	{ "chpst", "v P 0 1 2 u: U: b: e: / n: l: L: m: d: o: p: f: c: t: C:", 0, 0, NULL, NULL },
	/* in other surroundings */
	{ "env",
		"i 0 v u: C: S$ P: a: null ignore-environment unset: chdir: split-string$ argv0: "
		"block-signal:: default-signal:: ignore-signal:: "
		"list-signal-handling debug",
		WRAP_ASSIGN | WRAP_DASH | WRAP_REST, 0, NULL, NULL },
	{ "envdir", "", 0, 1, NULL, NULL },
	{ "chroot", "userspec: groups: skip-chdir g: G: n u:", WRAP_SHELL, 1, NULL, NULL },
	{ "nsenter",
		NAMESPACES "a t: S: G: r:: w:: W: F Z e c N: all target: setuid: setgid: root:: "
			   "wd:: wdns: no-fork follow-context "
			   "preserve-credentials env join-cgroup keep-caps",
		WRAP_SHELL, 0, NULL, NULL },
	{ "unshare",
		NAMESPACES "f r c R: w: S: G: fork map-root-user map-current-user map-user: "
			   "map-group: map-users: map-groups: map-auto kill-child:: "
			   "mount-proc:: propagation: setgroups: keep-caps root: wd: setuid: "
			   "setgid: monotonic: boottime:",
		WRAP_SHELL, 0, NULL, NULL },
	{ "bwrap",
		"unshare-all share-net unshare-user unshare-ipc unshare-pid unshare-net "
		"unshare-uts unshare-cgroup die-with-parent new-session "
		"as-pid-1 clearenv "
		"chdir: dev: proc: tmpfs: mqueue: dir: hostname: uid: gid: unsetenv:",
		0, 0, NULL, NULL },
	{ "firejail", "quiet noprofile private:: profile:: net:: name: seccomp:: caps.drop:",
		WRAP_SHELL, 0, NULL, NULL },
	{ "fakeroot", "u b: l: i: s: lib: faked: unknown-is-real", WRAP_SHELL, 0, NULL, NULL },
	{ "proxychains", "q f:", 0, 0, NULL, NULL },
	{ "proxychains4", "q f:", 0, 0, NULL, NULL },
	{ "torsocks", "i u: p: a: P: isolate", WRAP_SHELL, 0, NULL, NULL },
	{ "setarch", "v R F Z L X I S T 3 B uname-2.6 verbose addr-no-randomize 32bit 4gb", 0, 0,
		wrap_runcon, NULL },
	{ "linux32", "v R F Z L X I S T 3 B", WRAP_SHELL, 0, NULL, NULL },
	{ "linux64", "v R F Z L X I S T 3 B", WRAP_SHELL, 0, NULL, NULL },
	{ "dbus-run-session", "config-file: dbus-daemon:", 0, 0, NULL, NULL },
	{ "ssh-agent", "a: E: P: t: c s d D k!", 0, 0, NULL, NULL },
	{ "sshpass", "p: f: d: e P: v h! V!", 0, 0, NULL, NULL },
	{ "xvfb-run",
		"a e: f: l n: p: s: w: auto-servernum error-file: auth-file: listen-tcp "
		"server-num: server-args:",
		0, 0, NULL, NULL },
	/* in another manner */
	{ "nohup", "", 0, 0, NULL, NULL },
	{ "nice", DIGITS "n: adjustment:", 0, 0, NULL, NULL },
	{ "ionice", "c: n: t p:! P:! u:! class: classdata: ignore pid:! pgid:! uid:!", 0, 0, NULL,
		NULL },
	{ "chrt",
		"a b d f i m! o r R v p! T: P: D: all-tasks batch deadline fifo idle other rr "
		"reset-on-fork verbose max! pid!",
		0, 1, NULL, NULL },
	{ "taskset", "a c p! all-tasks cpu-list pid!", 0, 1, NULL, NULL },
	{ "numactl",
		"a l s! H! i: p: P: C: N: m: interleave: preferred: physcpubind: cpunodebind: "
		"membind: localalloc all show! hardware!",
		0, 0, NULL, NULL },
	{ "prlimit",
		"p:! pid:! o: noheadings raw verbose nofile:: nproc:: core:: cpu:: as:: data:: "
		"fsize:: stack:: memlock:: n:: u:: c:: t:: v:: d:: f:: "
		"s:: l::",
		0, 0, NULL, NULL },
	{ "choom", "n: p:! adjust: pid:!", 0, 0, NULL, NULL },
	{ "timeout", "k: s: v f p foreground preserve-status kill-after: signal: verbose", 0, 1,
		NULL, NULL },
	{ "time", "p a v q o: f: V! append verbose portability quiet output: format:", 0, 0, NULL,
		NULL },
	{ "stdbuf", "i: o: e: input: output: error:", 0, 0, NULL, NULL },
	{ "unbuffer", "p", 0, 0, NULL, NULL },
	{ "rlwrap",
		"a:: A:: b: c C: D: e: f: g: H: i I l: m:: M: n N o O: p:: P: q: r R s: S: t: U w: "
		"W: X z:",
		0, 0, NULL, NULL },
	{ "setsid", "c f w ctty fork wait", 0, 0, NULL, NULL },
	{ "flock",
		"s x e n u o F w: E: c$ v shared exclusive nonblock nb unlock close no-fork "
		"timeout: wait: conflict-exit-code: command$ verbose",
		WRAP_PERMUTE, 1, NULL, NULL },
	{ "strace",
		"c C d D f F h! i k n q r t T v V! w x y z Z A a: b: e: E: I: o:| O: p: P: s: S: "
		"u: "
		"U: X: follow-forks output:| trace: attach:",
		0, 0, NULL, NULL },
	{ "ltrace", "b c C f F: i L r S t T V! a: A: D: e: l: n: o: p: s: u: w: x: X:", 0, 0, NULL,
		NULL },
	{ "valgrind",
		"v q d tool: leak-check: log-file: track-origins: suppressions: trace-children: "
		"error-exitcode:",
		0, 0, NULL, NULL },
	{ "chronic", "v e", 0, 0, NULL, NULL },
	{ "ifne", "n", 0, 0, NULL, NULL },
	{ "eatmydata", "", 0, 0, NULL, NULL },
	{ "tini", "v s g w p: e:", 0, 0, NULL, NULL },
	{ "dumb-init", "c v r: single-child verbose rewrite:", 0, 0, NULL, NULL },
	{ "systemd-inhibit", "what: who: why: mode: no-pager no-legend list!", 0, 0, NULL, NULL },
	{ "systemd-cat", "t: p: identifier: priority: stderr-priority: level-prefix:", 0, 0, NULL,
		NULL },
	{ "systemd-run",
		"d t P q S# r G E: H: M: p: u: uid: gid: nice: unit: property: description: slice: "
		"slice-inherit expand-environment: service-type: "
		"working-directory: setenv: same-dir pty pipe quiet shell# remain-after-exit "
		"collect scope user system no-block wait send-sighup "
		"no-ask-password "
		"host: machine: on-active: on-boot: on-startup: on-unit-active: on-unit-inactive: "
		"on-calendar: timer-property: path-property: "
		"socket-property:",
		0, 0, NULL, NULL },
	{ "start-stop-daemon", "", 0, 0, NULL, "command whose beginning cannot be seen" },
	{ "watch",
		"b c C d:: e f g p r t w x^ q: n: s: beep color no-color differences:: errexit "
		"follow chgexit precise no-rerun no-title no-wrap "
		"exec^ equexit: "
		"interval: shotsdir: h! v!",
		WRAP_JOIN, 0, NULL, NULL },
	{ "entr", "a c d n p r s z x", 0, 0, NULL, NULL },
	{ "repeat", "", 0, 1, NULL, NULL }, /* zsh */
	{ "noglob", "", 0, 0, NULL, NULL },
	{ "nocorrect", "", 0, 0, NULL, NULL },
	{ "-", "", 0, 0, NULL, NULL },
	{ "and", "", 0, 0, NULL, NULL }, /* fish */
	{ "or", "", 0, 0, NULL, NULL },
	{ "not", "", 0, 0, NULL, NULL },
	/* many times */
	{ "xargs",
		"0 o p r t x a: d: E: e:: I:~ i::~ L: l:: n: P: s: null open-tty interactive "
		"no-run-if-empty verbose exit arg-file: delimiter: eof:: "
		"replace::~ "
		"max-lines:: max-args: max-procs: max-chars: process-slot-var: show-limits",
		WRAP_ARGUMENTS, 0, NULL, NULL },
	{ "find", "", 0, 0, wrap_find, NULL },
	{ "gfind", "", 0, 0, wrap_find, NULL },
	{ "parallel",
		"0 k m q r t u v X a: d: I: j: L: l: N: n: P: s: S:? will-cite keep-order group "
		"ungroup line-buffer lb bar progress eta dry-run "
		"verbose halt: "
		"jobs: max-procs: max-args: colsep: delimiter: arg-file: joblog: results: timeout: "
		"delay: retries: tag pipe? sshlogin:? shebang? "
		"null",
		0, 0, wrap_parallel, NULL },
	/* the shell's own */
	{ "exec", "c l a:", 0, 0, NULL, NULL },
	{ "command", "p v! V!", 0, 0, NULL, NULL },
	{ "builtin", "", 0, 0, NULL, NULL },
	{ "eval", "", WRAP_JOIN, 0, NULL, NULL },
	{ "trap", "", 0, 0, wrap_trap, NULL },
	{ "alias", "", 0, 0, wrap_alias, NULL },
	{ "source", "", 0, 0, NULL, "shell that reads its commands from a file" },
	{ ".", "", 0, 0, NULL, "shell that reads its commands from a file" },
	{ "fc", "l! e:", 0, 0, NULL, "commands out of the history" },
	{ "hash", "", 0, 0, wrap_hash, NULL },
	{ "enable", "f:? n:?", WRAP_ALONE, 0, NULL, NULL },
	{ "bind", "x:? f:?", WRAP_ALONE, 0, NULL, NULL },
	{ "complete", "C:? F:? W:? a:? X:? n:? A: P: S: G: o: c: p: l s", WRAP_ALONE, 0, NULL,
		NULL },
	{ "compgen", "C:? F:? W:? X:? P:? S:? G:? A: o:", WRAP_ALONE, 0, NULL, NULL },
	{ "mapfile", "", 0, 0, wrap_mapfile, NULL },
	{ "readarray", "", 0, 0, wrap_mapfile, NULL },
	{ "getopts", "", 0, 0, wrap_read, NULL },
	{ "vared", "", 0, 0, wrap_read, NULL },
	{ "integer", "", 0, 0, wrap_declare, NULL },
	{ "float", "", 0, 0, wrap_declare, NULL },
	{ "nameref", "", 0, 0, wrap_declare, NULL },
	{ "print", "", 0, 0, wrap_printf, NULL },
	{ "set", "", 0, 0, wrap_set, NULL },
	{ "zmodload", "", 0, 0, wrap_zsh, NULL },
	{ "zstyle", "", 0, 0, wrap_zsh, NULL },
	{ "autoload", "", 0, 0, wrap_zsh, NULL },
	{ "setopt", "", 0, 0, wrap_zsh, NULL },
	{ "unsetopt", "", 0, 0, wrap_zsh, NULL },
	{ "add-zsh-hook", "", 0, 0, wrap_zsh, NULL },
	{ "zle", "", 0, 0, wrap_zsh, NULL },
	{ "zargs", "", 0, 0, wrap_zsh, NULL },
	{ "zmv", "", 0, 0, wrap_zsh, NULL },
	{ "disable", "", 0, 0, wrap_zsh, NULL },
	{ "unfunction", "", 0, 0, wrap_zsh, NULL },
	{ "functions", "", 0, 0, wrap_functions, NULL },
	{ "emulate", "", 0, 0, wrap_emulate, NULL },
	{ "let", "", 0, 0, wrap_let, NULL },
	{ "declare", "", 0, 0, wrap_declare, NULL },
	{ "typeset", "", 0, 0, wrap_declare, NULL },
	{ "local", "", 0, 0, wrap_declare, NULL },
	{ "readonly", "", 0, 0, wrap_declare, NULL },
	{ "export", "", 0, 0, wrap_declare, NULL },
	{ "unset", "", 0, 0, wrap_unset, NULL },
	{ "read", "", 0, 0, wrap_read, NULL },
	{ "printf", "", 0, 0, wrap_printf, NULL },
	{ "test", "", 0, 0, wrap_test, NULL },
	{ "[", "", 0, 0, wrap_test, NULL },
	{ "wait", "", 0, 0, wrap_subscript, NULL },
	/* one program that is many */
	{ "busybox", "list! list-full! install! s", 0, 0, NULL, NULL },
	{ "toybox", "long!", 0, 0, NULL, NULL },
	/* elsewhere, or later */
	{ "ssh",
		"4 6 A a C f G! g K k M N! n q s T t V! v X x Y y B: b: c: D: E: e: F: I: i: J: L: "
		"l: m: O:! o:% P: p: Q:! R: S: W:! w:",
		WRAP_JOIN | WRAP_SHELL | WRAP_REMOTE | WRAP_PERMUTE, 1, NULL, NULL },
	{ "rsh", "n d x l: k:", WRAP_JOIN | WRAP_SHELL | WRAP_REMOTE | WRAP_PERMUTE, 1, NULL,
		NULL },
	{ "autossh",
		"f M: 4 6 A a C N! n q T t v X x Y B: b: c: D: e: F: i: J: L: l: m: o:% p: R: S:",
		WRAP_JOIN | WRAP_SHELL | WRAP_REMOTE | WRAP_PERMUTE, 1, NULL, NULL },
	{ "at", "l! r:! d:! c:! V! q: f: m M t: b! v", 0, 0, NULL, OPAQUE_INPUT },
	{ "batch", "V! q: f: m M", 0, 0, NULL, OPAQUE_INPUT },
	{ "crontab", "l! u: i r s e! n T!", 0, 0, NULL, OPAQUE_INPUT },
	/* in a terminal of their own */
	{ "script",
		"a e f q c$ I: O: B: T: m: E: o: t:: append return flush quiet force command$ "
		"log-in: log-out: log-io: log-timing: logging-format: "
		"echo: "
		"output-limit: timing::",
		WRAP_PERMUTE | WRAP_SHELL, 1, NULL, NULL },
	{ "screen",
		"A a d D i L m O q U x r:: R h: c:? e: f p: s: S: t: T: X? Q? v! ls! list! wipe!",
		WRAP_SHELL | WRAP_SINGLE, 0, NULL, NULL },
	{ "tmux", "2 C D N l u v V! h! c$ f:? L: S: T:", WRAP_SUB | WRAP_STRICT | WRAP_SHELL, 0,
		wrap_tmux, "tmux" },
#define TMUX_NEW(name)                                                                       \
	{                                                                                    \
		"tmux " name, "A d D E P X a b k S v Z f h l: p: I c: e: F: n: s: t: x: y:", \
			WRAP_JOIN | WRAP_SHELL, 0, NULL, NULL                                \
	}
	TMUX_NEW("new-session"),
	TMUX_NEW("new"),
	TMUX_NEW("new-window"),
	TMUX_NEW("neww"),
	TMUX_NEW("split-window"),
	TMUX_NEW("splitw"),
	TMUX_NEW("respawn-pane"),
	TMUX_NEW("respawnp"),
	TMUX_NEW("respawn-window"),
	TMUX_NEW("respawnw"),
	{ "tmux run-shell", "b C? d: t: c:", WRAP_JOIN, 0, NULL, NULL },
	{ "tmux run", "b C? d: t: c:", WRAP_JOIN, 0, NULL, NULL },
#define TMUX_QUIET(name)                                    \
	{                                                   \
		"tmux " name, "", WRAP_ALONE, 0, NULL, NULL \
	}
	TMUX_QUIET("ls"),
	TMUX_QUIET("list-sessions"),
	TMUX_QUIET("list-windows"),
	TMUX_QUIET("lsw"),
	TMUX_QUIET("list-panes"),
	TMUX_QUIET("lsp"),
	TMUX_QUIET("list-clients"),
	TMUX_QUIET("lsc"),
	TMUX_QUIET("has-session"),
	TMUX_QUIET("has"),
	TMUX_QUIET("kill-session"),
	TMUX_QUIET("kill-server"),
	TMUX_QUIET("kill-window"),
	TMUX_QUIET("killw"),
	TMUX_QUIET("kill-pane"),
	TMUX_QUIET("killp"),
	TMUX_QUIET("capture-pane"),
	TMUX_QUIET("capturep"),
	TMUX_QUIET("rename-session"),
	TMUX_QUIET("rename-window"),
	TMUX_QUIET("detach-client"),
	TMUX_QUIET("detach"),
	TMUX_QUIET("show-options"),
	/* in a container */
	{ "docker",
		"H: c: D l: host: context: config: debug log-level: tls tlsverify tlscacert: "
		"tlscert: tlskey: v!",
		WRAP_SUB, 0, NULL, "docker" },
	{ "podman", "r c: remote connection: url: log-level: root: runroot: storage-driver: v!",
		WRAP_SUB, 0, NULL, "docker" },
	{ "nerdctl", "n: a: H: namespace: address: host: debug", WRAP_SUB, 0, NULL, "docker" },
	{ "docker container", "", WRAP_SUB, 0, NULL, "docker" },
	{ "docker exec", CONTAINER_EXEC, 0, 1, NULL, NULL },
	{ "docker run", CONTAINER_RUN, 0, 1, NULL, NULL },
	{ "docker create", CONTAINER_RUN, 0, 1, NULL, NULL },
	{ "docker compose",
		"f: p: file: project-name: project-directory: profile: env-file: ansi: parallel: "
		"progress: compatibility dry-run",
		WRAP_SUB, 0, NULL, "docker compose" },
	{ "docker-compose",
		"f: p: H: file: project-name: project-directory: profile: env-file: ansi: verbose "
		"v! host:",
		WRAP_SUB, 0, NULL, "docker compose" },
	{ "docker compose exec", CONTAINER_EXEC, 0, 1, NULL, NULL },
	{ "docker compose run", CONTAINER_RUN " no-deps use-aliases service-ports build T", 0, 1,
		NULL, NULL },
	{ "crictl", "c: r: i: t: D config: runtime-endpoint: image-endpoint: timeout: debug",
		WRAP_SUB, 0, NULL, "crictl" },
	{ "crictl exec", "s i t r: sync interactive tty timeout: transport:", 0, 1, NULL, NULL },
#define KUBECTL                                                                                 \
	"n: s: v: namespace: context: kubeconfig: cluster: user: server: as: as-group: token: " \
	"request-timeout: certificate-authority: "                                              \
	"insecure-skip-tls-verify"
	{ "kubectl", KUBECTL, WRAP_SUB, 0, NULL, "kubectl" },
	{ "oc", KUBECTL, WRAP_SUB, 0, NULL, "kubectl" },
	{ "k3s", "", 0, 0, NULL, NULL },
	{ "kubectl exec", NULL, WRAP_SEPARATOR, 0, NULL, NULL },
	{ "kubectl rsh", "c: container: T t no-tty tty shell: timeout:", WRAP_SHELL, 1, NULL,
		NULL },
	{ "kubectl debug", NULL, WRAP_SEPARATOR, 0, NULL, NULL },
	{ "kubectl run", NULL, WRAP_SEPARATOR, 0, NULL, NULL },
	{ "lxc", "", WRAP_SUB, 0, NULL, "lxc" },
	{ "incus", "", WRAP_SUB, 0, NULL, "lxc" },
	{ "lxc exec", NULL, WRAP_SEPARATOR, 0, NULL, NULL },
	{ "lxc-attach", NULL, WRAP_SEPARATOR, 0, NULL, NULL },
	{ "machinectl", "H: M: host: machine: uid: setenv: E: q quiet", WRAP_SUB, 0, NULL,
		"machinectl" },
	{ "machinectl shell", "uid: setenv: E:", WRAP_SHELL, 1, NULL, NULL },
};
const size_t wrapper_count = sizeof(wrappers) / sizeof(*wrappers);
