/* test_files.c - the file itself: its name, its mode, what stands in its header; and what else may
 * lie under the name that it would have.
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
#include <sys/utsname.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/state.h"
#include "lab.h"

/* DIR/PROGRAM.PID.trace; with `number` > 1, DIR/PROGRAM.PID.NUMBER.trace. */
static const char *expected(const char *program, int number)
{
    static char path[500];
    if (number > 1)
        snprintf(path, sizeof path, "%s/%s.%d.%d.trace", lab_dir, program, (int)getpid(), number);
    else
        snprintf(path, sizeof path, "%s/%s.%d.trace", lab_dir, program, (int)getpid());
    return path;
}

static void start_as(const char *program)
{
    struct mt_core_config config = lab_config();
    int error;
    config.program = program;
    CHECK_EQ(mt_core_start(&config, &error), MT_OK);
}

static void write_some(uint64_t n)
{
    static struct lab_writer w;
    if (w.tag == 0)
        lab_writer_init(&w, 'F', 0, NULL);
    w.n = 0;
    lab_write(&w, n);
}

static void put_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void check_file(const char *path, const char *text)
{
    char got[100] = "";
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && read(fd, got, sizeof got - 1) >= 0);
    close(fd);
    CHECK_STR(got, text);
}

LAB(test_the_programs_name)
{
    static const char *const names[][2] = {
        {"server.py", "server.py"},
        {"a b/c\\d\n\t*?:<>|\"'$`~#&;()[]{}!%@=,^", "a_b_c_d____________________________"},
        {"../../etc/passwd", "_._.._etc_passwd"},
        {".hidden", "_hidden"},
        {"..", "_."},
        {"-rf", "-rf"},
        {"", "_"},
        {NULL, "_"},
        {"K\xc3\xa4se\xff", "K__se_"},
        {"A-Z_a+z0.9", "A-Z_a+z0.9"},
    };
    struct lab_set set;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        start_as(names[i][0]);
        CHECK_STR(mt_core_path(), expected(names[i][1], 1 + (i == 7)));
        CHECK_STR(mt__process->header->program, names[i][1]);
        mt_core_stop(true);
    }
    char longest[300];
    memset(longest, 'n', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    start_as(longest);
    longest[MT_PROGRAM_BYTES - 1] = '\0';
    CHECK_STR(mt_core_path(), expected(longest, 1));
    mt_core_stop(true);
    lab_load(&set, lab_dir, NULL);
    CHECK_EQ(set.n, sizeof names / sizeof names[0] + 1);
    lab_unload(&set);
}

LAB(test_taken_names_get_numbers)
{
    struct lab_set set;
    put_file(expected("lab", 1), "mine");
    put_file(expected("lab", 2), "mine, too");
    CHECK_EQ(mkdir(expected("lab", 3), 0700), 0);
    start_as("lab");
    write_some(3000);
    CHECK_STR(mt_core_path(), expected("lab", 4));
    mt_core_stop(true);
    start_as("lab");
    CHECK_STR(mt_core_path(), expected("lab", 5));
    check_file(expected("lab", 1), "mine");
    check_file(expected("lab", 2), "mine, too");
    CHECK_EQ(unlink(expected("lab", 1)), 0);
    CHECK_EQ(unlink(expected("lab", 2)), 0);
    CHECK_EQ(rmdir(expected("lab", 3)), 0);
    lab_load(&set, lab_dir, NULL);
    CHECK_EQ(set.n, 2);
    CHECK_EQ(set.files[0].threads[0].n_records, 3000);
    lab_unload(&set);
}

