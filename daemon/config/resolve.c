/* resolve.c - users and groups, strictly; see the header. CPUs are in resolve-cpus.c. */
#include "config/resolve.h"
#include "base/alloc.h"
#include "base/parse.h"
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#define ID_MAX 4294967294u      /* (uid_t) -1 means "leave alone" to the kernel */
#define NSS_BUFFER_MAX (1u << 20)

static Account own;
static bool own_known;

/* During a load: accounts found and their groups, so that many pools of one user ask the name service once. */
typedef struct Remembered {
        Account account;
        gid_t gid, *groups; /* of (account, gid); NULL: not asked yet */
        size_t n_groups;
} Remembered;
#define REMEMBERED_MAX 32
static Remembered remembered[REMEMBERED_MAX];
static size_t n_remembered;
static bool is_remembering;

void account_done(Account *a) {
        free(a->name);
        free(a->home);
        free(a->shell);
        *a = (Account){ 0 };
}

static bool is_number(const char *s) {
        return *s && strspn(s, "0123456789") == strlen(s) && (s[0] != '0' || s[1] == 0);
}

/* What useradd and sysusers accept, and capitals: [A-Za-z_][A-Za-z0-9_.-]*, at most 255. */
static bool is_name(const char *s) {
        static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
        static const char more[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789.-";
        size_t n = strlen(s);

        return n > 0 && n <= 255 && strchr(letters, s[0]) && strspn(s, more) == n;
}

static int parse_id(const char *text, uint32_t *ret) {
        uint64_t v;

        if (!is_number(text) || parse_u64(text, &v) < 0 || v > ID_MAX)
                return -EINVAL;
        *ret = (uint32_t) v;
        return 0;
}

/* One of the getpw*_r and getgr*_r calls with a buffer of @size; *ret_found tells whether there was an entry. */
typedef struct Lookup {
        const char *name; /* NULL: by number */
        uint32_t id;
        struct passwd user;
        struct group group;
} Lookup;
typedef int (*LookupFunction)(Lookup *l, char *buffer, size_t size, bool *ret_found);

static int lookup_user(Lookup *l, char *buffer, size_t size, bool *ret_found) {
        struct passwd *result = NULL;
        int r = l->name ? getpwnam_r(l->name, &l->user, buffer, size, &result)
                        : getpwuid_r(l->id, &l->user, buffer, size, &result);
        *ret_found = result != NULL;
        return r;
}

static int lookup_group(Lookup *l, char *buffer, size_t size, bool *ret_found) {
        struct group *result = NULL;
        int r = l->name ? getgrnam_r(l->name, &l->group, buffer, size, &result)
                        : getgrgid_r(l->id, &l->group, buffer, size, &result);
        *ret_found = result != NULL;
        return r;
}

/* POSIX lets "not found" come as 0 or as any of these. */
static int lookup_error(int error) {
        switch (error) {
        case 0:
        case ENOENT:
        case ESRCH:
        case EBADF:
        case EPERM:
                return -ESRCH;
        default:
                return -error;
        }
}

static int lookup(LookupFunction f, Lookup *l, char **ret_buffer) {
        for (size_t size = 4096; size <= NSS_BUFFER_MAX; size *= 4) {
                bool found = false;
                _cleanup_free_ char *buffer = malloc(size);
                if (!buffer)
                        return -ENOMEM;
                int error = f(l, buffer, size, &found);
                if (error == ERANGE)
                        continue;
                if (!found)
                        return lookup_error(error);
                *ret_buffer = TAKE_PTR(buffer);
                return 0;
        }
        return -ERANGE;
}

static int account_copy(const Account *from, Account *ret) {
        _cleanup_account_ Account a = { .uid = from->uid, .gid = from->gid };

        a.name = alloc_strdup(from->name);
        a.home = alloc_strdup(from->home);
        a.shell = alloc_strdup(from->shell);
        if (!a.name || !a.home || !a.shell)
                return -ENOMEM;
        *ret = a;
        a = (Account){ 0 };
        return 0;
}

static Remembered *remembered_find(const char *name, uid_t uid) {
        for (size_t i = 0; i < n_remembered; i++) {
                const Account *a = &remembered[i].account;
                if (name ? streq(a->name, name) : a->uid == uid)
                        return &remembered[i];
        }
        return NULL;
}

/* Best effort: what is not remembered is asked again. */
static void remember(const Account *a) {
        if (is_remembering && n_remembered < REMEMBERED_MAX && account_copy(a, &remembered[n_remembered].account) == 0)
                n_remembered++;
}

void resolve_remember(bool on) {
        while (n_remembered > 0) {
                Remembered *m = &remembered[--n_remembered];
                account_done(&m->account);
                free(m->groups);
                *m = (Remembered){ 0 };
        }
        is_remembering = on;
}

static int account_find(Lookup *l, Account *ret) {
        _cleanup_free_ char *buffer = NULL;
        _cleanup_account_ Account a = { 0 };
        const Remembered *m = remembered_find(l->name, l->id);
        int r = m ? 0 : lookup(lookup_user, l, &buffer);

        if (r < 0)
                return r;
        if (m)
                return account_copy(&m->account, ret);
        a.uid = l->user.pw_uid;
        a.gid = l->user.pw_gid;
        a.name = alloc_strdup(l->user.pw_name);
        a.home = alloc_strdup(l->user.pw_dir && l->user.pw_dir[0] == '/' ? l->user.pw_dir : "/");
        a.shell = alloc_strdup(l->user.pw_shell && l->user.pw_shell[0] == '/' ? l->user.pw_shell : "/bin/sh");
        if (!a.name || !a.home || !a.shell)
                return -ENOMEM;
        remember(&a);
        *ret = a;
        a = (Account){ 0 };
        return 0;
}

int resolve_uid(uid_t uid, Account *ret) {
        return account_find(&(Lookup){ .id = uid }, ret);
}

int resolve_user(const char *text, Account *ret) {
        uint32_t id;

        if (parse_id(text, &id) == 0)
                return resolve_uid(id, ret);
        if (!is_name(text))
                return -EINVAL;
        return account_find(&(Lookup){ .name = text }, ret);
}

int resolve_group(const char *text, gid_t *ret) {
        _cleanup_free_ char *buffer = NULL;
        Lookup l = { 0 };
        int r;

        if (parse_id(text, &l.id) < 0) {
                if (!is_name(text))
                        return -EINVAL;
                l.name = text;
        }
        r = lookup(lookup_group, &l, &buffer);
        if (r < 0)
                return r;
        *ret = l.group.gr_gid;
        return 0;
}

static int own_without_account(uid_t uid, Account *ret) {
        _cleanup_account_ Account a = { .uid = uid, .gid = getgid() };

        a.name = alloc_printf("%u", (unsigned) uid);
        a.home = alloc_strdup("/");
        a.shell = alloc_strdup("/bin/sh");
        if (!a.name || !a.home || !a.shell)
                return -ENOMEM;
        *ret = a;
        a = (Account){ 0 };
        return 0;
}

int resolve_own(uid_t uid, const Account **ret) {
        if (own_known && own.uid != uid)
                resolve_forget();
        if (!own_known) {
                int r = resolve_uid(uid, &own);
                if (r < 0 && r != -ENOMEM)
                        r = own_without_account(uid, &own);
                if (r < 0)
                        return r;
                own_known = true;
        }
        *ret = &own;
        return 0;
}

void resolve_forget(void) {
        account_done(&own);
        own_known = false;
}

static int compare_gids(const void *a, const void *b) {
        gid_t x = *(const gid_t *) a, y = *(const gid_t *) b;
        return x < y ? -1 : x > y;
}

size_t resolve_sort_groups(gid_t *groups, size_t n) {
        size_t kept = 0;

        if (n > 0)
                qsort(groups, n, sizeof(gid_t), compare_gids);
        for (size_t i = 0; i < n; i++)
                if (kept == 0 || groups[kept - 1] != groups[i])
                        groups[kept++] = groups[i];
        return kept;
}

static gid_t *groups_copy(const gid_t *groups, size_t n) {
        gid_t *copy = NEW0_ARRAY(gid_t, n + 1);
        if (copy && n > 0)
                memcpy(copy, groups, n * sizeof(gid_t));
        return copy;
}

int resolve_groups(const char *user, gid_t gid, gid_t **ret, size_t *ret_n) {
        _cleanup_free_ gid_t *groups = NULL;
        Remembered *m = remembered_find(user, 0);
        int n = RESOLVE_GROUPS_MAX;

        if (m && m->groups && m->gid == gid) {
                groups = groups_copy(m->groups, m->n_groups);
                n = (int) m->n_groups;
        } else {
                groups = NEW0_ARRAY(gid_t, RESOLVE_GROUPS_MAX);
                if (groups && getgrouplist(user, gid, groups, &n) < 0)
                        return -E2BIG;
        }
        if (!groups)
                return -ENOMEM;
        n = (int) resolve_sort_groups(groups, (size_t) n);
        if (m && !m->groups) {
                m->groups = groups_copy(groups, (size_t) n);
                m->n_groups = (size_t) n;
                m->gid = gid;
        }
        *ret_n = (size_t) n;
        *ret = TAKE_PTR(groups);
        return 0;
}
