/* Tests of a run that is read while it goes on: open calls, counts, files that come and go, and how much
 * memory is kept. Time is what the tests say it is.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include "base/array.h"
#include "mtrace/live.h"
#include "trace_builder.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTS_MEMORY 0 /* malloc is another one */
#else
#define COUNTS_MEMORY 1
#endif

#define SECOND UINT64_C(1000000000)

static char directory[] = "/tmp/mt-live-XXXXXX";
static enum mt_live_state state_of_all;

struct run {
    struct mt_live *live;
    const struct mt_live_view *view;
    uint64_t now_ns;
};

static enum mt_live_state state(void *context, const struct mt_file_header *header)
{
    (void)context;
    (void)header;
    return state_of_all;
}

static void start(struct run *run, uint64_t n_words_max, uint64_t n_words_calls)
{
    struct mt_live_options options = {.directory = directory,
                                      .window_ns = 3600 * SECOND,
                                      .first_ns = 3600 * SECOND,
                                      .n_words_max = n_words_max,
                                      .n_words_max_first = n_words_max,
                                      .n_words_calls = n_words_calls,
                                      .state = state};
    state_of_all = MT_LIVE_RUNNING;
    run->now_ns = 2 * TB_MONO_NS;
    assert_int_equal(mt_live_new(&options, &run->live), MT_OK);
    run->view = mt_live_view(run->live);
}

static void look_after(struct run *run, uint64_t dur_ns)
{
    struct mt_error error;
    run->now_ns += dur_ns;
    assert_int_equal(mt_live_update(run->live, run->now_ns, &error), MT_OK);
}

static void look(struct run *run)
{
    look_after(run, SECOND);
}

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s.trace", directory, name);
    return path;
}

/* The file as it is by now; the same one as before, if it was there. */
static void save(const struct tb *tb, const char *name)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, tb->data, tb->n_bytes, 0), tb->n_bytes);
    close(fd);
}

static void erase(const char *name)
{
    assert_int_equal(unlink(path_of(name)), 0);
}

static void assert_stack(const struct run *run, uint32_t thread, const char *expected)
{
    uint32_t funcs[64], n = mt_live_stack(run->live, thread, funcs, 64);
    char text[1024] = "";
    size_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        const struct mt_text *name = &run->view->funcs[funcs[i]].name;
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%.*s", i ? " " : "",
                               (int)name->n_bytes, name->data);
    }
    assert_string_equal(text, expected);
}

static size_t small(struct tb *tb, uint32_t pid)
{
    tb_init(tb, pid);
    tb_code(tb, 1, "a", "a.py", 1);
    tb_code(tb, 2, "b", "a.py", 5);
    tb_cfunc(tb, 3, "", "c");
    return tb_events(tb, 1, pid, 1000);
}

/* -------------------------------------------------------------------------- a thread that goes on */

enum { N_FUNCS = 9, MAX_DEPTH = 40 };

struct program {
    struct tb tb;
    size_t chunk;
    uint64_t tick, n_calls;
    uint32_t calls[MAX_DEPTH], depth;
    unsigned seed;
};

static void program_start(struct program *p, unsigned seed)
{
    *p = (struct program){.tick = 1000, .seed = seed};
    tb_init(&p->tb, 100);
    for (uint32_t id = 1; id <= N_FUNCS; id++)
        tb_code(&p->tb, id, (char[]){(char)('a' + id - 1), '\0'}, "a.py", id);
    p->chunk = tb_events(&p->tb, 1, 100, p->tick);
}

static bool has_room(struct program *p)
{
    struct tb_chunk *chunk = &p->tb.chunks[p->chunk];
    if (chunk->at + sizeof(uint64_t) <= chunk->end)
        return true;
    if (p->tb.n_chunks == TB_MAX_CHUNKS)
        return false;
    p->chunk = tb_events(&p->tb, 1, 100, p->tick);
    return true;
}

/* The outermost three calls stay, so that they began long ago. */
static void program_step(struct program *p)
{
    bool deeper = p->depth < 3 || (p->depth < MAX_DEPTH && rand_r(&p->seed) % 2);
    p->tick += 1 + (unsigned)rand_r(&p->seed) % 1000;
    if (deeper || p->depth == 3) {
        uint32_t id = 1 + (unsigned)rand_r(&p->seed) % N_FUNCS;
        tb_record(&p->tb, p->chunk, p->tick, MT_KIND_PY_BEGIN, id);
        p->calls[p->depth++] = id;
        p->n_calls++;
    } else {
        enum mt_kind kind = rand_r(&p->seed) % 8 ? MT_KIND_PY_END : MT_KIND_PY_END_EXC;
        tb_record(&p->tb, p->chunk, p->tick, kind, p->calls[--p->depth]);
    }
}

