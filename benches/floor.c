/*
 * The floor: what the system calls of one memlatch command cost by themselves.
 *
 * Each mode makes the calls that the command of that name makes, in the same
 * order, from a static program that does next to nothing in between.  Nothing
 * that locks as safely and replaces as durably can be faster; memlatch is
 * measured by its distance to this.  Not a tool: it checks no JSON, its lock
 * names are not SHA-256, and an error just ends it.
 *
 *   floor nothing                       a process that ends at once
 *   floor update FILE [--no-sync]       add one to the first "counter" of FILE
 *   floor read FILE                     FILE to stdout
 *   floor write FILE [--no-sync]        stdin to FILE
 *   floor status FILE
 *   floor copy FROM TO [--no-sync]      a durable copy, for the large files
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what)
{
    const char *why = strerrordesc_np(errno);
    write(2, what, strlen(what));
    write(2, ": ", 2);
    write(2, why, strlen(why));
    write(2, "\n", 1);
    _exit(1);
}

static int must(int result, const char *what)
{
    if (result < 0)
        fail(what);
    return result;
}

/* Text is built by hand: stdio would add calls and pages of its own. */
static char *append(char *end, const char *text)
{
    return stpcpy(end, text);
}

static char *append_number(char *end, uint64_t number)
{
    char digits[24], *digit = digits + sizeof digits;
    *--digit = 0;
    do
        *--digit = '0' + number % 10;
    while (number /= 10);
    return append(end, digit);
}

/* --- the lock ---------------------------------------------------------- */

struct lock {
    char target[PATH_MAX], folder[PATH_MAX];
    char locks[PATH_MAX], guard[PATH_MAX], directory[PATH_MAX], info[PATH_MAX], temporary[PATH_MAX];
    int guard_fd;
};

