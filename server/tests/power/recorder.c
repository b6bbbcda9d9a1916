/*
 * Records what a process asks of the disk, so that a power cut at any point can be replayed.
 *
 * Preloaded (LD_PRELOAD) into a process under test. Every call that changes a file or a folder below POWER_ROOT is done and then
 * appended, with its data, to the event log POWER_LOG; a sync is noted when it begins and when it has ended. The log lies outside
 * the root and is written with O_APPEND, one write per event, so several processes and threads share it and its order respects
 * what each of them has seen: an event is in the log before the call that caused it returns.
 *
 * What the log cannot carry (a shared writable mapping, sendfile into the tree, ...) is noted as UNSOUND; the reader refuses such
 * a log. Files whose name ends in "-shm" are left out: SQLite rebuilds them and promises nothing about them. So is what lies in a
 * folder "openings": tables in memory that processes share, which begin anew after a crash.
 *
 * Calls go to the kernel with syscall(2): the recorder depends on no other symbol of the C library, and never calls itself.
 *
 * A rename that a program asks the kernel for itself, past the C library (the word index names its files so), is caught by a
 * seccomp filter. Children inherit the filter: one that renames so without the recorder dies of SIGSYS, rather than unseen.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

enum kind { CREATE = 1, WRITE, TRUNCATE, SYNC_BEGIN, SYNC_END, RENAME, UNLINK, LINK, MKDIR, RMDIR, MARK, UNSOUND, EXCHANGE };

/* Read by replay.py; keep the two in step. Followed by path_size bytes of path, other_size of a second path, data_size of data. */
struct header {
    uint32_t kind, thread;
    uint64_t ino;
    int64_t offset; /* of a write; the new size of a truncate */
    uint32_t path_size, other_size;
    uint64_t data_size;
};

static char root[PATH_MAX];
static size_t root_size;
static dev_t root_device;
static int log_fd = -1;

/* ---- the event log ---- */

static void append(enum kind kind, uint64_t ino, int64_t offset, const char *path, const char *other, const struct iovec *data,
                   int data_count, size_t data_size)
{
    struct header header = {kind, (uint32_t)syscall(SYS_gettid), ino, offset, path ? strlen(path) : 0, other ? strlen(other) : 0,
                            data_size};
    struct iovec parts[3 + 64] = {{&header, sizeof header}, {(void *)path, header.path_size}, {(void *)other, header.other_size}};
    int count = 3;
    size_t left = data_size, total = sizeof header + header.path_size + header.other_size + data_size;
    int saved = errno;
    for (int i = 0; i < data_count && left > 0 && count < 67; i++) {
        size_t size = data[i].iov_len < left ? data[i].iov_len : left;
        parts[count++] = (struct iovec){data[i].iov_base, size};
        left -= size;
    }
    if (left > 0 || syscall(SYS_writev, log_fd, parts, count) != (long)total) {
        static const char message[] = "recorder: the event log cannot be written\n";
        syscall(SYS_write, 2, message, sizeof message - 1);
        abort(); /* a hole in the log would make the proof worthless */
    }
    errno = saved;
}

static void unsound(const char *what, uint64_t ino) { append(UNSOUND, ino, 0, what, NULL, NULL, 0, 0); }

/* A mark of the program under test, such as "revision 7 was acknowledged"; called through ctypes. */
void power_mark(const void *data, size_t size)
{
    struct iovec part = {(void *)data, size};
    if (log_fd >= 0)
        append(MARK, 0, 0, NULL, NULL, &part, 1, size);
}

/* ---- which files are ours ---- */

/*
 * Inodes below the root that this process has opened. A freed number that comes back as another file of ours is told by its
 * CREATE; one that comes back as a file left out is forgotten when that is opened. FORGOTTEN keeps the probing chain whole.
 */
#define FORGOTTEN UINT64_MAX
static struct { uint64_t *slots; size_t used, size; } known;
static pthread_mutex_t known_lock = PTHREAD_MUTEX_INITIALIZER;

