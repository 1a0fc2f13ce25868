/* test_emit.c - what one thread's events become in the file: every record of a known sequence, with
 * times that are true; chunk after chunk; long and negative times; a file that is complete at any
 * moment; starting and stopping; errno.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/state.h"
#include "lab.h"

static uint32_t define(const char *name)
{
    return mt_core_define_code(name, strlen(name), "", 0, 1, 0);
}

/* The one file of the directory, which must be good. */
static struct scan *load(struct lab_set *set)
{
    lab_load(set, lab_dir, NULL);
    CHECK_EQ(set->n, 1);
    return &set->files[0];
}

LAB(test_a_known_sequence)
{
    static const enum mt_kind kinds[] = {
        MT_KIND_PY_BEGIN, MT_KIND_PY_SUSPEND, MT_KIND_PY_RESUME,  MT_KIND_C_BEGIN,  MT_KIND_C_END,
        MT_KIND_C_BEGIN,  MT_KIND_C_END_EXC,  MT_KIND_PY_END_EXC, MT_KIND_PY_BEGIN, MT_KIND_PY_END,
    };
    enum { N = sizeof kinds / sizeof kinds[0] };
    uint64_t before[N], after[N];
    struct lab_set set;
    lab_start();
    CHECK(mt_core_ready(MT_KIND_PY_BEGIN));
    uint32_t ids[2] = {define("f"), mt_core_define_cfunc("m", 1, "g", 1)};
    for (int i = 0; i < N; i++) {
        before[i] = mt__now();
        mt_emit(mt__slot, kinds[i], ids[i % 2]);
        after[i] = mt__now();
    }
    mt_emit(mt__slot, MT_KIND_PY_BEGIN, MT_ID_UNKNOWN);
    /* Live: nothing had to be flushed, or ended. */
    for (int stopped = 0; stopped < 2; stopped++) {
        struct scan *s = load(&set);
        CHECK_EQ(s->n_threads, 1);
        CHECK_EQ(s->threads[0].tid, gettid());
        CHECK_EQ(s->threads[0].n_records, N + 1);
        CHECK_EQ(s->threads[0].n_marks, 0); /* a beginning needs no words */
        for (int i = 0; i < N; i++) {
            struct scan_record *r = &s->threads[0].records[i];
            CHECK_EQ(r->kind, kinds[i]);
            CHECK_EQ(r->id, ids[i % 2]);
            CHECK(r->tick >= before[i] && r->tick <= after[i]);
        }
        CHECK_EQ(s->threads[0].records[N].id, MT_ID_UNKNOWN);
        CHECK_EQ(s->header.n_lost, 0);
        CHECK_EQ(s->header.flags & MT_FLAG_STOPPED, stopped);
        CHECK(!stopped || s->header.end_tick >= after[N - 1]);
        lab_unload(&set);
        mt_core_stop(true);
    }
}

/* A chunk is full when only the room for a loss is left: (4096 - 64) / 8 - 4 records. */
LAB(test_the_edge_of_a_chunk)
{
    enum { FIRST = 500 };
    struct lab_set set;
    uint64_t done;
    struct lab_writer w;
    lab_writer_init(&w, 'E', 0, &done);
    lab_start();
    for (uint32_t extra = 0; extra < 3; extra++) {
        struct lab_tally tally;
        lab_write(&w, extra == 0 ? FIRST : 1);
        struct scan *s = load(&set);
        lab_follow(&set, (uint32_t)getpid(), 'E', 0, &tally);
        CHECK_EQ(tally.recorded, FIRST + extra);
        CHECK_EQ(s->threads[0].n_chunks, extra == 0 ? 1 : 2);
        lab_unload(&set);
    }
}

LAB(test_a_million_events)
{
    enum { N = 1000000 };
    struct lab_set set;
    struct lab_tally tally;
    struct lab_writer w;
    lab_writer_init(&w, 'M', 7, NULL);
    lab_start();
    uint64_t start = mt__now();
    lab_write(&w, N);
    uint64_t end = mt__now();
    struct scan *s = load(&set);
    lab_follow(&set, (uint32_t)getpid(), 'M', 7, &tally);
    CHECK_EQ(tally.recorded, N);
    CHECK_EQ(tally.lost, 0);
    CHECK_EQ(s->threads[0].n_marks, 0);
    /* 4, 16, 64, 256, 256, ... KiB: small threads stay small, and eight bytes are one event. */
    CHECK(s->threads[0].chunk_bytes >= N * 8 && s->threads[0].chunk_bytes < N * 8 + (600 << 10));
    CHECK(s->threads[0].n_chunks < 3 + N * 8 / MT_CHUNK_LARGEST_BYTES + 2);
    CHECK_EQ(s->threads[0].last_chunk % MT_CHUNK_LARGEST_BYTES, 0);
    CHECK(s->threads[0].records[0].tick >= start && s->threads[0].tick <= end);
    CHECK(s->end - s->threads[0].chunk_bytes < 64 << 10); /* header and definitions */
    lab_unload(&set);
}

