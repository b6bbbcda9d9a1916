/* fsops PHASE DIR COUNT THREADS MAX_SECONDS [OUT_OF SEED]: one phase of file operations, timed, as one line of JSON.
 *
 * In C so that the client is not what is measured. Each phase works on COUNT files of one directory, split evenly
 * among THREADS, and prints {"phase", "threads", "operations", "seconds"}; MAX_SECONDS > 0 ends it earlier. The phases that list count entries.
 * Phases build on one another, in this order:
 *   create        DIR/create/fNNNNNNN   open(O_CREAT|O_EXCL), close
 *   create_4k     DIR/write/fNNNNNNN    open(O_CREAT|O_EXCL), write 4 KiB (different bytes in every file), close
 *   stat          DIR/write/f…          STAT_PASSES times over, after a pass that is not timed: cached by the kernel
 *   open_read     DIR/write/f…          open, read 4 KiB, check them, close
 *   rename        DIR/write/f… -> g…    rename
 *   unlink        DIR/write/g…          unlink
 *   close_written DIR/write/f…          open to write, write 4 KiB, close: only the close is timed
 *   close_unwritten  DIR/write/f…       open to write, close: only the close is timed
 *   close_read    DIR/write/f…          open to read, close: only the close is timed
 *   create_fsync  DIR/fsync/fNNNNNNN    open(O_CREAT|O_EXCL), write 4 KiB (different bytes in every file), fsync, close
 *   list          DIR/create            COUNT times over: opendir, readdir to the end, closedir
 *   list_stat     DIR/create            the same with a stat of every name
 * With OUT_OF and SEED the COUNT files are distinct ones chosen at random among OUT_OF, the same for the same seed. The phases
 * of a tree have their files in directories of TREE_FANOUT, each of 100-200 bytes that no other file has and no text has:
 *   tree_create   DIR/tree/dNNNNN/fNNN  open(O_CREAT|O_EXCL), write, close; a directory that is missing is made
 *   tree_folders  DIR/tree/d…           stat of the directories the files lie in, so that the kernel knows them
 *   tree_stat     DIR/tree/d…/f…        stat
 *   tree_read     DIR/tree/d…/f…        open, read, check what was read, close
 *   tree_rename   DIR/tree/d…/f… -> g…  rename
 *   tree_unlink   DIR/tree/d…/g…        unlink
 *   tree_list     DIR/tree/d…           opendir, readdir to the end, closedir: COUNT and OUT_OF are directories
 * Any error ends the program with its message and status 1: a failed operation is never counted.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, STAT_PASSES = 100, PATH_BYTES = 4096 };
/* A tree: files in a directory, what the head of a file takes, the smallest file, one more than what others have above it. */
enum { TREE_FANOUT = 1000, TREE_MARK = 17, TREE_MIN = 100, TREE_MORE = 101 };

typedef void (*operation)(const char *directory, long index, unsigned char *block);
typedef void (*naming)(char *path, const char *directory, char letter, long index);

struct phase {
    const char *name, *folder;
    operation run;
    long passes;
    int makes_folder;
};

struct worker {
    pthread_t thread;
    const struct phase *phase;
    const char *directory;
    long first, last, done;
    const long *chosen;
    double deadline_s, timed_s, began_s, ended_s;
    pthread_barrier_t *start;
};

/* What a phase that times only a part of its operation has counted in this thread; 0: the whole is timed. */
static _Thread_local double timed_s;
/* What the phases that list have seen in this thread: their operations are entries. */
static _Thread_local long entries;
/* What tells the contents of two runs of tree_create over the same files apart. */
static uint64_t seed;

static void fail(const char *what, const char *path) {
    fprintf(stderr, "fsops: %s %s: %s\n", what, path, strerror(errno));
    exit(1);
}

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void name_of(char *path, const char *directory, char letter, long index) {
    snprintf(path, PATH_BYTES, "%s/%c%07ld", directory, letter, index);
}

static uint64_t next_random(uint64_t *x) {
    *x ^= *x << 13, *x ^= *x >> 7, *x ^= *x << 17;
    return *x;
}

static void fill_from(unsigned char *block, int size, uint64_t x) {
    for (int i = 0; i < size; i += 8) {
        uint64_t found = next_random(&x);
        memcpy(block + i, &found, 8);
    }
}

