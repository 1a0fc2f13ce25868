/* test_names.c - what ids, threads and the process are called: every definition as it was given,
 * once, before its use; a cache of strings that stays right when it is too small; texts that are
 * too long; ids that run out.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/state.h"
#include "lab.h"

static uint32_t code(const char *name, const char *file, uint32_t line, uint32_t flags)
{
    return mt_core_define_code(name, strlen(name), file, strlen(file), line, flags);
}

static uint32_t cfunc(const char *owner, const char *name)
{
    return mt_core_define_cfunc(owner, strlen(owner), name, strlen(name));
}

static void begin(uint32_t id)
{
    mt_emit(mt__slot, MT_KIND_PY_BEGIN, id);
}

static struct scan *load(struct lab_set *set)
{
    lab_load(set, lab_dir, NULL);
    CHECK_EQ(set->n, 1);
    return &set->files[0];
}

static void start(void)
{
    lab_start();
    CHECK(mt_core_ready(MT_KIND_PY_BEGIN));
}

static bool is_code(const struct scan *s, uint32_t id, const char *name, const char *file)
{
    const struct scan_def *def = scan_function(s, id);
    if (!scan_is(def, name) || def->type != MT_DEF_CODE)
        return false;
    return *file == '\0' ? def->file_id == 0 : scan_is(scan_string(s, def->file_id), file);
}

LAB(test_functions)
{
    struct lab_set set;
    start();
    uint32_t f = code("Käse.<locals>.f", "/a/b.py", 77, 0x43);
    uint32_t g = code("g", "/a/b.py", UINT32_MAX, UINT32_MAX);
    uint32_t h = code("", "", 0, 0);
    uint32_t c = cfunc("builtins", "len"), d = cfunc("", "x"), e = cfunc("dict", "");
    CHECK(f > 0 && g > f && h > g && c > h && d > c && e > d && e < MT_ID_UNKNOWN);
    struct scan *s = load(&set);
    CHECK_EQ(s->n_defs, 7); /* with one string */
    CHECK(is_code(s, f, "Käse.<locals>.f", "/a/b.py"));
    CHECK_EQ(scan_function(s, f)->first_line, 77);
    CHECK_EQ(scan_function(s, f)->flags, 0x43);
    CHECK(is_code(s, g, "g", "/a/b.py"));
    CHECK_EQ(scan_function(s, g)->first_line, UINT32_MAX);
    CHECK(is_code(s, h, "", ""));
    CHECK(scan_is(scan_function(s, c), "len") && scan_function(s, c)->type == MT_DEF_CFUNC);
    CHECK_EQ(scan_function(s, c)->n_owner, 8);
    CHECK(memcmp(scan_function(s, c)->owner, "builtins", 8) == 0);
    CHECK(scan_is(scan_function(s, d), "x") && scan_function(s, d)->n_owner == 0);
    CHECK(scan_is(scan_function(s, e), "") && scan_function(s, e)->n_owner == 4);
    CHECK_EQ(s->n_threads, 0); /* names are no events */
    lab_unload(&set);
}

LAB(test_threads_and_the_process)
{
    struct lab_set set;
    uint32_t tid = (uint32_t)gettid();
    lab_start();
    CHECK(!mt_core_name_thread(tid, "early", 5)); /* it has no track yet */
    CHECK_EQ(mt_core_tid(), 0);
    CHECK(mt_core_ready(MT_KIND_PY_BEGIN));
    CHECK_EQ(mt_core_tid(), tid);
    uint64_t before = mt__now();
    CHECK(mt_core_name_thread(tid, "Main", 4));
    CHECK(mt_core_name_thread(tid, "Main", 4)); /* nothing new */
    CHECK(mt_core_name_thread(tid, "Renamed", 7));
    CHECK(mt_core_name_thread(tid, "Main", 4));
    CHECK(!mt_core_name_thread(1, "init", 4));
    mt_core_name_process("server", 6);
    mt_core_note(MT_NOTE_ENGINE, "because");
    mt_core_displaced();
    mt_core_displaced();
    struct scan *s = load(&set);
    CHECK_EQ(s->n_defs, 5);
    static const char *const names[] = {"Main", "Renamed", "Main", "server", "because"};
    for (uint32_t i = 0; i < 5; i++) {
        uint64_t tick;
        memcpy(&tick, s->defs[i].text - 16, 8);
        CHECK(scan_is(&s->defs[i], names[i]));
        CHECK_EQ(s->defs[i].type, i < 3 ? MT_DEF_THREAD : i == 3 ? MT_DEF_PROCESS : MT_DEF_NOTE);
        CHECK_EQ(s->defs[i].id, i < 3 ? 1 : i == 3 ? 0 : MT_NOTE_ENGINE);
        CHECK_EQ(s->defs[i].tid, i < 3 ? tid : 0);
        CHECK(tick >= before && tick <= mt__now());
    }
    CHECK_EQ(s->header.n_displaced, 2);
    lab_unload(&set);
}