/* The name of the lock: as long as the real one, from the canonical path. */
static void name_lock(struct lock *lock, const char *file)
{
    if (!realpath(file, lock->target))
        fail(file);
    uint64_t hash = 14695981039346656037u;
    for (const char *at = lock->target; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 1099511628211u;
    const char *base = getenv("AICONFIG_PATH");
    append(append(lock->locks, base ? base : "."), "/.locks");
    char *end = append(append(lock->guard, lock->locks), "/");
    for (int part = 0; part < 4; part++)
        for (int digit = 0; digit < 16; digit++)
            *end++ = "0123456789abcdef"[hash >> (4 * digit) & 15];
    *end = 0;
    append(append(lock->directory, lock->guard), ".lock");
    append(append(lock->info, lock->directory), "/info");
    append(end, ".guard");
    char *name = strrchr(lock->target, '/') + 1;
    memcpy(lock->folder, lock->target, name - lock->target);
    end = append(append(lock->temporary, lock->folder), ".");
    end = append(append(end, name), ".floor-");
    append(append_number(end, getpid()), ".tmp");
}

/* A guard that was unlinked while we waited guards nothing: compare, reopen. */
static void take_guard(struct lock *lock, int how)
{
    for (;;) {
        struct stat held, named;
        lock->guard_fd = must(open(lock->guard, O_RDWR | O_CREAT | O_CLOEXEC, 0600), lock->guard);
        if (flock(lock->guard_fd, how | LOCK_NB) < 0)
            must(flock(lock->guard_fd, how), "flock");
        must(fstat(lock->guard_fd, &held), "fstat");
        if (stat(lock->guard, &named) == 0 && held.st_ino == named.st_ino && held.st_dev == named.st_dev)
            return;
        close(lock->guard_fd);
    }
}

static size_t slurp(const char *path, char *into, size_t room)
{
    int fd = must(open(path, O_RDONLY | O_CLOEXEC), path);
    int got = must(read(fd, into, room), path);
    close(fd);
    return got;
}

/* What is to be read or replaced is a plain file, and the lock folder is not a stranger's. */
static void look(struct lock *lock)
{
    struct stat found;
    must(stat(lock->target, &found), lock->target);
    must(lstat(lock->locks, &found), lock->locks);
    geteuid();
}

/* The holder writes down who it is, so that it can be judged after its death. */
static void hold(struct lock *lock)
{
    char info[2 * PATH_MAX], boot[64];
    struct utsname host;
    struct timespec now;
    look(lock);
    uname(&host);
    clock_gettime(CLOCK_REALTIME, &now);
    boot[slurp("/proc/sys/kernel/random/boot_id", boot, sizeof boot - 1)] = 0;
    take_guard(lock, LOCK_EX);
    must(mkdir(lock->directory, 01700), lock->directory);
    char *end = append_number(append(info, "PID: "), getpid());
    end = append_number(append(end, "\nACQUIRED: "), now.tv_sec);
    end = append(append(end, "\nHOSTNAME: "), host.nodename);
    end = append(append(end, "\nTARGET: "), lock->target);
    end = append(append(append(end, "\nBOOT: "), boot), "KIND: update\n");
    int fd = must(open(lock->info, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), lock->info);
    must(write(fd, info, end - info), lock->info);
    close(fd);
}

static void release(struct lock *lock)
{
    must(unlink(lock->info), lock->info);
    must(rmdir(lock->directory), lock->directory);
    flock(lock->guard_fd, LOCK_UN);
    close(lock->guard_fd);
}

/* --- the file ---------------------------------------------------------- */

struct text {
    char *bytes;
    size_t length;
};

static struct text read_all(int fd, size_t expected)
{
    struct text text = {malloc(expected + 65536), 0};
    size_t room = expected + 65536;
    for (;;) {
        ssize_t got = read(fd, text.bytes + text.length, room - text.length);
        if (must(got, "read") == 0)
            return text;
        text.length += got;
        if (text.length == room)
            text.bytes = realloc(text.bytes, room *= 2);
    }
}

static void write_all(int fd, const char *bytes, size_t length)
{
    while (length) {
        ssize_t put = must(write(fd, bytes, length), "write");
        bytes += put;
        length -= put;
    }
}

static struct text read_target(const char *path)
{
    struct stat found;
    int fd = must(open(path, O_RDONLY | O_CLOEXEC), path);
    must(fstat(fd, &found), path);
    struct text text = read_all(fd, found.st_size);
    close(fd);
    return text;
}

static void replace(struct lock *lock, struct text text, int sync)
{
    struct stat old;
    int known = lstat(lock->target, &old) == 0;
    int folder = must(open(lock->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), lock->folder);
    int fd = must(open(lock->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), lock->temporary);
    write_all(fd, text.bytes, text.length);
    if (known)
        must(fchmod(fd, old.st_mode & 07777), "fchmod");
    if (sync)
        must(fsync(fd), "fsync");
    close(fd);
    must(rename(lock->temporary, lock->target), lock->target);
    if (sync)
        must(fsync(folder), "fsync");
    close(folder);
}

/* Adds one to the number behind the first "counter", so that a crowd can be counted. */
static struct text count(struct text text)
{
    static const char key[] = "\"counter\": ";
    char *found = memmem(text.bytes, text.length, key, sizeof key - 1);
    if (!found)
        return text;
    char *number = found + sizeof key - 1, *rest;
    uint64_t value = strtoull(number, &rest, 10);
    struct text counted = {malloc(text.length + 24), 0};
    memcpy(counted.bytes, text.bytes, number - text.bytes);
    char *end = append_number(counted.bytes + (number - text.bytes), value + 1);
    size_t left = text.bytes + text.length - rest;
    memcpy(end, rest, left);
    counted.length = end + left - counted.bytes;
    return counted;
}

/* --- the commands ------------------------------------------------------ */

static void update(const char *file, int sync)
{
    static struct lock lock;
    name_lock(&lock, file);
    hold(&lock);
    replace(&lock, count(read_target(lock.target)), sync);
    release(&lock);
    write(2, "[OK] updated\n", 13);
}

static void read_file(const char *file)
{
    static struct lock lock;
    name_lock(&lock, file);
    look(&lock);
    take_guard(&lock, LOCK_SH);
    struct stat found;
    /* A lease or an old script's lock keeps readers out without keeping the guard. */
    if (stat(lock.directory, &found) == 0)
        fail(lock.directory);
    int fd = must(open(lock.target, O_RDONLY | O_CLOEXEC), lock.target);
    close(lock.guard_fd);
    must(fstat(fd, &found), lock.target);
    struct text text = read_all(fd, found.st_size);
    close(fd);
    write_all(1, text.bytes, text.length);
}

static void write_file(const char *file, int sync)
{
    static struct lock lock;
    struct text text = read_all(0, 0);
    name_lock(&lock, file);
    hold(&lock);
    replace(&lock, text, sync);
    release(&lock);
    write(2, "[OK] written\n", 13);
}

static void status(const char *file)
{
    static struct lock lock;
    name_lock(&lock, file);
    int free = open(lock.directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) < 0;
    write(1, free ? "free\n" : "held\n", 5);
    _exit(!free);
}

static void copy(const char *from, const char *to, int sync)
{
    int in = must(open(from, O_RDONLY | O_CLOEXEC), from);
    int out = must(open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), to);
    ssize_t sent;
    while ((sent = must(sendfile(out, in, NULL, 1 << 30), to)) > 0)
        ;
    if (sync)
        must(fsync(out), to);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "nothing";
    int sync = strcmp(argv[argc - 1], "--no-sync") != 0;
    int words = argc - !sync;
    if (!strcmp(mode, "nothing"))
        return 0;
    if (!strcmp(mode, "copy") && words == 4)
        return copy(argv[2], argv[3], sync), 0;
    if (words != 3)
        return 2;
    if (!strcmp(mode, "update"))
        return update(argv[2], sync), 0;
    if (!strcmp(mode, "read"))
        return read_file(argv[2]), 0;
    if (!strcmp(mode, "write"))
        return write_file(argv[2], sync), 0;
    if (!strcmp(mode, "status"))
        return status(argv[2]), 0;
    return 2;
}