/* 4 KiB no other file has: xorshift64 seeded by the index. */
static void fill(unsigned char *block, long index) {
    fill_from(block, BLOCK, (uint64_t)index * 0x9E3779B97F4A7C15u + 0x2545F4914F6CDD1Du);
}

static void create_file(const char *directory, long index, const unsigned char *content, int durable) {
    char path[PATH_BYTES];
    name_of(path, directory, 'f', index);
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0) fail("open", path);
    if (content && write(fd, content, BLOCK) != BLOCK) fail("write", path);
    if (durable && fsync(fd)) fail("fsync", path);
    if (close(fd)) fail("close", path);
}

static void do_create(const char *directory, long index, unsigned char *block) {
    (void)block;
    create_file(directory, index, NULL, 0);
}

static void do_create_4k(const char *directory, long index, unsigned char *block) {
    fill(block, index);
    create_file(directory, index, block, 0);
}

static void do_create_fsync(const char *directory, long index, unsigned char *block) {
    fill(block, index);
    create_file(directory, index, block, 1);
}

static void do_stat(const char *directory, long index, unsigned char *block) {
    (void)block;
    char path[PATH_BYTES];
    struct stat st;
    name_of(path, directory, 'f', index);
    if (stat(path, &st)) fail("stat", path);
    if (st.st_size != BLOCK) errno = EIO, fail("size of", path);
}

static void do_open_read(const char *directory, long index, unsigned char *block) {
    char path[PATH_BYTES];
    unsigned char expected[BLOCK];
    name_of(path, directory, 'f', index);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) fail("open", path);
    if (read(fd, block, BLOCK) != BLOCK) fail("read", path);
    if (close(fd)) fail("close", path);
    fill(expected, index);
    if (memcmp(block, expected, BLOCK)) errno = EIO, fail("content of", path);
}

static void timed_close(const char *directory, long index, int flags, const unsigned char *content) {
    char path[PATH_BYTES];
    name_of(path, directory, 'f', index);
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0) fail("open", path);
    if (content && write(fd, content, BLOCK) != BLOCK) fail("write", path);
    double began_s = now_s();
    if (close(fd)) fail("close", path);
    timed_s += now_s() - began_s;
}

static void do_close_written(const char *directory, long index, unsigned char *block) {
    fill(block, index);
    timed_close(directory, index, O_WRONLY, block);
}

static void do_close_unwritten(const char *directory, long index, unsigned char *block) {
    (void)block;
    timed_close(directory, index, O_WRONLY, NULL);
}

static void do_close_read(const char *directory, long index, unsigned char *block) {
    (void)block;
    timed_close(directory, index, O_RDONLY, NULL);
}

static void rename_file(naming name, const char *directory, long index) {
    char from[PATH_BYTES], to[PATH_BYTES];
    name(from, directory, 'f', index);
    name(to, directory, 'g', index);
    if (rename(from, to)) fail("rename", from);
}

static void unlink_file(naming name, const char *directory, long index) {
    char path[PATH_BYTES];
    name(path, directory, 'g', index);
    if (unlink(path)) fail("unlink", path);
}

static void do_rename(const char *directory, long index, unsigned char *block) {
    (void)block;
    rename_file(name_of, directory, index);
}

static void do_unlink(const char *directory, long index, unsigned char *block) {
    (void)block;
    unlink_file(name_of, directory, index);
}

static void tree_name(char *path, const char *directory, char letter, long index) {
    snprintf(path, PATH_BYTES, "%s/d%05ld/%c%03ld", directory, index / TREE_FANOUT, letter, index % TREE_FANOUT);
}

/* The content of a file of a tree, and its size: a zero byte, which makes it no text; the index and the seed it was made with;
 * random bytes. */
static int tree_content(unsigned char *block, long index, uint64_t made_with) {
    uint64_t mark = (uint64_t)index;
    fill_from(block, TREE_MIN + TREE_MORE, mark * 0x9E3779B97F4A7C15u + made_with * 0xD1342543DE82EF95u + 0x2545F4914F6CDD1Du);
    block[0] = 0;
    memcpy(block + 1, &mark, 8);
    memcpy(block + 9, &made_with, 8);
    return TREE_MIN + (int)(index % TREE_MORE);
}