/* Whether all is known. Never wrong: these are the innermost open calls. */
static bool assert_known(const struct run *run, const struct program *p)
{
    uint32_t funcs[MAX_DEPTH], n = mt_live_stack(run->live, 0, funcs, MAX_DEPTH);
    const struct mt_live_thread *thread = &run->view->threads[0];
    assert_int_equal(n, thread->depth);
    assert_in_range(n, 0, p->depth);
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(run->view->funcs[funcs[i]].line, p->calls[p->depth - n + i]);
    if (thread->complete)
        assert_int_equal(n, p->depth);
    return thread->complete;
}

static void go_on(unsigned seed, uint64_t n_words_max, uint64_t n_words_calls)
{
    struct program p;
    struct run run;
    program_start(&p, seed);
    start(&run, n_words_max, n_words_calls);
    uint64_t n_calls = 0;
    bool more = true, sampled = false;
    while (more) {
        for (int n = rand_r(&p.seed) % 4 ? rand_r(&p.seed) % 3000 : 0; n > 0 && more; n--) {
            more = has_room(&p);
            if (more)
                program_step(&p);
        }
        save(&p.tb, "p");
        look(&run);
        assert_known(&run, &p);
        assert_int_equal(run.view->n_threads, 1);
        assert_in_range(run.view->n_words_read, 0, run.view->n_words_new);
        sampled = sampled || run.view->n_words_read < run.view->n_words_new;
        n_calls += run.view->processes[0].n_calls;
    }
    if (n_words_max == UINT64_MAX) {
        assert_false(sampled);
        assert_int_equal(n_calls, p.n_calls);
    }
    for (int i = 0; i < TB_MAX_CHUNKS && !assert_known(&run, &p); i++)
        look(&run);
    assert_true(assert_known(&run, &p));
    mt_live_free(run.live);
    tb_fini(&p.tb);
    erase("p");
}

static void test_open_calls_are_never_wrong_and_counts_exact(void **context)
{
    static const uint64_t limits[][2] = {{UINT64_MAX, 0}, {100, 0},          {100, 700},
                                         {600, 0},        {100, UINT64_MAX}, {2000, 2000}};
    (void)context;
    for (unsigned seed = 1; seed <= 8; seed++)
        for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
            go_on(seed, limits[i][0], limits[i][1]);
}

/* What was known before records were left out is not read again: here it is not there any more. */
static void test_going_backwards_ends_at_what_was_known(void **context)
{
    (void)context;
    struct program p;
    struct run run;
    program_start(&p, 5);
    start(&run, 100, 0);
    for (int i = 0; i < 5000 && has_room(&p); i++)
        program_step(&p);
    save(&p.tb, "p");
    while (!run.view->n_threads || !assert_known(&run, &p))
        look(&run);
    size_t known = p.tb.chunks[p.chunk].offset;
    for (int i = 0; i < 5000 && has_room(&p); i++)
        program_step(&p);
    memset(p.tb.data + p.tb.chunks[1].offset + MT_CHUNK_HEADER_BYTES, 0xff,
           known - p.tb.chunks[1].offset - MT_CHUNK_HEADER_BYTES);
    save(&p.tb, "p");
    look(&run);
    assert_false(assert_known(&run, &p));
    int n_looks = 0;
    for (; !assert_known(&run, &p); n_looks++)
        look(&run);
    assert_in_range(n_looks, 5, 11); /* ten chunks were left out */
    mt_live_free(run.live);
    tb_fini(&p.tb);
    erase("p");
}

/* -------------------------------------------------------------------------------- files that come and go */

static void test_a_name_that_is_used_again(void **context)
{
    (void)context;
    struct run run;
    struct tb tb;
    start(&run, UINT64_MAX, 0);
    small(&tb, 1);
    tb_records(&tb, 1, 10, "(1 (2");
    save(&tb, "app.1");
    look(&run);
    assert_int_equal(run.view->n_processes, 1);
    assert_stack(&run, 0, "a b");
    tb_fini(&tb);
    erase("app.1");

    small(&tb, 1); /* the same pid, as in a container; started later */
    tb_header(&tb)->start_time++;
    tb_header(&tb)->file_id[0] ^= 0xff;
    tb_records(&tb, 1, 10, "(2 [3");
    save(&tb, "app.1");
    look(&run); /* notices that the former file is gone */
    look(&run);
    assert_int_equal(run.view->n_processes, 2);
    assert_int_equal(run.view->n_threads, 1);
    assert_int_equal(run.view->threads[0].process, 1);
    assert_stack(&run, 0, "b c");
    assert_int_equal(run.view->n_errors, 0);

    /* And once more, when it was over. */
    state_of_all = MT_LIVE_ENDED;
    look(&run);
    look(&run);
    assert_true(run.view->processes[1].unfinished);
    tb_header(&tb)->start_time++;
    tb_header(&tb)->file_id[0] ^= 0xf0;
    erase("app.1");
    look_after(&run,
               100 * SECOND); /* between two listings, or the file's number could be the same */
    save(&tb, "app.1");
    look_after(&run, 100 * SECOND);
    look(&run);
    assert_int_equal(run.view->n_processes, 3);
    assert_stack(&run, 0, "b c");
    mt_live_free(run.live);
    tb_fini(&tb);
    erase("app.1");
}

