/* make_traces.c - trace files of any size, far faster than a program could record them: for what is
 * measured of reading. `mtrace check` finds no fault in them.
 *
 *     make_traces DIRECTORY [files=N] [threads=N] [names=N] [events=N] [ns=N] [seed=N]
 *
 * `events` are of all files together, `threads` and `names` of each file. All threads run at the same
 * time, an event comes every `ns` on average. Which function is called is drawn evenly, which no
 * program does: so that names are as far from the caches as they can be. One in four is a C function.
 * Prints how many events there are.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mtrace/format.h"

#define CHUNK_BYTES (256u << 10)
#define CHUNK_WORDS ((CHUNK_BYTES - MT_CHUNK_HEADER_BYTES) / sizeof(uint64_t))
#define TICK_HZ UINT64_C(2600000000)
#define START_TICK UINT64_C(1000000000000)
#define START_MONO_NS UINT64_C(400000000000)
#define START_REAL_NS UINT64_C(1700000000000000000)
#define MAX_DEPTH 24u
#define FIRST_PID 1000u

struct wanted {
    uint64_t files, threads, names, events, ns, seed;
};

struct thread {
    uint32_t tid, seq, depth;
    uint64_t tick;   /* of its last record */
    uint64_t n_left; /* events; even, so that all calls end */
    uint32_t stack[MAX_DEPTH];
};

static uint64_t random_state;

static uint32_t draw(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32);
}

/* Evenly below n. */
static uint32_t below(uint64_t n)
{
    return (uint32_t)(draw() * n >> 32);
}

static void give_up(const char *what)
{
    perror(what);
    exit(1);
}

static void put(int fd, const void *data, size_t n_bytes)
{
    const char *at = data;
    while (n_bytes) {
        ssize_t n = write(fd, at, n_bytes);
        if (n < 0)
            give_up("write");
        at += n;
        n_bytes -= (size_t)n;
    }
}

static struct mt_clock_pair pair_at(uint64_t tick)
{
    uint64_t ns = (uint64_t)((double)(tick - START_TICK) * 1e9 / (double)TICK_HZ);
    return (struct mt_clock_pair){tick, START_MONO_NS + ns, START_REAL_NS + ns};
}

static void put_header(int fd, uint32_t pid)
{
    struct mt_file_header header = {
        .magic = MT_FILE_MAGIC,
        .major = MT_FORMAT_MAJOR,
        .minor = MT_FORMAT_MINOR,
        .header_bytes = MT_FILE_HEADER_BYTES,
        .pid_ns = 7,
        .pid = pid,
        .ppid = 1,
        .start_time = pid,
        .origin = MT_ORIGIN_BOOT,
        .clock = MT_CLOCK_TSC,
        .tick_hz = TICK_HZ,
        .pair = pair_at(START_TICK),
        .engine = MT_ENGINE_CORE,
        .options = MT_OPTION_C_FUNCTIONS,
        .host = "host",
        .program = "make_traces",
        .executable = "/usr/bin/python3",
    };
    memcpy(header.file_id, &pid, sizeof pid);
    memset(header.boot_id, 0xb0, sizeof header.boot_id);
    memset(header.run_id, 0x11, sizeof header.run_id);
    put(fd, &header, sizeof header);
}

/* ---------------------------------------------------------------------------------- definitions */

struct defs {
    int fd;
    uint32_t seq;
    size_t n_words;
    uint64_t chunk[CHUNK_BYTES / sizeof(uint64_t)];
};

static void put_defs(struct defs *defs)
{
    struct mt_chunk_header header = {.magic = MT_CHUNK_MAGIC,
                                     .size_bytes = CHUNK_BYTES,
                                     .type = MT_CHUNK_DEFS,
                                     .seq = defs->seq++,
                                     .pair = pair_at(START_TICK)};
    memcpy(defs->chunk, &header, sizeof header);
    put(defs->fd, defs->chunk, sizeof defs->chunk);
    memset(defs->chunk, 0, sizeof defs->chunk);
    defs->n_words = MT_CHUNK_HEADER_BYTES / sizeof(uint64_t);
}

/* A head, a struct and a text behind it. */
static void define(struct defs *defs, enum mt_def type, uint32_t id, const void *payload,
                   size_t n_bytes, const char *text)
{
    size_t n_text = strlen(text), n_words = (n_bytes + n_text + 7) / 8;
    if (defs->n_words + n_words + 2 > sizeof defs->chunk / sizeof *defs->chunk)
        put_defs(defs);
    uint64_t *at = defs->chunk + defs->n_words;
    *at = mt_def_pack(type, id, (uint32_t)n_words);
    memcpy(at + 1, payload, n_bytes);
    memcpy((char *)(at + 1) + n_bytes, text, n_text);
    defs->n_words += 1 + n_words;
}

static void define_string(struct defs *defs, uint32_t id, const char *text)
{
    struct mt_def_text string = {.n_bytes = (uint32_t)strlen(text)};
    define(defs, MT_DEF_STRING, id, &string, sizeof string, text);
}

static void define_c(struct defs *defs, uint32_t id)
{
    char owner[64], both[128];
    int n_owner = snprintf(owner, sizeof owner, "_native%u", id % 97);
    int n = snprintf(both, sizeof both, "%sfunction_%u", owner, id);
    struct mt_def_cfunc func = {(uint32_t)n_owner, (uint32_t)(n - n_owner)};
    define(defs, MT_DEF_CFUNC, id, &func, sizeof func, both);
}