static int open_new_in_tree(const char *path) {
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
    if (fd >= 0 || errno != ENOENT) return fd;
    char folder[PATH_BYTES];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    if (mkdir(folder, 0755) && errno != EEXIST) fail("mkdir", folder);
    return open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
}

static void do_tree_create(const char *directory, long index, unsigned char *block) {
    char path[PATH_BYTES];
    tree_name(path, directory, 'f', index);
    int size = tree_content(block, index, seed), fd = open_new_in_tree(path);
    if (fd < 0) fail("open", path);
    if (write(fd, block, (size_t)size) != size) fail("write", path);
    if (close(fd)) fail("close", path);
}

static void do_tree_folders(const char *directory, long index, unsigned char *block) {
    (void)block;
    char path[PATH_BYTES];
    struct stat st;
    snprintf(path, sizeof path, "%s/d%05ld", directory, index / TREE_FANOUT);
    if (stat(path, &st)) fail("stat", path);
}

static void do_tree_stat(const char *directory, long index, unsigned char *block) {
    (void)block;
    char path[PATH_BYTES];
    struct stat st;
    tree_name(path, directory, 'f', index);
    if (stat(path, &st)) fail("stat", path);
    if (st.st_size != TREE_MIN + index % TREE_MORE) errno = EIO, fail("size of", path);
}

static void do_tree_read(const char *directory, long index, unsigned char *block) {
    char path[PATH_BYTES];
    unsigned char expected[BLOCK];
    uint64_t made_with;
    tree_name(path, directory, 'f', index);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) fail("open", path);
    ssize_t got = read(fd, block, BLOCK);
    if (got < TREE_MARK) fail("read", path);
    if (close(fd)) fail("close", path);
    memcpy(&made_with, block + 9, 8);
    if (got != tree_content(expected, index, made_with) || memcmp(block, expected, (size_t)got))
        errno = EIO, fail("content of", path);
}

static void do_tree_rename(const char *directory, long index, unsigned char *block) {
    (void)block;
    rename_file(tree_name, directory, index);
}

static void do_tree_unlink(const char *directory, long index, unsigned char *block) {
    (void)block;
    unlink_file(tree_name, directory, index);
}

static void list(const char *directory, int with_stat) {
    struct stat st;
    DIR *handle = opendir(directory);
    if (!handle) fail("opendir", directory);
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(handle);
        if (!entry) break;
        if (with_stat && fstatat(dirfd(handle), entry->d_name, &st, AT_SYMLINK_NOFOLLOW)) fail("stat", entry->d_name);
        entries += entry->d_name[0] != '.';
    }
    if (errno) fail("readdir", directory);
    closedir(handle);
}

static void do_list(const char *directory, long index, unsigned char *block) {
    (void)index, (void)block;
    list(directory, 0);
}

static void do_list_stat(const char *directory, long index, unsigned char *block) {
    (void)index, (void)block;
    list(directory, 1);
}

static void do_tree_list(const char *directory, long index, unsigned char *block) {
    (void)block;
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/d%05ld", directory, index);
    list(path, 0);
}

static const struct phase PHASES[] = {
    {"create", "create", do_create, 1, 1},       {"create_4k", "write", do_create_4k, 1, 1},
    {"stat", "write", do_stat, STAT_PASSES, 0},  {"open_read", "write", do_open_read, 1, 0},
    {"rename", "write", do_rename, 1, 0},        {"unlink", "write", do_unlink, 1, 0},
    {"close_written", "write", do_close_written, 1, 0},
    {"close_unwritten", "write", do_close_unwritten, 1, 0},
    {"close_read", "write", do_close_read, 1, 0},
    {"create_fsync", "fsync", do_create_fsync, 1, 1},
    {"list", "create", do_list, 1, 0},           {"list_stat", "create", do_list_stat, 1, 0},
    {"tree_create", "tree", do_tree_create, 1, 1}, {"tree_folders", "tree", do_tree_folders, 1, 0},
    {"tree_stat", "tree", do_tree_stat, 1, 0},   {"tree_read", "tree", do_tree_read, 1, 0},
    {"tree_rename", "tree", do_tree_rename, 1, 0}, {"tree_unlink", "tree", do_tree_unlink, 1, 0},
    {"tree_list", "tree", do_tree_list, 1, 0},
};