static int slot_of(uint64_t *slots, size_t size, uint64_t ino)
{
    size_t at = (ino * 0x9E3779B97F4A7C15u) & (size - 1);
    while (slots[at] != 0 && slots[at] != ino)
        at = (at + 1) & (size - 1);
    return (int)at;
}

static void remember(uint64_t ino)
{
    pthread_mutex_lock(&known_lock);
    if (known.used * 2 >= known.size) {
        size_t size = known.size ? known.size * 2 : 1024;
        uint64_t *slots = calloc(size, sizeof *slots);
        if (slots == NULL)
            abort();
        for (size_t i = 0; i < known.size; i++)
            if (known.slots[i] != 0 && known.slots[i] != FORGOTTEN)
                slots[slot_of(slots, size, known.slots[i])] = known.slots[i];
        free(known.slots);
        known.slots = slots;
        known.size = size;
    }
    int at = slot_of(known.slots, known.size, ino);
    known.used += known.slots[at] == 0;
    known.slots[at] = ino;
    pthread_mutex_unlock(&known_lock);
}

static void forget(uint64_t ino)
{
    pthread_mutex_lock(&known_lock);
    int at = slot_of(known.slots, known.size, ino);
    if (known.slots[at] == ino)
        known.slots[at] = FORGOTTEN;
    pthread_mutex_unlock(&known_lock);
}

/* The inode behind a descriptor, or 0 if it is not below the root. */
static uint64_t ours(int fd)
{
    struct stat st;
    int saved = errno, found;
    if (log_fd < 0 || known.size == 0)
        return 0;
    if (fstat(fd, &st) != 0 || st.st_dev != root_device) {
        errno = saved;
        return 0;
    }
    pthread_mutex_lock(&known_lock);
    found = known.slots[slot_of(known.slots, known.size, st.st_ino)] == st.st_ino;
    pthread_mutex_unlock(&known_lock);
    return found ? st.st_ino : 0;
}

static int is_left_out(const char *path)
{
    size_t size = strlen(path);
    return (size >= 4 && strcmp(path + size - 4, "-shm") == 0) || strstr(path, "/openings/") != NULL;
}

static int path_of_fd(int fd, char *out)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long size = syscall(SYS_readlinkat, AT_FDCWD, link, out, PATH_MAX - 1);
    if (size < 0)
        return -1;
    out[size] = 0;
    return 0;
}

/* The path below the root ("" = the root itself) that (at, path) names, or NULL if it lies elsewhere or is left out. */
static const char *inside(int at, const char *path, char *buffer)
{
    int saved = errno;
    if (log_fd < 0 || path == NULL)
        return NULL;
    if (path[0] == '/') {
        snprintf(buffer, 2 * PATH_MAX, "%s", path);
    } else {
        char base[PATH_MAX];
        if (at == AT_FDCWD ? getcwd(base, sizeof base) == NULL : path_of_fd(at, base) != 0) {
            errno = saved;
            return NULL;
        }
        snprintf(buffer, 2 * PATH_MAX, "%s/%s", base, path);
    }
    errno = saved;
    if (strncmp(buffer, root, root_size) != 0 || (buffer[root_size] != '/' && buffer[root_size] != 0) || is_left_out(buffer))
        return NULL;
    return buffer[root_size] == '/' ? buffer + root_size + 1 : buffer + root_size;
}

static void catch_renames(void);

__attribute__((constructor)) static void begin(void)
{
    const char *log = getenv("POWER_LOG"), *folder = getenv("POWER_ROOT");
    struct stat st;
    if (log == NULL || folder == NULL || stat(folder, &st) != 0)
        return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    snprintf(root, sizeof root, "%s", folder);
    root_size = strlen(root);
    root_device = st.st_dev;
    remember(st.st_ino);
    log_fd = fcntl(fd, F_DUPFD_CLOEXEC, 900); /* out of the way of a program that closes or reuses low numbers */
    if (log_fd < 0)
        abort();
    syscall(SYS_close, fd);
    catch_renames();
}

/* ---- opening ---- */