/* More than 32 bits of ticks between two events. */
static void long_gaps(enum mt_clock clock)
{
    enum { N = 600 };
    struct lab_set set;
    struct lab_tally tally;
    struct lab_writer w;
    uint64_t at[N];
    lab_writer_init(&w, 'G', 0, NULL);
    for (int i = 0; i < N; i++) {
        at[i] = mt__now();
        lab_write(&w, 1);
        mt__slot->last -= (UINT64_C(1) << 33) + (uint64_t)i; /* as if it were that long ago */
    }
    struct scan *s = load(&set);
    CHECK_EQ(s->header.clock, clock);
    lab_follow(&set, (uint32_t)getpid(), 'G', 0, &tally);
    CHECK_EQ(tally.recorded, N);
    /* At a chunk's beginning, an absolute time stands anyway. */
    CHECK_EQ(s->threads[0].n_gaps + s->threads[0].n_chunks, N);
    for (int i = 0; i + 1 < N; i++) {
        uint64_t tick = s->threads[0].records[i].tick;
        CHECK(tick >= at[i] && tick <= at[i + 1]);
    }
    lab_unload(&set);
}

LAB(test_long_gaps)
{
    lab_start();
    long_gaps(mt__kept.clock);
}

LAB(test_long_gaps_without_a_counter)
{
    char path[sizeof lab_dir + 64];
    lab_start();
    CHECK(strlen(mt_core_path()) < sizeof path);
    strcpy(path, mt_core_path());
    mt_core_stop(true);
    CHECK_EQ(unlink(path), 0);
    mt__kept.clock = MT_CLOCK_MONOTONIC; /* chosen once per process */
    lab_start();
    long_gaps(MT_CLOCK_MONOTONIC);
}

/* A counter that goes back (a virtual machine that was moved): time stands still for a while. */
LAB(test_time_never_goes_back)
{
    enum { N = 2000 };
    struct lab_set set;
    struct lab_tally tally;
    struct lab_writer w;
    lab_writer_init(&w, 'B', 0, NULL);
    lab_start();
    for (int i = 0; i < N; i++) {
        lab_write(&w, 1);
        if (i % 10 == 0)
            mt__slot->last += 100000;
    }
    lab_write(&w, N);
    load(&set);
    lab_follow(&set, (uint32_t)getpid(), 'B', 0, &tally);
    CHECK_EQ(tally.recorded, 2 * N);
    lab_unload(&set);
}

LAB(test_stop_and_start_again)
{
    enum { ROUNDS = 5, N = 3000 };
    struct lab_set set;
    struct lab_writer w;
    struct mt_core_config config = lab_config();
    uint64_t done = 0;
    uint32_t id = 0;
    uint8_t none[16] = {0}, file_id[16];
    int error;
    lab_writer_init(&w, 'S', 0, &done);
    lab_write(&w, 10); /* before the first start: into nothing */
    for (int round = 0; round < ROUNDS; round++) {
        CHECK(!mt_core_recording());
        CHECK_STR(mt_core_path(), "");
        CHECK_EQ(define("f"), MT_ID_UNKNOWN);
        CHECK(!mt_core_ready(MT_KIND_PY_BEGIN));
        CHECK(!mt_id_valid(mt__slot, id)); /* of a former file */
        w.n = 0;
        lab_start();
        CHECK(mt_core_recording());
        CHECK_EQ(mt_core_start(&config, &error), MT_STATE);
        lab_write(&w, N);
        id = w.ids[0];
        CHECK(mt_id_valid(mt__slot, id));
        mt_core_file_id(file_id);
        CHECK(memcmp(file_id, none, 16) != 0);
        mt_core_stop(true);
        mt_core_stop(true);
        mt_core_file_id(file_id);
        CHECK(memcmp(file_id, none, 16) == 0);
        lab_write(&w, 100);
        mt_emit(mt__slot, MT_KIND_PY_BEGIN, id);
    }
    lab_load(&set, lab_dir, NULL);
    CHECK_EQ(set.n, ROUNDS);
    for (uint32_t i = 0; i < set.n; i++) {
        struct lab_set one = {.files = &set.files[i], .n = 1};
        struct lab_tally tally;
        lab_follow(&one, (uint32_t)getpid(), 'S', 0, &tally);
        CHECK_EQ(tally.recorded, N);
        CHECK_EQ(set.files[i].header.part, 0);
        CHECK(set.files[i].header.flags & MT_FLAG_STOPPED);
        CHECK(i == 0 || set.files[i].header.image > set.files[i - 1].header.image);
        CHECK(i == 0 ||
              memcmp(set.files[i].header.file_id, set.files[i - 1].header.file_id, 16) != 0);
    }
    lab_unload(&set);
}