/* Whoever can write to the directory may have put something under the name that is to come. */
LAB(test_what_is_planted_is_not_followed)
{
    char victim[100], nowhere[100];
    struct stat st;
    snprintf(victim, sizeof victim, "%s/victim", lab_dir);
    snprintf(nowhere, sizeof nowhere, "%s/nowhere", lab_dir);
    put_file(victim, "precious");
    CHECK_EQ(symlink(victim, expected("lab", 1)), 0);
    CHECK_EQ(symlink(nowhere, expected("lab", 2)), 0);
    CHECK_EQ(mkfifo(expected("lab", 3), 0600), 0);
    CHECK_EQ(link(victim, expected("lab", 4)), 0);
    start_as("lab");
    write_some(100000);
    CHECK_STR(mt_core_path(), expected("lab", 5));
    check_file(victim, "precious");
    CHECK_EQ(lstat(nowhere, &st), -1);
    CHECK_EQ(lstat(expected("lab", 1), &st), 0);
    CHECK(S_ISLNK(st.st_mode));
}

/* A link, a FIFO or another file in place of the file that is being written to: it goes on in a
 * new one, and what was put there stays as it was. */
LAB(test_what_is_put_in_its_place)
{
    char victim[100];
    struct lab_set set;
    struct lab_tally tally;
    struct lab_writer w;
    snprintf(victim, sizeof victim, "%s/victim", lab_dir);
    put_file(victim, "precious");
    lab_writer_init(&w, 'F', 0, NULL);
    start_as("lab");
    lab_write(&w, 10000);
    for (int i = 1; i <= 3; i++) {
        char aside[100], path[500];
        snprintf(aside, sizeof aside, "%s/aside%d.trace", lab_dir, i);
        strcpy(path, mt_core_path());
        CHECK_STR(path, expected("lab", i));
        CHECK_EQ(rename(path, aside), 0);
        CHECK_EQ(i == 1   ? symlink(victim, path)
                 : i == 2 ? mkfifo(path, 0600)
                          : link(victim, path),
                 0);
        lab_write(&w, 200000);
    }
    CHECK_STR(mt_core_path(), expected("lab", 4));
    check_file(victim, "precious");
    for (int i = 1; i <= 3; i++)
        CHECK_EQ(unlink(expected("lab", i)), 0);
    lab_load(&set, lab_dir, NULL);
    CHECK_EQ(set.n, 4);
    lab_follow(&set, (uint32_t)getpid(), 'F', 0, &tally);
    CHECK_EQ(tally.recorded, 610000);
    CHECK_EQ(tally.resyncs[MT_RESYNC_FILE], 3);
    lab_unload(&set);
}

LAB(test_nobody_else_may_read_it)
{
    static const mode_t masks[] = {0, 022, 077, 0777};
    struct stat st;
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        umask(masks[i]);
        start_as("lab");
        write_some(1000);
        CHECK_EQ(stat(mt_core_path(), &st), 0);
        CHECK_EQ(st.st_mode, S_IFREG | 0600); /* it is opened again whenever it grows */
        CHECK_EQ(st.st_uid, geteuid());
        mt_core_stop(true);
    }
}

enum room_round {
    NO_SPACE_FOR_ROOM,
    ROOM,
    ROOM_TOO_SMALL, /* for the first definition */
    ROOM_ROUNDS
};

_Noreturn static void in_round(enum room_round round)
{
    static char text[MT_TEXT_MAX_BYTES];
    struct lab_writer w;
    struct stat st;
    memset(text, 'x', sizeof text);
    lab_limit(round == NO_SPACE_FOR_ROOM ? MT_FILE_HEADER_BYTES : RLIM_INFINITY);
    lab_start();
    CHECK(stat(mt_core_path(), &st) == 0);
    CHECK_EQ(st.st_size,
             MT_FILE_HEADER_BYTES + (round == NO_SPACE_FOR_ROOM ? 0 : MT_ROOM_FIRST_BYTES));
    lab_limit(RLIM_INFINITY);
    if (round == ROOM_TOO_SMALL)
        CHECK(mt_core_define_cfunc("m", 1, text, sizeof text) != MT_ID_UNKNOWN);
    lab_writer_init(&w, 'R', round, NULL);
    lab_write(&w, 10000);
    _exit(0);
}