static int do_open(int at, const char *path, int flags, mode_t mode)
{
    char buffer[2 * PATH_MAX];
    const char *name = inside(at, path, buffer);
    struct stat st;
    int existed = 1;
    if (name != NULL && (flags & O_CREAT))
        existed = fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
    int fd = (int)syscall(SYS_openat, at, path, flags, mode);
    if (fd < 0 || log_fd < 0 || (flags & O_PATH))
        return fd;
    int saved = errno;
    if (name == NULL) {
        if (is_left_out(path) && fstat(fd, &st) == 0)
            forget(st.st_ino);
    } else if (fstat(fd, &st) == 0) {
        if ((flags & O_TMPFILE) == O_TMPFILE)
            unsound("O_TMPFILE", st.st_ino);
        if ((flags & O_ACCMODE) != O_RDONLY && (flags & (O_SYNC | O_DSYNC)))
            unsound("O_SYNC", st.st_ino);
        remember(st.st_ino);
        if (!existed)
            append(CREATE, st.st_ino, 0, name, NULL, NULL, 0, 0);
        else if (flags & O_TRUNC)
            append(TRUNCATE, st.st_ino, 0, NULL, NULL, NULL, 0, 0);
    }
    errno = saved;
    return fd;
}

#define MODE_ARGUMENT(flags)                                                                                                      \
    mode_t mode = 0;                                                                                                              \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                                                        \
        va_list list;                                                                                                             \
        va_start(list, flags);                                                                                                    \
        mode = va_arg(list, int);                                                                                                 \
        va_end(list);                                                                                                             \
    }