static void define_code(struct defs *defs, uint32_t id, uint32_t n_files)
{
    char name[64];
    snprintf(name, sizeof name, "Class%u.method_%u", id % 1009, id);
    struct mt_def_code code = {1 + id % n_files, 1 + id % 2000, 3, (uint32_t)strlen(name)};
    define(defs, MT_DEF_CODE, id, &code, sizeof code, name);
}

static bool is_c(uint32_t id)
{
    return id % 4 == 3;
}

static void put_names(int fd, uint32_t n_names)
{
    static struct defs defs;
    uint32_t n_files = n_names / 20 + 1;
    memset(&defs, 0, sizeof defs);
    defs.fd = fd;
    defs.n_words = MT_CHUNK_HEADER_BYTES / sizeof(uint64_t);
    for (uint32_t i = 0; i < n_files; i++) {
        char path[128];
        snprintf(path, sizeof path, "/srv/app/lib/python3.11/package%u/module%u.py", i % 31, i);
        define_string(&defs, 1 + i, path);
    }
    for (uint32_t id = 1; id <= n_names; id++) {
        if (is_c(id))
            define_c(&defs, id);
        else
            define_code(&defs, id, n_files);
    }
    put_defs(&defs);
}

/* --------------------------------------------------------------------------------------- records */

static uint64_t next_record(struct thread *thread, const struct wanted *wanted)
{
    uint32_t bits = draw();
    uint64_t delta = 1 +
                     (uint64_t)(bits >> 8) * (2 * wanted->ns * TICK_HZ / 1000000000) / (1u << 24);
    bool begins = bits & 1;
    if (!thread->depth)
        begins = true;
    if (thread->depth == MAX_DEPTH || thread->n_left <= thread->depth)
        begins = false;
    thread->n_left--;
    thread->tick += delta;
    if (begins) {
        uint32_t id = 1 + below(wanted->names);
        thread->stack[thread->depth++] = id;
        return mt_record_pack(delta, is_c(id) ? MT_KIND_C_BEGIN : MT_KIND_PY_BEGIN, id);
    }
    uint32_t id = thread->stack[--thread->depth];
    return mt_record_pack(delta, is_c(id) ? MT_KIND_C_END : MT_KIND_PY_END, id);
}

static void put_records(int fd, struct thread *thread, uint32_t number, const struct wanted *wanted)
{
    static uint64_t chunk[CHUNK_BYTES / sizeof(uint64_t)];
    struct mt_chunk_header header = {.magic = MT_CHUNK_MAGIC,
                                     .size_bytes = CHUNK_BYTES,
                                     .type = MT_CHUNK_EVENTS,
                                     .seq = thread->seq++,
                                     .thread = number,
                                     .tid = thread->tid,
                                     .pair = pair_at(thread->tick),
                                     .start_tick = thread->tick};
    size_t at = MT_CHUNK_HEADER_BYTES / sizeof *chunk;
    memset(chunk, 0, sizeof chunk);
    memcpy(chunk, &header, sizeof header);
    for (; at < sizeof chunk / sizeof *chunk && thread->n_left; at++)
        chunk[at] = next_record(thread, wanted);
    put(fd, chunk, sizeof chunk);
}

/* Returns how many events are in it. */
static uint64_t make_file(const char *directory, uint32_t pid, const struct wanted *wanted)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/make_traces.%u%s", directory, pid, MT_FILE_SUFFIX);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct thread *threads = calloc(wanted->threads, sizeof *threads);
    if (fd < 0 || !threads)
        give_up(path);
    uint64_t n_each = wanted->events / (wanted->files * wanted->threads) / 2 * 2;
    put_header(fd, pid);
    put_names(fd, (uint32_t)wanted->names);
    for (uint32_t i = 0; i < wanted->threads; i++) {
        threads[i] = (struct thread){
            .tid = pid + i, .tick = START_TICK + UINT64_C(1000) * i, .n_left = n_each};
    }
    for (bool more = n_each; more;) {
        more = false;
        for (uint32_t i = 0; i < wanted->threads; i++) {
            if (threads[i].n_left)
                put_records(fd, &threads[i], i + 1, wanted);
            more |= threads[i].n_left > 0;
        }
    }
    if (close(fd))
        give_up(path);
    free(threads);
    return n_each * wanted->threads;
}

static bool take(const char *argument, const char *name, uint64_t *value)
{
    size_t n = strlen(name);
    if (strncmp(argument, name, n) != 0 || argument[n] != '=')
        return false;
    *value = strtoull(argument + n + 1, NULL, 10);
    return *value > 0;
}

int main(int argc, char **argv)
{
    struct wanted wanted = {1, 4, 2000, 10000000, 50, 1};
    bool good = argc >= 2;
    for (int i = 2; i < argc && good; i++) {
        good = take(argv[i], "files", &wanted.files) || take(argv[i], "threads", &wanted.threads) ||
               take(argv[i], "names", &wanted.names) || take(argv[i], "events", &wanted.events) ||
               take(argv[i], "ns", &wanted.ns) || take(argv[i], "seed", &wanted.seed);
    }
    if (!good) {
        fprintf(stderr, "usage: make_traces DIRECTORY [files=N] [threads=N] [names=N] [events=N] "
                        "[ns=N] [seed=N]\n");
        return 2;
    }
    uint64_t n_events = 0;
    for (uint32_t i = 0; i < wanted.files; i++) {
        random_state = wanted.seed * UINT64_C(0x9e3779b97f4a7c15) + i + 1;
        n_events += make_file(argv[1], FIRST_PID + i * (uint32_t)wanted.threads, &wanted);
    }
    printf("%llu\n", (unsigned long long)n_events);
    return 0;
}