/* The thread that forks has its name in the child, too, if that is short enough to be kept. */
LAB(test_a_name_in_the_child)
{
    static const char name[] = "a name of forty-five letters, one too many..x";
    struct lab_set set;
    lab_start();
    CHECK(mt_core_ready(MT_KIND_PY_BEGIN));
    CHECK(!mt_core_inherit_name()); /* there is none yet */
    for (uint32_t n = 44; n <= 45; n++) {
        CHECK(mt_core_name_thread(mt_core_tid(), name, n));
        CHECK_EQ(mt_core_inherit_name(), n == 44); /* and nothing new */
        pid_t pid = fork();
        if (pid == 0) {
            CHECK(mt_core_ready(MT_KIND_PY_BEGIN));
            for (int i = 0; i < 2; i++)
                CHECK_EQ(mt_core_inherit_name(), n == 44);
            _exit(0);
        }
        lab_join(pid);
    }
    mt_core_stop(true);
    lab_load(&set, lab_dir, NULL);
    CHECK_EQ(set.n, 3);
    uint32_t named = 0;
    for (uint32_t i = 0; i < 3; i++) {
        struct scan *s = &set.files[i];
        if (s->header.origin != MT_ORIGIN_FORK || s->n_defs == 0)
            continue;
        named++;
        CHECK_EQ(s->n_defs, 1);
        CHECK(s->defs[0].n_text == 44 && memcmp(s->defs[0].text, name, 44) == 0);
        CHECK_EQ(s->defs[0].tid, s->header.pid);
    }
    CHECK_EQ(named, 1);
    lab_unload(&set);
}

/* More files than the cache of strings has room for, in an order that keeps pushing them out. */
LAB(test_the_cache_of_strings)
{
    enum { FILES = 3 * MT_STRING_ENTRIES, N = 4 * FILES };
    struct lab_set set;
    char name[32], file[64];
    static uint32_t ids[N];
    uint64_t seed = 1;
    start();
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "f%d", i);
        snprintf(file, sizeof file, "/usr/lib/python/module_%u.py", lab_random(&seed) % FILES);
        ids[i] = code(name, file, (uint32_t)i, 0);
    }
    for (int i = 0; i < 100; i++)
        code("again", "/the/same.py", 1, 0);
    struct scan *s = load(&set);
    seed = 1;
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "f%d", i);
        snprintf(file, sizeof file, "/usr/lib/python/module_%u.py", lab_random(&seed) % FILES);
        CHECK(is_code(s, ids[i], name, file));
    }
    CHECK(s->n_defs > N + 100 + FILES / 2); /* some twice, few never ... */
    CHECK(s->n_defs < 2 * N);               /* ... and the cache is of use */
    uint32_t same = 0;
    for (uint32_t i = 0; i < s->n_defs; i++)
        same += scan_is(&s->defs[i], "/the/same.py");
    CHECK_EQ(same, 1);
    lab_unload(&set);
}

LAB(test_a_hundred_thousand_definitions)
{
    enum { N = 100000 };
    struct lab_set set;
    char name[64];
    uint32_t first = 0;
    start();
    for (uint32_t i = 0; i < N; i++) {
        snprintf(name, sizeof name, "function_%.*s%u", (int)(i % 23), "xxxxxxxxxxxxxxxxxxxxxxxx",
                 i);
        uint32_t id = i % 3 == 0 ? cfunc("m", name) : code(name, i % 2 ? "a.py" : "b.py", i, i);
        if (i == 0)
            first = id;
        CHECK_EQ(id, first + i);
        begin(id);
    }
    struct scan *s = load(&set);
    CHECK_EQ(s->threads[0].n_records, N);
    for (uint32_t i = 0; i < N; i++) {
        snprintf(name, sizeof name, "function_%.*s%u", (int)(i % 23), "xxxxxxxxxxxxxxxxxxxxxxxx",
                 i);
        CHECK_EQ(s->threads[0].records[i].id, first + i);
        CHECK(scan_is(scan_function(s, first + i), name));
    }
    lab_unload(&set);
}