int open(const char *path, int flags, ...) { MODE_ARGUMENT(flags) return do_open(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE_ARGUMENT(flags) return do_open(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE_ARGUMENT(flags) return do_open(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE_ARGUMENT(flags) return do_open(at, path, flags, mode); }
int __open_2(const char *path, int flags) { return do_open(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return do_open(AT_FDCWD, path, flags, 0); }
int __openat_2(int at, const char *path, int flags) { return do_open(at, path, flags, 0); }
int __openat64_2(int at, const char *path, int flags) { return do_open(at, path, flags, 0); }
int creat(const char *path, mode_t mode) { return do_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

/* ---- content ---- */

static void wrote(int fd, uint64_t ino, int64_t offset, const struct iovec *data, int count, ssize_t size)
{
    if (ino == 0 || size <= 0)
        return;
    if (offset < 0) /* at the descriptor's own position, which is now behind what was written */
        offset = syscall(SYS_lseek, fd, 0, SEEK_CUR) - size;
    append(WRITE, ino, offset, NULL, NULL, data, count, (size_t)size);
}

ssize_t write(int fd, const void *data, size_t size)
{
    uint64_t ino = ours(fd);
    ssize_t done = syscall(SYS_write, fd, data, size);
    struct iovec part = {(void *)data, size};
    wrote(fd, ino, -1, &part, 1, done);
    return done;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    uint64_t ino = ours(fd);
    ssize_t done = syscall(SYS_pwrite64, fd, data, size, offset);
    struct iovec part = {(void *)data, size};
    wrote(fd, ino, offset, &part, 1, done);
    return done;
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) { return pwrite64(fd, data, size, offset); }

/* No more parts than an event holds: the rest is left for the caller's next call, as a short write. */
#define PARTS(count) ((count) > 64 ? 64 : (count))

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    uint64_t ino = ours(fd);
    ssize_t done = syscall(SYS_writev, fd, parts, ino ? PARTS(count) : count);
    wrote(fd, ino, -1, parts, PARTS(count), done);
    return done;
}

ssize_t pwritev64v2(int fd, const struct iovec *parts, int count, off64_t offset, int flags)
{
    uint64_t ino = ours(fd);
    if (ino != 0 && flags != 0)
        unsound("pwritev2 with flags", ino);
    ssize_t done = syscall(SYS_pwritev2, fd, parts, ino ? PARTS(count) : count, offset, 0L, flags);
    wrote(fd, ino, offset, parts, PARTS(count), done);
    return done;
}
ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    return pwritev64v2(fd, parts, count, offset, flags);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset)
{
    return pwritev64v2(fd, parts, count, offset, 0);
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) { return pwritev64v2(fd, parts, count, offset, 0); }

int ftruncate64(int fd, off64_t size)
{
    uint64_t ino = ours(fd);
    int result = (int)syscall(SYS_ftruncate, fd, size);
    if (result == 0 && ino != 0)
        append(TRUNCATE, ino, size, NULL, NULL, NULL, 0, 0);
    return result;
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int truncate64(const char *path, off64_t size)
{
    char buffer[2 * PATH_MAX];
    struct stat st;
    int result = (int)syscall(SYS_truncate, path, size);
    if (result == 0 && inside(AT_FDCWD, path, buffer) != NULL && stat(path, &st) == 0)
        append(TRUNCATE, st.st_ino, size, NULL, NULL, NULL, 0, 0);
    return result;
}
int truncate(const char *path, off_t size) { return truncate64(path, size); }

/* ---- syncs ---- */

static int do_sync(long number, int fd)
{
    uint64_t ino = ours(fd);
    if (ino == 0)
        return (int)syscall(number, fd);
    append(SYNC_BEGIN, ino, 0, NULL, NULL, NULL, 0, 0);
    int result = (int)syscall(number, fd);
    if (result == 0)
        append(SYNC_END, ino, 0, NULL, NULL, NULL, 0, 0);
    return result;
}

int fsync(int fd) { return do_sync(SYS_fsync, fd); }
int fdatasync(int fd) { return do_sync(SYS_fdatasync, fd); }

/* ---- folders ---- */

#define FROM_HERE 0x706f7772ul /* a sixth argument, which no rename has: lets the recorder's own call through the filter */

static int do_rename(int from_at, const char *from, int to_at, const char *to, unsigned flags)
{
    char from_buffer[2 * PATH_MAX], to_buffer[2 * PATH_MAX];
    const char *old = inside(from_at, from, from_buffer), *new = inside(to_at, to, to_buffer);
    int result = (int)syscall(SYS_renameat2, from_at, from, to_at, to, (unsigned long)flags, FROM_HERE);
    if (result == 0 && old != NULL && new != NULL)
        append(flags & RENAME_EXCHANGE ? EXCHANGE : RENAME, 0, 0, old, new, NULL, 0, 0);
    else if (result == 0 && (old != NULL || new != NULL))
        unsound("rename across the root", 0);
    return result;
}
int rename(const char *from, const char *to) { return do_rename(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int from_at, const char *from, int to_at, const char *to) { return do_rename(from_at, from, to_at, to, 0); }
int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags)
{
    return do_rename(from_at, from, to_at, to, flags);
}

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#define REGISTER(context, number)                                                                                                 \
    ((context)->uc_mcontext.gregs[(const int[]){REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9}[number]])
#define RESULT(context) ((context)->uc_mcontext.gregs[REG_RAX])
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#define REGISTER(context, number) ((context)->uc_mcontext.regs[number])
#define RESULT(context) ((context)->uc_mcontext.regs[0])
#endif
#ifndef SYS_rename
#define SYS_rename SYS_renameat2 /* this machine has no such call */
#endif

/* On the stack of the thread that asked, in place of its call. */
static void caught(int signal, siginfo_t *info, void *opaque)
{
    ucontext_t *context = opaque;
    int saved = errno, result;
    (void)signal;
    if (info->si_syscall == SYS_renameat || info->si_syscall == SYS_renameat2)
        result = do_rename((int)REGISTER(context, 0), (const char *)REGISTER(context, 1), (int)REGISTER(context, 2),
                           (const char *)REGISTER(context, 3),
                           info->si_syscall == SYS_renameat2 ? (unsigned)REGISTER(context, 4) : 0);
    else
        result = do_rename(AT_FDCWD, (const char *)REGISTER(context, 0), AT_FDCWD, (const char *)REGISTER(context, 1), 0);
    RESULT(context) = result == 0 ? 0 : -errno;
    errno = saved;
}

static void catch_renames(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 0, 6),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rename, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5])), /* its low half: both are little-endian */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FROM_HERE, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };
    struct sock_fprog filter = {sizeof steps / sizeof *steps, steps};
    struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};
    if (sigaction(SIGSYS, &action, NULL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0) {
        static const char message[] = "recorder: renames cannot be caught here\n";
        syscall(SYS_write, 2, message, sizeof message - 1);
        abort();
    }
}

