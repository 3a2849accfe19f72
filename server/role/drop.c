/* Giving up privileges: what role.h promises of role_drop() and role_keep_listener(). Capabilities
 * by the raw system calls; libcap would be a library for sixty lines.
 *
 * Order matters: the bounding set needs CAP_SETPCAP, the groups need CAP_SETGID, both go with the
 * uid. A change of uid clears the parent death signal (commit_creds in the kernel), so it is set
 * again afterwards and the parent looked at once more. */
#include "server/role/role.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"

#define CAPS_LAST_TRIED 63 /* as many as a capability set can hold */
#define BIT(cap) (UINT64_C(1) << (cap))

/* Roles are started with another uid and killed across it, key files are read whoever owns them,
 * the state directory is made for another user, ports below 1024 are bound. SETPCAP is for the
 * children: without it they could not empty their bounding set. */
#define LISTENER_CAPS                                                                            \
	(BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_SETPCAP) | BIT(CAP_KILL) | BIT(CAP_CHOWN) | \
		BIT(CAP_FOWNER) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) |             \
		BIT(CAP_NET_BIND_SERVICE))

struct caps {
	uint64_t effective, permitted, inheritable;
};

static int caps_get(struct caps *ret)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;
	ret->effective = data[0].effective | (uint64_t)data[1].effective << 32;
	ret->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	ret->inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	return 0;
}

static int caps_set(uint64_t keep)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	for (int i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)(keep >> (32 * i));
		data[i].permitted = data[i].effective;
	}
	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

/* Without CAP_SETPCAP (an ordinary user) the bounding set stays: no_new_privs makes it meaningless,
 * nothing is executed anyway. */
static void bounding_drop(uint64_t keep)
{
	for (int cap = 0; cap <= CAPS_LAST_TRIED; cap++)
		if (!(keep & BIT(cap)) && prctl(PR_CAPBSET_READ, cap) == 1)
			prctl(PR_CAPBSET_DROP, cap);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

static int no_new_privs(struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "no_new_privs: %s", strerror(errno));
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_set(err, -errno, "not dumpable: %s", strerror(errno));
	return 0;
}

int role_keep_listener(struct err *err)
{
	struct caps caps;
	int rc = caps_get(&caps);

	if (rc < 0)
		return err_set(err, rc, "capabilities: %s", strerror(-rc));
	uint64_t keep = caps.permitted & LISTENER_CAPS;
	bounding_drop(keep);
	rc = caps_set(keep);
	if (rc < 0)
		return err_set(err, rc, "capabilities: %s", strerror(-rc));
	return no_new_privs(err);
}

static int ids_drop(uid_t uid, gid_t gid, struct err *err)
{
	if (setgroups(0, NULL) < 0)
		return err_set(err, -errno, "setgroups: %s", strerror(errno));
	if (setresgid(gid, gid, gid) < 0)
		return err_set(err, -errno, "setresgid %u: %s", (unsigned)gid, strerror(errno));
	if (setresuid(uid, uid, uid) < 0)
		return err_set(err, -errno, "setresuid %u: %s", (unsigned)uid, strerror(errno));
	return 0;
}

static int ids_check(uid_t uid, gid_t gid, struct err *err)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	if (getresuid(&r, &e, &s) < 0 || getresgid(&rg, &eg, &sg) < 0 || r != uid || e != uid ||
		s != uid || rg != gid || eg != gid || sg != gid)
		return err_set(err, -EPERM, "uid and gid did not change to %u and %u",
			(unsigned)uid, (unsigned)gid);
	if (getgroups(0, NULL) != 0)
		return err_set(err, -EPERM, "supplementary groups are left");
	if (uid != 0 && (setresuid(0, 0, 0) == 0 || setuid(0) == 0 || seteuid(0) == 0))
		return err_set(err, -EPERM, "root could be taken back");
	return 0;
}

static int caps_check(struct err *err)
{
	struct caps caps;
	int rc = caps_get(&caps);

	if (rc < 0 || caps.effective || caps.permitted || caps.inheritable)
		return err_set(err, -EPERM, "capabilities are left");
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return err_set(err, -EPERM, "no_new_privs is not in force");
	return 0;
}

int role_drop(const struct role_start *start, struct err *err)
{
	bool change = geteuid() == 0 && start->uid != (uid_t)-1;
	pid_t parent = getppid();
	int death = 0, rc;

	prctl(PR_GET_PDEATHSIG, &death);
	bounding_drop(0);
	rc = change ? ids_drop(start->uid, start->gid, err) : 0;
	if (rc < 0)
		return rc;
	rc = caps_set(0);
	if (rc < 0)
		return err_set(err, rc, "capabilities: %s", strerror(-rc));
	rc = no_new_privs(err);
	if (rc < 0)
		return rc;
	if (death && (prctl(PR_SET_PDEATHSIG, death) < 0 || getppid() != parent))
		return err_set(err, -ESRCH, "the parent is gone");
	rc = change ? ids_check(start->uid, start->gid, err) : 0;
	return rc < 0 ? rc : caps_check(err);
}