/* Cut at a character's start, so that no reader meets half a character. */
LAB(test_long_texts)
{
    enum { BIG = 3 * MT_TEXT_MAX_BYTES };
    static char text[BIG];
    static const char *const characters[] = {"x", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    struct lab_set set;
    uint32_t ids[4][4], exact, nul;
    start();
    for (uint32_t c = 0; c < 4; c++) {
        for (uint32_t shift = 0; shift < 4; shift++) {
            size_t n = shift, width = strlen(characters[c]);
            memset(text, '-', shift);
            for (; n + width <= BIG; n += width)
                memcpy(text + n, characters[c], width);
            ids[c][shift] = shift % 2 == 0 ? mt_core_define_code(text, n, text, n, 1, 0)
                                           : mt_core_define_cfunc(text, n, text, n);
            begin(ids[c][shift]);
        }
    }
    memset(text, 'y', BIG);
    exact = mt_core_define_code(text, MT_TEXT_MAX_BYTES, "", 0, 1, 0);
    nul = mt_core_define_code("a\0b", 3, "c\0d", 3, 1, 0);
    mt_core_name_process(text, BIG);
    struct scan *s = load(&set);
    for (uint32_t c = 0; c < 4; c++) {
        for (uint32_t shift = 0; shift < 4; shift++) {
            const struct scan_def *def = scan_function(s, ids[c][shift]);
            uint32_t width = c + 1, n = (MT_TEXT_MAX_BYTES - shift) / width * width + shift;
            CHECK_EQ(def->n_text, n);
            CHECK(memcmp(def->text + n - width, characters[c], width) == 0);
            CHECK_EQ(shift % 2 == 0 ? scan_string(s, def->file_id)->n_text : def->n_owner, n);
        }
    }
    CHECK_EQ(scan_function(s, exact)->n_text, MT_TEXT_MAX_BYTES);
    CHECK(is_code(s, nul, "a", "c"));
    CHECK_EQ(scan_last(s, MT_DEF_PROCESS, 0)->n_text, MT_TEXT_MAX_BYTES);
    lab_unload(&set);
}

/* An id never means two things in a process, so a program that makes functions for ever can use
 * them up. It goes on, with a function whose name nobody knows. */
LAB(test_ids_run_out)
{
    enum { LEFT = 5 };
    struct lab_set set;
    char name[16];
    lab_start();
    mt_core_stop(true);
    mt__kept.next_id = MT_ID_UNKNOWN - LEFT;
    start();
    for (uint32_t i = 0; i < 2 * LEFT; i++) {
        snprintf(name, sizeof name, "f%u", i);
        uint32_t id = i % 2 == 0 ? code(name, "a.py", 1, 0) : cfunc("m", name);
        CHECK_EQ(id, i < LEFT ? MT_ID_UNKNOWN - LEFT + i : MT_ID_UNKNOWN);
        CHECK_EQ(mt_id_valid(mt__slot, id), i < LEFT);
        begin(id);
    }
    mt_core_stop(true);
    start(); /* and not even one is left */
    CHECK_EQ(code("f", "a.py", 1, 0), MT_ID_UNKNOWN);
    begin(MT_ID_UNKNOWN);
    lab_load(&set, lab_dir, NULL);
    CHECK_EQ(set.n, 3);
    struct scan *s = &set.files[1];
    CHECK_EQ(s->threads[0].n_records, 2 * LEFT);
    for (uint32_t i = 0; i < LEFT; i++) {
        snprintf(name, sizeof name, "f%u", i);
        CHECK(scan_is(scan_function(s, s->threads[0].records[i].id), name));
        CHECK_EQ(s->threads[0].records[LEFT + i].id, MT_ID_UNKNOWN);
    }
    CHECK_EQ(s->header.loss_reason, MT_LOSS_IDS);
    CHECK_EQ(set.files[2].threads[0].n_records, 1);
    CHECK_EQ(set.files[2].header.loss_reason, MT_LOSS_IDS);
    lab_unload(&set);
}

/* Eight threads name functions at once: no id twice, none before its definition. */
static void *definer(void *argument)
{
    uint32_t index = *(uint32_t *)argument;
    char name[32], file[32];
    for (uint32_t i = 0; i < 5000; i++) {
        int n = snprintf(name, sizeof name, "t%u.%u", index, i);
        snprintf(file, sizeof file, "t%u.py", i % 7);
        CHECK(mt_core_ready(MT_KIND_PY_BEGIN));
        begin(mt_core_define_code(name, (size_t)n, file, strlen(file), i, index));
    }
    return NULL;
}

LAB(test_many_threads_define)
{
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    uint32_t index[THREADS];
    struct lab_set set;
    char name[32];
    lab_start();
    for (uint32_t i = 0; i < THREADS; i++) {
        index[i] = i;
        CHECK_EQ(pthread_create(&threads[i], NULL, definer, &index[i]), 0);
    }
    for (uint32_t i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    struct scan *s = load(&set);
    CHECK_EQ(s->n_threads, THREADS);
    for (uint32_t t = 0; t < THREADS; t++) {
        CHECK_EQ(s->threads[t].n_records, 5000);
        uint32_t who = scan_function(s, s->threads[t].records[0].id)->flags;
        for (uint32_t i = 0; i < 5000; i++) {
            snprintf(name, sizeof name, "t%u.%u", who, i);
            CHECK(scan_is(scan_function(s, s->threads[t].records[i].id), name));
        }
    }
    lab_unload(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_functions),
        cmocka_unit_test(test_threads_and_the_process),
        cmocka_unit_test(test_a_name_in_the_child),
        cmocka_unit_test(test_the_cache_of_strings),
        cmocka_unit_test(test_a_hundred_thousand_definitions),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_ids_run_out),
        cmocka_unit_test(test_many_threads_define),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