LAB(test_start_says_why_it_cannot)
{
    static char longest[5000];
    struct mt_core_config config = lab_config();
    char path[sizeof lab_dir + 8];
    int error;
    errno = ENOTTY;
    config.directory = "relative";
    CHECK_EQ(mt_core_start(&config, &error), MT_USAGE);
    config.directory = NULL;
    CHECK_EQ(mt_core_start(&config, &error), MT_USAGE);
    memset(longest, 'x', sizeof longest - 1);
    longest[0] = '/';
    config.directory = longest;
    CHECK_EQ(mt_core_start(&config, &error), MT_USAGE);
    longest[4090] = '\0'; /* fits, but not with a file's name behind it */
    CHECK_EQ(mt_core_start(&config, &error), MT_USAGE);
    snprintf(path, sizeof path, "%s/none", lab_dir);
    config.directory = path;
    CHECK_EQ(mt_core_start(&config, &error), MT_GONE);
    CHECK_EQ(error, ENOENT);
    CHECK_EQ(errno, ENOTTY);
    CHECK(!mt_core_recording());
    CHECK_STR(mt_core_path(), "");
    CHECK(!mt_core_ready(MT_KIND_PY_BEGIN));
    lab_start(); /* and then it can */
    CHECK_EQ(lab_count_files(lab_dir), 1);
}

/* Chunks, definitions, gaps, losses: nothing changes errno. */
LAB(test_errno_is_kept)
{
    struct lab_writer w;
    char path[sizeof lab_dir + 8];
    lab_writer_init(&w, 'N', 0, NULL);
    errno = ENOTTY;
    lab_start();
    lab_write(&w, 1);
    w.renew = true;
    for (int i = 0; i < 5000; i++) {
        lab_write(&w, 1);
        CHECK_EQ(errno, ENOTTY);
        if (i % 100 == 0)
            mt__slot->last -= UINT64_C(1) << 33;
    }
    mt_core_name_process("p", 1);
    mt_core_name_thread((uint32_t)gettid(), "t", 1);
    mt_core_note(MT_NOTE_HOOK, "n");
    CHECK_EQ(errno, ENOTTY);
    snprintf(path, sizeof path, "%s-away", lab_dir);
    CHECK_EQ(rename(lab_dir, path), 0);
    errno = ENOTTY;
    lab_write(&w, 100000);
    CHECK_EQ(errno, ENOTTY);
    CHECK(mt__process->header->n_lost > 0);
    CHECK_EQ(rename(path, lab_dir), 0);
    errno = ENOTTY;
    mt_core_stop(true);
    CHECK_EQ(errno, ENOTTY);
}

static int lowest_free(void)
{
    int fd = open("/dev/null", O_RDONLY);
    CHECK(fd >= 0);
    close(fd);
    return fd;
}

/* No descriptor stays open, whatever happens. */
LAB(test_no_descriptor_is_held)
{
    struct lab_writer w;
    int lowest = lowest_free();
    lab_writer_init(&w, 'D', 0, NULL);
    w.renew = true;
    lab_start();
    lab_write(&w, 100000);
    CHECK_EQ(lowest_free(), lowest);
    mt_core_stop(true);
    CHECK_EQ(lowest_free(), lowest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_known_sequence),
        cmocka_unit_test(test_the_edge_of_a_chunk),
        cmocka_unit_test(test_a_million_events),
        cmocka_unit_test(test_long_gaps),
        cmocka_unit_test(test_long_gaps_without_a_counter),
        cmocka_unit_test(test_time_never_goes_back),
        cmocka_unit_test(test_stop_and_start_again),
        cmocka_unit_test(test_start_says_why_it_cannot),
        cmocka_unit_test(test_errno_is_kept),
        cmocka_unit_test(test_no_descriptor_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
