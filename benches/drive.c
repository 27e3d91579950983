/*
 * Starts and times the commands under measurement.  A static C program, because
 * what starts a process of 1 ms must itself cost next to nothing, and because a
 * child's peak memory is never below that of the program that forked it.
 *
 *   drive compare RUNS COMMAND ... [::: COMMAND ...] ...
 *       runs the commands in turn, RUNS times each, so that a busy minute of the
 *       machine hits all of them; prints "command microseconds cpu-microseconds peak-KiB".
 *   drive crowd SECONDS N[:PAUSE] COMMAND ... [::: N[:PAUSE] COMMAND ...] ...
 *       N loops of each command side by side, each with PAUSE ms between its runs;
 *       "{}" in a word is the loop's number;
 *       prints "command loop runs elapsed-us longest-run-us".
 *   drive stamp [COMMAND ...]      prints the monotonic clock in ns, then becomes COMMAND
 *   drive hold                     waits for the end of stdin, then prints the clock
 *   drive heard WORD               prints the clock when WORD has come on stdin, whole in one write
 *
 * The first words of a COMMAND may be "<FILE" and ">FILE".  A command that fails
 * ends the measurement: the speed of a failure means nothing.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static long long now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void fail(const char *what)
{
    fprintf(stderr, "drive: %s\n", what);
    exit(1);
}

struct command {
    char **words;
    const char *in, *out;
};

static struct command parse(char **words)
{
    struct command command = {words, "/dev/null", "/dev/null"};
    for (; *command.words && strchr("<>", **command.words); command.words++)
        *(**command.words == '<' ? &command.in : &command.out) = *command.words + 1;
    if (!*command.words)
        fail("an empty command");
    return command;
}

/* Cuts the arguments at each ":::"; returns how many parts there are. */
static int split(char **words, char ***parts)
{
    int count = 0;
    parts[count++] = words;
    for (; *words; words++)
        if (!strcmp(*words, ":::")) {
            *words = NULL;
            parts[count++] = words + 1;
        }
    return count;
}

static struct rusage run(struct command command, long long *took_ns)
{
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, command.in, O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, command.out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    pid_t child;
    int status;
    struct rusage used;
    long long start = now_ns();
    if (posix_spawnp(&child, command.words[0], &files, NULL, command.words, environ) != 0)
        fail(command.words[0]);
    wait4(child, &status, 0, &used);
    *took_ns = now_ns() - start;
    posix_spawn_file_actions_destroy(&files);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "drive: status %d of:", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
        for (char **word = command.words; *word; word++)
            fprintf(stderr, " %s", *word);
        fail("");
    }
    return used;
}

static long long microseconds(struct timeval time)
{
    return time.tv_sec * 1000000LL + time.tv_usec;
}

static void compare(long runs, char **words)
{
    char **parts[64];
    int count = split(words, parts);
    for (long round = 0; round < runs; round++)
        for (int part = 0; part < count; part++) {
            long long took;
            struct rusage used = run(parse(parts[part]), &took);
            printf("%d %.1f %lld %ld\n", part, took / 1e3,
                   microseconds(used.ru_utime) + microseconds(used.ru_stime), used.ru_maxrss);
        }
}

static char *numbered(char *word, int number)
{
    char *hole = strstr(word, "{}"), *made;
    if (!hole)
        return word;
    asprintf(&made, "%.*s%d%s", (int)(hole - word), word, number, hole + 2);
    return made;
}

struct tally {
    int part, loop;
    long runs;
    long long elapsed_ns, longest_ns;
};

static void loop(struct command command, long pause_ms, long long end, struct tally *tally)
{
    for (char **word = command.words; *word; word++)
        *word = numbered(*word, tally->loop);
    /* Not all at once, or they would meet again after each pause. */
    usleep(pause_ms * 1000 * (tally->loop % 16) / 16);
    long long start = now_ns();
    do {
        long long took;
        run(command, &took);
        tally->runs++;
        if (took > tally->longest_ns)
            tally->longest_ns = took;
        if (pause_ms)
            usleep(pause_ms * 1000);
    } while (now_ns() < end);
    tally->elapsed_ns = now_ns() - start;
    exit(0);
}

static void crowd(double seconds, char **words)
{
    char **parts[64];
    int count = split(words, parts), loops = 0, failed = 0;
    struct tally *tallies = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int gate[2];
    pipe2(gate, O_CLOEXEC);
    for (int part = 0; part < count; part++) {
        const char *pause = strchr(*parts[part], ':');
        for (int loop_number = 0; loop_number < atoi(*parts[part]); loop_number++) {
            struct tally *tally = &tallies[loops++];
            *tally = (struct tally){.part = part, .loop = loop_number};
            if (fork() == 0) {
                char wait;
                close(gate[1]);
                read(gate[0], &wait, 1); /* until all of them are there */
                loop(parse(parts[part] + 1), pause ? atol(pause + 1) : 0,
                     now_ns() + (long long)(seconds * 1e9), tally);
            }
        }
    }
    close(gate[1]);
    for (int at = 0, status; at < loops; at++)
        if (wait(&status) < 0 || status != 0)
            failed = 1;
    for (int at = 0; at < loops; at++)
        printf("%d %d %ld %lld %lld\n", tallies[at].part, tallies[at].loop, tallies[at].runs,
               tallies[at].elapsed_ns / 1000, tallies[at].longest_ns / 1000);
    if (failed)
        fail("a command of the crowd failed");
}

static void stamp(void)
{
    char text[32];
    write(1, text, sprintf(text, "%lld\n", now_ns()));
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    char byte;
    if (!strcmp(mode, "compare") && argc > 3)
        compare(atol(argv[2]), argv + 3);
    else if (!strcmp(mode, "crowd") && argc > 4)
        crowd(atof(argv[2]), argv + 3);
    else if (!strcmp(mode, "stamp")) {
        stamp();
        if (argc > 2)
            execvp(argv[2], argv + 2);
    } else if (!strcmp(mode, "hold")) {
        while (read(0, &byte, 1) > 0)
            ;
        stamp();
    } else if (!strcmp(mode, "heard") && argc == 3) {
        /* It asks without a pause: to be woken would take as long as what is measured. */
        char text[4096];
        fcntl(0, F_SETFL, O_NONBLOCK);
        for (ssize_t length; (length = read(0, text, sizeof text - 1)) != 0;) {
            text[length > 0 ? length : 0] = 0;
            if (length > 0 && strstr(text, argv[2]))
                stamp();
        }
    } else
        return 2;
    return 0;
}
