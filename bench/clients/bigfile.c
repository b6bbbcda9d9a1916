/* bigfile PHASE FILE MIB COUNT: one phase of work on one large file, timed, as one line of JSON.
 *
 * In C so that the client is not what is measured. Prints {"phase", "bytes", "operations", "seconds"}.
 *   write         creates FILE of MIB MiB in pieces of 1 MiB, fsync, close; no two blocks of 4 KiB have the same bytes
 *   read          reads all of it in pieces of 1 MiB and checks the start of every block
 *   random_read   COUNT blocks of 4 KiB at places that look random, each checked
 *   random_write  COUNT blocks of 4 KiB at such places, then one fsync; each block keeps its first eight bytes
 * The places are the same in every run. Any error ends the program with its message and status 1.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, PIECE = 1 << 20, BLOCKS_A_PIECE = PIECE / BLOCK };

static unsigned char piece[PIECE];
static const char *file;
static long mib, count;

static void fail(const char *what) {
    fprintf(stderr, "bigfile: %s %s: %s\n", what, file, strerror(errno));
    exit(1);
}

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint64_t next(uint64_t *x) {
    *x ^= *x << 13, *x ^= *x >> 7, *x ^= *x << 17;
    return *x;
}

static uint64_t mark_of(uint64_t block) {
    uint64_t x = block * 0x9E3779B97F4A7C15u + 0x2545F4914F6CDD1Du;
    return next(&x);
}

static void fill(unsigned char *at, uint64_t block, uint64_t seed) {
    uint64_t word = mark_of(block), x = word + seed;
    for (int i = 0; i < BLOCK; i += 8) {
        memcpy(at + i, &word, 8);
        word = next(&x);
    }
}

static void check(const unsigned char *at, uint64_t block) {
    uint64_t mark = mark_of(block);
    if (memcmp(at, &mark, 8)) errno = EIO, fail("content of");
}

/* The pieces are made before their write and outside of the time that counts. */
static double write_all(int fd) {
    double timed_s = 0;
    for (long p = 0; p < mib; p++) {
        for (long b = 0; b < BLOCKS_A_PIECE; b++) fill(piece + b * BLOCK, (uint64_t)(p * BLOCKS_A_PIECE + b), 0);
        double began_s = now_s();
        if (write(fd, piece, PIECE) != PIECE) fail("write");
        timed_s += now_s() - began_s;
    }
    double began_s = now_s();
    if (fsync(fd)) fail("fsync");
    return timed_s + now_s() - began_s;
}

static double read_all(int fd) {
    double began_s = now_s();
    for (long p = 0; p < mib; p++) {
        for (long got = 0; got < PIECE;) {
            ssize_t n = read(fd, piece + got, (size_t)(PIECE - got));
            if (n <= 0) fail("read");
            got += n;
        }
        for (long b = 0; b < BLOCKS_A_PIECE; b++) check(piece + b * BLOCK, (uint64_t)(p * BLOCKS_A_PIECE + b));
    }
    return now_s() - began_s;
}

static double random_blocks(int fd, int writes) {
    uint64_t x = writes ? 0xD1B54A32D192ED03u : 0xA0761D6478BD642Fu;
    uint64_t blocks = (uint64_t)mib * BLOCKS_A_PIECE;
    double began_s = now_s();
    for (long i = 0; i < count; i++) {
        uint64_t block = next(&x) % blocks;
        off_t at = (off_t)(block * BLOCK);
        if (writes) {
            fill(piece, block, (uint64_t)i + 1);
            if (pwrite(fd, piece, BLOCK, at) != BLOCK) fail("pwrite");
        } else {
            if (pread(fd, piece, BLOCK, at) != BLOCK) fail("pread");
            check(piece, block);
        }
    }
    if (writes && fsync(fd)) fail("fsync");
    return now_s() - began_s;
}

int main(int argc, char **argv) {
    if (argc != 5 || (mib = atol(argv[3])) < 1 || (count = atol(argv[4])) < 1) {
        fprintf(stderr, "usage: bigfile write|read|random_read|random_write FILE MIB COUNT\n");
        return 2;
    }
    const char *phase = argv[1];
    file = argv[2];
    int writes = !strcmp(phase, "write"), reads = !strcmp(phase, "read"), random_writes = !strcmp(phase, "random_write");
    if (!writes && !reads && !random_writes && strcmp(phase, "random_read")) {
        fprintf(stderr, "bigfile: no phase %s\n", phase);
        return 2;
    }
    int flags = writes ? O_WRONLY | O_CREAT | O_EXCL : random_writes ? O_WRONLY : O_RDONLY;
    double began_s = now_s();
    int fd = open(file, flags | O_CLOEXEC, 0644);
    if (fd < 0) fail("open");
    double seconds = now_s() - began_s;
    seconds += writes ? write_all(fd) : reads ? read_all(fd) : random_blocks(fd, random_writes);
    began_s = now_s();
    if (close(fd)) fail("close");
    seconds += now_s() - began_s;
    long operations = writes || reads ? mib : count;
    long bytes = writes || reads ? mib * PIECE : count * BLOCK;
    printf("{\"phase\": \"%s\", \"bytes\": %ld, \"operations\": %ld, \"seconds\": %.9f}\n", phase, bytes, operations, seconds);
    return 0;
}