int unlinkat(int at, const char *path, int flags)
{
    char buffer[2 * PATH_MAX];
    const char *name = inside(at, path, buffer);
    int result = (int)syscall(SYS_unlinkat, at, path, flags);
    if (result == 0 && name != NULL)
        append(flags & AT_REMOVEDIR ? RMDIR : UNLINK, 0, 0, name, NULL, NULL, 0, 0);
    return result;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int linkat(int from_at, const char *from, int to_at, const char *to, int flags)
{
    char from_buffer[2 * PATH_MAX], to_buffer[2 * PATH_MAX];
    const char *old = inside(from_at, from, from_buffer), *new = inside(to_at, to, to_buffer);
    int result = (int)syscall(SYS_linkat, from_at, from, to_at, to, flags);
    if (result == 0 && old != NULL && new != NULL)
        append(LINK, 0, 0, old, new, NULL, 0, 0);
    else if (result == 0 && new != NULL)
        unsound("link from outside the root", 0);
    return result;
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int mkdirat(int at, const char *path, mode_t mode)
{
    char buffer[2 * PATH_MAX];
    const char *name = inside(at, path, buffer);
    struct stat st;
    int result = (int)syscall(SYS_mkdirat, at, path, mode);
    if (result == 0 && name != NULL && fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
        append(MKDIR, st.st_ino, 0, name, NULL, NULL, 0, 0);
    return result;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

/* ---- what the log does not carry ---- */

static void refuse(const char *what, int fd)
{
    uint64_t ino = ours(fd);
    if (ino != 0)
        unsound(what, ino);
}

void *mmap64(void *address, size_t size, int protection, int flags, int fd, off64_t offset)
{
    if (fd >= 0 && (protection & PROT_WRITE) && (flags & MAP_SHARED))
        refuse("a shared writable mapping", fd);
    return (void *)syscall(SYS_mmap, address, size, protection, flags, fd, offset);
}
void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    return mmap64(address, size, protection, flags, fd, offset);
}

ssize_t copy_file_range(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t size, unsigned flags)
{
    refuse("copy_file_range", to);
    return syscall(SYS_copy_file_range, from, from_offset, to, to_offset, size, flags);
}

ssize_t sendfile64(int to, int from, off64_t *offset, size_t size)
{
    refuse("sendfile", to);
    return syscall(SYS_sendfile, to, from, offset, size);
}
ssize_t sendfile(int to, int from, off_t *offset, size_t size) { return sendfile64(to, from, offset, size); }

ssize_t splice(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t size, unsigned flags)
{
    refuse("splice", to);
    return syscall(SYS_splice, from, from_offset, to, to_offset, size, flags);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t size)
{
    refuse("fallocate", fd);
    return (int)syscall(SYS_fallocate, fd, mode, offset, size);
}
int fallocate(int fd, int mode, off_t offset, off_t size) { return fallocate64(fd, mode, offset, size); }
int posix_fallocate64(int fd, off64_t offset, off64_t size) { return fallocate64(fd, 0, offset, size) == 0 ? 0 : errno; }
int posix_fallocate(int fd, off_t offset, off_t size) { return posix_fallocate64(fd, offset, size); }

int symlinkat(const char *target, int at, const char *path)
{
    char buffer[2 * PATH_MAX];
    if (inside(at, path, buffer) != NULL)
        unsound("symlink", 0);
    return (int)syscall(SYS_symlinkat, target, at, path);
}
int symlink(const char *target, const char *path) { return symlinkat(target, AT_FDCWD, path); }
