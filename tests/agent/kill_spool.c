/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spool under real kills: a child appends and delivers on real files and says on a pipe what it
 * was promised (append returned ST_OK) and what it is about to deliver; the parent kills it with
 * SIGKILL after a random number of those lines, at whatever instruction it then is, and looks at
 * the folder itself. What was promised must be there or delivered, whole and once.
 *
 *   kill_spool FOLDER KILLS [SEED] [sync]
 *
 * Prints one line of figures; exit code 1 and the reason when something is lost or doubled.
 */
#include "agent/core/spool.h"
#include "common/clock.h"
#include "tests/support/files_posix.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERIALS_MAX (1u << 20)
#define WAIT_MS     20000 /* a child that says nothing for so long hangs */

enum kind { TRIED = 'T', PROMISED = 'P', DELIVERING = 'D', REMOVED = 'R' };

struct line { /* one write of at most PIPE_BUF bytes: whole or not at all */
    uint64_t kind;
    uint64_t serial;
    uint64_t dropped; /* with PROMISED: what the agent would write into its state file now */
    uint64_t next_number;
};

struct ledger {
    unsigned char state[SERIALS_MAX]; /* enum kind; 0: never heard of */
    uint64_t next;
    uint64_t promised, delivered, redelivered;
    uint64_t unremoved;   /* delivered, and killed before the removal: may be counted as dropped */
    uint64_t dropped;     /* by the bound, as the spool counts */
    uint64_t next_number; /* of the spool */
};

static uint64_t random_state;

static uint64_t draw(uint64_t below)
{
    uint64_t z = (random_state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % below;
}

static const struct spool_limits limits = {.bytes = 24000, .age_us = US_PER_DAY};

static size_t payload(uint64_t serial, char data[2000])
{
    size_t length = 50 + (size_t)(serial * 7919 % 1900);
    for (size_t i = 0; i < length; i++)
        data[i] = (char)(serial * 31 + i * 7);
    return length;
}

/* ---- the child */

static void say(int fd, enum kind kind, uint64_t serial, const struct spool *spool)
{
    struct line line = {kind, serial, spool->dropped, spool->next_number};
    if (write(fd, &line, sizeof line) != (ssize_t)sizeof line)
        _exit(EXIT_FAILURE);
}

static void child_append(struct spool *spool, int fd, uint64_t serial)
{
    char data[2000];
    size_t length = payload(serial, data);
    struct spool_entry entry = {.taken_at_us = 1000000, .sequence = (int64_t)serial, .base = -1};
    say(fd, TRIED, serial, spool);
    if (spool_append(spool, &entry, data, length, 1000000, NULL) == ST_OK)
        say(fd, PROMISED, serial, spool);
}

static void child_deliver(struct spool *spool, int fd)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    char data[2000];
    if (spool->count == 0)
        return;
    struct spool_entry entry = spool->entries[0];
    if (spool_read(spool, 0, &out, NULL) != ST_OK)
        _exit(2);
    size_t length = payload((uint64_t)entry.sequence, data);
    if (length != out.length || memcmp(data, out.data, length) != 0)
        _exit(3);
    say(fd, DELIVERING, (uint64_t)entry.sequence, spool); /* the server has it from here on */
    if (spool_remove(spool, entry.number, NULL) == ST_OK)
        say(fd, REMOVED, (uint64_t)entry.sequence, spool);
}

static void child(const char *folder, bool sync, int fd, const struct ledger *ledger)
{
    struct files_posix files;
    struct spool spool;
    if (files_posix_open(&files, folder, sync, NULL) != ST_OK ||
        spool_open(&spool, &files.files, &limits, ledger->next_number, ledger->dropped, NULL) !=
            ST_OK)
        _exit(4);
    for (uint64_t serial = ledger->next; serial < SERIALS_MAX;) {
        if (draw(5) < 3)
            child_append(&spool, fd, serial++);
        else
            child_deliver(&spool, fd);
    }
    _exit(5);
}

/* ---- the parent */

static void hear(struct ledger *ledger, const struct line *line)
{
    unsigned char *state = &ledger->state[line->serial];
    if (line->serial >= ledger->next)
        ledger->next = line->serial + 1;
    if (line->kind == PROMISED) {
        ledger->promised++;
        ledger->dropped = line->dropped;
        ledger->next_number = line->next_number;
    }
    if (line->kind == DELIVERING && (*state == DELIVERING || *state == REMOVED))
        ledger->redelivered++; /* its removal was cut: the server knows it */
    else if (line->kind == DELIVERING)
        ledger->delivered++;
    /* A record that came through without a promise, and is then delivered, counts as promised. */
    if (line->kind == DELIVERING && *state == TRIED)
        ledger->promised++;
    *state = (unsigned char)line->kind;
}