static void test_files_that_are_removed_or_cut(void **context)
{
    (void)context;
    struct run run;
    struct tb tb;
    start(&run, UINT64_MAX, 0);
    small(&tb, 1);
    tb_records(&tb, 1, 10, "(1 (2");
    save(&tb, "app.1");
    look(&run);
    assert_int_equal(truncate(path_of("app.1"), 100), 0);
    look(&run);
    assert_stack(&run, 0, "a b"); /* what was read before */
    assert_int_equal(run.view->processes[0].n_calls, 0);
    erase("app.1");
    look(&run);
    assert_int_equal(run.view->n_threads, 0); /* nobody knows what they are in */
    assert_int_equal(run.view->n_processes, 1);
    mt_live_free(run.live);
    tb_fini(&tb);
}

/* Found in the order of their names, in which 10 comes before 2. */
static void test_parts_are_taken_in_their_order(void **context)
{
    (void)context;
    static const uint32_t parts[] = {0, 10, 2};
    struct run run;
    struct tb tb;
    start(&run, UINT64_MAX, 0);
    for (size_t i = 0; i < 3; i++) {
        char name[16] = "app.1";
        size_t chunk = small(&tb, 1);
        tb_header(&tb)->part = parts[i];
        tb_header(&tb)->file_id[0] = (uint8_t)parts[i];
        tb_header(&tb)->flags = parts[i] == 10 ? MT_FLAG_STOPPED : 0;
        tb_records(&tb, chunk, 10, parts[i] == 10 ? "(1 (2 [3" : "(1");
        if (parts[i])
            snprintf(name, sizeof name, "app.1.%u", parts[i]);
        save(&tb, name);
        tb_fini(&tb);
    }
    look(&run);
    assert_int_equal(run.view->n_processes, 1);
    assert_int_equal(run.view->n_threads, 1);
    assert_stack(&run, 0, "a b c");
    assert_true(run.view->processes[0].stopped);
    /* All of the thread's, whatever file they are in. */
    assert_int_equal(run.view->threads[0].n_calls, 1 + 1 + 3);
    assert_int_equal(run.view->processes[0].n_calls, 1 + 1 + 3);
    mt_live_free(run.live);
    erase("app.1");
    erase("app.1.2");
    erase("app.1.10");
}

static void test_images_of_a_process(void **context)
{
    (void)context;
    struct run run;
    struct tb tb;
    start(&run, UINT64_MAX, 0);
    for (uint32_t image = 0; image < 3; image++) {
        char name[16];
        small(&tb, 1);
        tb_header(&tb)->image = (image + 1) % 3; /* found as 1, 2, 0 */
        tb_header(&tb)->file_id[0] = (uint8_t)image;
        tb_records(&tb, 1, 10, "(1");
        snprintf(name, sizeof name, "app.%u", image);
        save(&tb, name);
        tb_fini(&tb);
    }
    look(&run);
    assert_int_equal(run.view->n_processes, 3);
    assert_int_equal(run.view->processes[0].state, MT_LIVE_ENDED);
    assert_int_equal(run.view->processes[1].state, MT_LIVE_RUNNING);
    assert_int_equal(run.view->processes[2].state, MT_LIVE_ENDED);
    mt_live_free(run.live);
    erase("app.0");
    erase("app.1");
    erase("app.2");
}

/* ------------------------------------------------------------------------------------------- memory */

static size_t n_bytes_used(void)
{
    return COUNTS_MEMORY ? mallinfo2().uordblks : 0;
}

static void add_processes(uint32_t first, uint32_t n, const char *records)
{
    for (uint32_t pid = first; pid < first + n; pid++) {
        char name[16];
        struct tb tb;
        size_t chunk = small(&tb, pid);
        memcpy(tb_header(&tb)->file_id, &pid, sizeof pid);
        tb_records(&tb, chunk, 10, records);
        snprintf(name, sizeof name, "app.%u", pid);
        save(&tb, name);
        tb_fini(&tb);
    }
}