/* A file is made with room for the first chunks, where there is space for it. */
LAB(test_room)
{
    struct lab_tally tally;
    struct lab_set set;
    pid_t pids[ROOM_ROUNDS];
    for (uint32_t round = 0; round < ROOM_ROUNDS; round++) {
        pids[round] = fork();
        if (pids[round] == 0)
            in_round(round);
        lab_join(pids[round]);
    }
    lab_load(&set, lab_dir, NULL);
    CHECK_EQ(set.n, ROOM_ROUNDS);
    for (uint32_t round = 0; round < ROOM_ROUNDS; round++) {
        CHECK_EQ(set.files[round].header.n_lost, 0);
        lab_follow(&set, (uint32_t)pids[round], 'R', round, &tally);
        CHECK_EQ(tally.recorded, 10000);
    }
    lab_unload(&set);
}

LAB(test_the_header)
{
    struct mt_core_config config = lab_config();
    struct lab_set set;
    struct utsname name;
    struct stat st;
    char boot[40] = "", text[40] = "";
    int error;
    memset(config.run_id, 0x5a, 16);
    memset(config.parent_id, 0xa5, 16);
    config.origin = MT_ORIGIN_BOOT;
    config.engine = MT_ENGINE_SETPROFILE;
    config.options = MT_OPTION_C_FUNCTIONS;
    config.python_version = 0x030c01f0;
    config.executable = "/usr/bin/python3";
    CHECK_EQ(mt_core_start(&config, &error), MT_OK);
    uint8_t file_id[16];
    mt_core_file_id(file_id);
    mt_core_stop(true);
    lab_load(&set, lab_dir, NULL);
    CHECK_EQ(set.n, 1);
    struct mt_file_header *h = &set.files[0].header;
    CHECK_EQ(h->pid, getpid());
    CHECK_EQ(h->ppid, getppid());
    CHECK_EQ(h->uid, geteuid());
    CHECK_EQ(h->start_time, lab_start_time());
    CHECK(h->parent_start_time != 0 && h->parent_start_time <= h->start_time);
    CHECK(stat("/proc/self/ns/pid", &st) == 0 && h->pid_ns == st.st_ino);
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
    CHECK(f != NULL && fgets(boot, sizeof boot, f) != NULL);
    fclose(f);
    for (int i = 0, at = 0; i < 16; i++) {
        at += i == 4 || i == 6 || i == 8 || i == 10;
        at += snprintf(text + at, sizeof text - (size_t)at, "%02x", h->boot_id[i]);
        text[at] = '-';
    }
    CHECK(strncmp(boot, text, 36) == 0);
    CHECK(uname(&name) == 0 && strncmp(h->host, name.nodename, MT_HOST_BYTES - 1) == 0);
    CHECK(memcmp(h->file_id, file_id, 16) == 0);
    CHECK(memcmp(h->run_id, config.run_id, 16) == 0);
    CHECK(memcmp(h->parent_id, config.parent_id, 16) == 0);
    CHECK_EQ(h->origin, MT_ORIGIN_BOOT);
    CHECK_EQ(h->engine, MT_ENGINE_SETPROFILE);
    CHECK_EQ(h->options, MT_OPTION_C_FUNCTIONS);
    CHECK_EQ(h->python_version, 0x030c01f0);
    CHECK_STR(h->executable, "/usr/bin/python3");
    CHECK_STR(h->program, "lab");
    CHECK_EQ(h->parent_tid | h->fork_tick | h->part | h->n_lost | h->loss_reason, 0);
    /* The estimate of the clock's speed, against the two readings that the file has. */
    CHECK(h->tick_hz > 1000000 && h->tick_hz < UINT64_C(20000000000));
    CHECK(h->end_tick >= h->pair.tick);
    lab_unload(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_programs_name),
        cmocka_unit_test(test_taken_names_get_numbers),
        cmocka_unit_test(test_what_is_planted_is_not_followed),
        cmocka_unit_test(test_what_is_put_in_its_place),
        cmocka_unit_test(test_nobody_else_may_read_it),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_the_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