/* False: the child hung or ended by itself. */
static bool listen_to(int fd, struct ledger *ledger, uint64_t lines)
{
    while (lines > 0) {
        struct pollfd poller = {.fd = fd, .events = POLLIN};
        struct line line;
        int ready = poll(&poller, 1, WAIT_MS);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0 || read(fd, &line, sizeof line) != (ssize_t)sizeof line)
            return false;
        hear(ledger, &line);
        lines--;
    }
    /* Some instructions more, so that kills fall between lines too. */
    for (volatile uint64_t spin = draw(60000); spin > 0; spin--)
        ;
    return true;
}

static void hear_the_rest(int fd, struct ledger *ledger)
{
    struct line line;
    while (read(fd, &line, sizeof line) == (ssize_t)sizeof line)
        hear(ledger, &line);
}

/* NULL: the folder holds what it must. */
static const char *look(const char *folder, struct ledger *ledger)
{
    struct files_posix files;
    struct spool spool;
    const char *fault = NULL;
    uint64_t there = 0;
    if (files_posix_open(&files, folder, false, NULL) != ST_OK ||
        spool_open(&spool, &files.files, &limits, ledger->next_number, ledger->dropped, NULL) !=
            ST_OK)
        return "the folder could not be opened";
    for (size_t i = 0; i < spool.count; i++) {
        uint64_t serial = (uint64_t)spool.entries[i].sequence;
        unsigned char *state = &ledger->state[serial];
        if (i > 0 && spool.entries[i].sequence <= spool.entries[i - 1].sequence)
            fault = "a snapshot is there twice or out of order";
        if (*state == 0)
            fault = "a snapshot nobody made is there";
        if (*state == REMOVED)
            fault = "a snapshot is back after its removal";
        if (*state == TRIED) {
            *state = PROMISED;
            ledger->promised++;
        }
        there += *state == PROMISED;
        ledger->unremoved += *state == DELIVERING;
    }
    if (spool.losses[SPOOL_LOSS_TORN] > 0)
        fault = "a record was torn though no power was cut";
    ledger->dropped = spool.dropped;
    ledger->next_number = spool.next_number;
    uint64_t missing = ledger->promised - ledger->delivered - there;
    if (fault == NULL && missing > spool.dropped)
        fault = "a promised snapshot is gone and was not counted";
    if (fault == NULL && spool.dropped > missing + ledger->unremoved)
        fault = "more was counted as dropped than is missing";
    spool_done(&spool);
    files_posix_close(&files);
    return fault;
}

static const char *one_kill(const char *folder, bool sync, struct ledger *ledger)
{
    int pipes[2];
    int status;
    if (pipe(pipes) != 0)
        return "could not make a pipe";
    pid_t pid = fork();
    if (pid < 0)
        return "could not fork";
    if (pid == 0) {
        close(pipes[0]);
        child(folder, sync, pipes[1], ledger);
    }
    close(pipes[1]);
    bool alive = listen_to(pipes[0], ledger, draw(40));
    kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    hear_the_rest(pipes[0], ledger);
    close(pipes[0]);
    random_state ^= (uint64_t)pid * 0x9e3779b97f4a7c15u; /* the child draws its own way next time */
    if (!alive || !WIFSIGNALED(status))
        return "the child failed before it was killed";
    return look(folder, ledger);
}

int main(int argc, char **argv)
{
    static struct ledger ledger = {.next_number = 1};
    if (argc < 3) {
        fprintf(stderr, "usage: kill_spool FOLDER KILLS [SEED] [sync]\n");
        return 2;
    }
    uint64_t kills = strtoull(argv[2], NULL, 10);
    random_state = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    bool sync = argc > 4 && strcmp(argv[4], "sync") == 0;
    uint64_t done = 0;
    const char *fault = NULL;
    for (; done < kills && fault == NULL && ledger.next < SERIALS_MAX - 4096; done++)
        fault = one_kill(argv[1], sync, &ledger);
    printf(
        "%llu kills, %llu snapshots promised, %llu delivered, %llu delivered again, %llu dropped "
        "by the bound and counted: %s\n",
        (unsigned long long)done, (unsigned long long)ledger.promised,
        (unsigned long long)ledger.delivered, (unsigned long long)ledger.redelivered,
        (unsigned long long)ledger.dropped, fault != NULL ? fault : "nothing lost, none doubled");
    bool good = fault == NULL && done == kills;
    printf("%llu passed, %d failed\n", (unsigned long long)(good ? done : done - (fault != NULL)),
           good ? 0 : 1);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