static void test_ended_processes_take_little(void **context)
{
    (void)context;
    enum { ROUNDS = 8, N = 100, ENTRY_BYTES = 1000 };
    struct run run;
    size_t used[ROUNDS];
    start(&run, UINT64_MAX, 0);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        state_of_all = MT_LIVE_RUNNING;
        add_processes(1 + round * N, N, "(1 (2 [3 ]3 )2 )1");
        look(&run);
        assert_int_equal(run.view->n_processes, (round + 1) * N);
        assert_int_equal(run.view->n_threads, N); /* those of before are not kept */
        state_of_all = MT_LIVE_ENDED;
        look(&run);
        look(&run);
        assert_int_equal(run.view->n_threads, N);
        look_after(&run, 60 * SECOND);
        assert_int_equal(run.view->n_threads, 0);
        look_after(&run, 10000 * SECOND); /* no functions in the window, either */
        used[round] = n_bytes_used();
    }
    /* Room in arrays included; a file takes more than a hundred times as much. */
    if (COUNTS_MEMORY)
        assert_in_range((used[ROUNDS - 1] - used[0]) / ((ROUNDS - 1) * N), 1, ENTRY_BYTES);
    look(&run);
    if (COUNTS_MEMORY)
        assert_int_equal(n_bytes_used(), used[ROUNDS - 1]);
    mt_live_free(run.live);
    for (uint32_t pid = 1; pid <= ROUNDS * N; pid++) {
        char name[16];
        snprintf(name, sizeof name, "app.%u", pid);
        erase(name);
    }
}

/* Of so many threads the silent ones are looked at in turn; but all of them when their process has ended. */
static void test_the_last_records_of_many_threads(void **context)
{
    (void)context;
    enum { N_FILES = 50, N_THREADS = 50 };
    static struct tb files[N_FILES];
    static size_t chunks[N_THREADS];
    char name[16];
    struct run run;
    start(&run, UINT64_MAX, 0);
    for (uint32_t i = N_FILES; i-- > 0;) {
        small(&files[i], 101 + i);
        for (uint32_t k = 0; k < N_THREADS; k++) {
            chunks[k] = tb_events(&files[i], 2 + k, 1000 + k, 1000);
            tb_records(&files[i], chunks[k], 10, "(1");
        }
        snprintf(name, sizeof name, "app.%u", 101 + i);
        save(&files[i], name);
    }
    for (int i = 0; i < 3; i++)
        look(&run);
    assert_int_equal(run.view->n_threads, N_FILES * (N_THREADS + 1));
    tb_records(&files[0], chunks[0], 10, "(2");
    tb_records(&files[0], chunks[1], 10, "(2");
    save(&files[0], "app.101");
    state_of_all = MT_LIVE_ENDED;
    look(&run);
    assert_stack(&run, 1, "a b");
    assert_stack(&run, 2, "a b");
    assert_stack(&run, 3, "a");
    mt_live_free(run.live);
    for (uint32_t i = 0; i < N_FILES; i++) {
        snprintf(name, sizeof name, "app.%u", 101 + i);
        erase(name);
        tb_fini(&files[i]);
    }
}

/* A thread that goes on without end: what is kept of it depends on its open calls alone. */
static void test_a_long_thread_takes_no_more_than_a_short_one(void **context)
{
    (void)context;
    struct program p;
    struct run run;
    size_t used[4] = {0};
    program_start(&p, 9);
    start(&run, UINT64_MAX, 0);
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 7000; i++) {
            assert_true(has_room(&p));
            program_step(&p);
            if (i % 1000 == 0) {
                save(&p.tb, "p");
                look_after(&run, 3601 * SECOND); /* one interval in the window */
            }
        }
        while (p.depth != 4) {
            assert_true(has_room(&p));
            program_step(&p);
        }
        save(&p.tb, "p");
        for (int i = 0; i < 3; i++)
            look_after(&run, 3601 * SECOND);
        size_t of_tb = malloc_usable_size(p.tb.data);
        used[round] = n_bytes_used() - (COUNTS_MEMORY ? of_tb : 0);
    }
    if (COUNTS_MEMORY)
        assert_in_range(used[3], used[1] - 64, used[1] + 64);
    assert_true(assert_known(&run, &p));
    mt_live_free(run.live);
    tb_fini(&p.tb);
    erase("p");
}

static int make_directory(void **context)
{
    (void)context;
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **context)
{
    (void)context;
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_calls_are_never_wrong_and_counts_exact),
        cmocka_unit_test(test_going_backwards_ends_at_what_was_known),
        cmocka_unit_test(test_a_name_that_is_used_again),
        cmocka_unit_test(test_files_that_are_removed_or_cut),
        cmocka_unit_test(test_parts_are_taken_in_their_order),
        cmocka_unit_test(test_the_last_records_of_many_threads),
        cmocka_unit_test(test_images_of_a_process),
        cmocka_unit_test(test_ended_processes_take_little),
        cmocka_unit_test(test_a_long_thread_takes_no_more_than_a_short_one),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