static void run_one(struct worker *w, long index, unsigned char *block) {
    w->phase->run(w->directory, w->chosen ? w->chosen[index] : index, block);
}

static void run_passes(struct worker *w, unsigned char *block) {
    for (long pass = 0; pass < w->phase->passes; pass++) {
        for (long index = w->first; index < w->last; index++) {
            if (w->deadline_s > 0 && now_s() >= w->deadline_s) return;
            run_one(w, index, block);
            w->done++;
        }
    }
}

static void *work(void *argument) {
    struct worker *w = argument;
    unsigned char block[BLOCK];
    if (w->phase->passes > 1)
        for (long index = w->first; index < w->last; index++) run_one(w, index, block);
    pthread_barrier_wait(w->start);
    w->began_s = now_s();
    run_passes(w, block);
    w->ended_s = now_s();
    w->timed_s = timed_s;
    if (entries) w->done = entries;
    return NULL;
}

static const struct phase *find_phase(const char *name) {
    for (size_t i = 0; i < sizeof PHASES / sizeof *PHASES; i++)
        if (!strcmp(PHASES[i].name, name)) return &PHASES[i];
    fprintf(stderr, "fsops: no phase %s\n", name);
    exit(2);
}

/* COUNT distinct indices of OUT_OF in random order: the first steps of a Fisher-Yates shuffle. */
static long *choose(long count, long out_of) {
    long *all = malloc((size_t)out_of * sizeof *all);
    if (!all) fail("memory", "for the choice");
    uint64_t x = (seed + 1) * 0x9E3779B97F4A7C15u;
    for (long i = 0; i < out_of; i++) all[i] = i;
    for (long i = 0; i < count; i++) {
        long j = i + (long)(next_random(&x) % (uint64_t)(out_of - i)), kept = all[i];
        all[i] = all[j], all[j] = kept;
    }
    return all;
}

int main(int argc, char **argv) {
    if (argc != 6 && argc != 8) {
        fprintf(stderr, "usage: fsops PHASE DIR COUNT THREADS MAX_SECONDS [OUT_OF SEED]\n");
        return 2;
    }
    const struct phase *phase = find_phase(argv[1]);
    long count = atol(argv[3]), threads = atol(argv[4]);
    double limit_s = atof(argv[5]);
    if (count < 1 || threads < 1 || threads > 64) {
        fprintf(stderr, "fsops: COUNT ≥ 1, THREADS 1–64\n");
        return 2;
    }
    const long *chosen = NULL;
    if (argc == 8) {
        long out_of = atol(argv[6]);
        seed = strtoull(argv[7], NULL, 10);
        if (out_of < count) {
            fprintf(stderr, "fsops: OUT_OF ≥ COUNT\n");
            return 2;
        }
        chosen = choose(count, out_of);
    }
    char directory[PATH_BYTES];
    snprintf(directory, sizeof directory, "%s/%s", argv[2], phase->folder);
    if (phase->makes_folder && mkdir(directory, 0755) && errno != EEXIST) fail("mkdir", directory);

    struct worker workers[64];
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, (unsigned)threads + 1);
    double deadline_s = limit_s > 0 ? now_s() + limit_s : 0;
    for (long t = 0; t < threads; t++) {
        workers[t] = (struct worker){.phase = phase, .directory = directory, .start = &start, .deadline_s = deadline_s};
        workers[t].chosen = chosen;
        workers[t].first = count * t / threads;
        workers[t].last = count * (t + 1) / threads;
        if (pthread_create(&workers[t].thread, NULL, work, &workers[t])) fail("thread", "start");
    }
    pthread_barrier_wait(&start);
    long done = 0;
    double part_s = 0, began_s = 0, ended_s = 0;
    for (long t = 0; t < threads; t++) {
        pthread_join(workers[t].thread, NULL);
        done += workers[t].done;
        part_s += workers[t].timed_s;
        if (t == 0 || workers[t].began_s < began_s) began_s = workers[t].began_s;
        if (t == 0 || workers[t].ended_s > ended_s) ended_s = workers[t].ended_s;
    }
    double seconds = part_s > 0 ? part_s : ended_s - began_s;
    printf("{\"phase\": \"%s\", \"threads\": %ld, \"operations\": %ld, \"seconds\": %.9f}\n", phase->name, threads, done, seconds);
    return 0;
}
