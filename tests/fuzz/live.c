/* live.c - a script's files as they grow under the live reader; see live.h.
 *
 * Tame: words appear one record after the other, as a recorder writes them. What was counted on the way
 * is then what a reader counts that comes when all is there. Wild: between two updates and within one,
 * files shrink, change, vanish, become others or no files at all; it is enough that nothing crashes.
 */
#include "live.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "mtrace/live.h"
#include "reader/parse.h"
#include "script_steps.h"
#include "verify.h"

#define N_UPDATES 6
#define MAX_STACK 64u
#define LOTS UINT64_C(1000000000)
#define START_NS UINT64_C(1000000000)

struct growing {
    const struct script *script;
    uint64_t random;
    bool wild;
    size_t at[SCRIPT_MAX_FILES]; /* so much of a file is there */
};

/* What a reader counted, of all updates and at the end. */
struct counted {
    uint64_t n_calls, depth;
    uint32_t n_threads, n_processes;
    bool complete, ended;
};

static uint64_t next_random(struct growing *growing)
{
    growing->random = mt_hash_u64(growing->random + UINT64_C(0x9e3779b97f4a7c15));
    return growing->random;
}

/* ------------------------------------------------------------------------------------- the files */

static char directory[64];

static void remove_directory(void)
{
    rmdir(directory);
}

static void make_directory(void)
{
    const char *top = getenv("TEST_TMPDIR");
    if (*directory)
        return;
    if (!access("/dev/shm", W_OK))
        top = "/dev/shm"; /* memory: no disk would bear what a fuzzer writes */
    else if (!top || strlen(top) > 40)
        top = "/tmp";
    snprintf(directory, sizeof directory, "%s/mtrace-fuzz-XXXXXX", top);
    REQUIRE(mkdtemp(directory));
    atexit(remove_directory);
}

static void path_of(const struct script_file *file, char path[96])
{
    snprintf(path, 96, "%s/%s", directory, file->name);
}

/* The first bytes of the file, and zeros up to the end of the page: a chunk in the making. */
static void show(const struct script_file *file, size_t n_bytes)
{
    char path[96];
    size_t end = (n_bytes + MT_PAGE_BYTES - 1) / MT_PAGE_BYTES * MT_PAGE_BYTES;
    path_of(file, path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0600);
    if (fd < 0) /* it is a directory now */
        return;
    if (!ftruncate(fd, (off_t)n_bytes)) {
        REQUIRE(pwrite(fd, file->data, n_bytes, 0) == (ssize_t)n_bytes);
        REQUIRE(!ftruncate(fd, (off_t)(end < file->n_bytes ? end : file->n_bytes)));
    }
    close(fd);
}

static void remove_files(const struct script *script)
{
    char path[96];
    for (size_t i = 0; i < script->n_files; i++) {
        path_of(&script->files[i], path);
        if (unlink(path))
            rmdir(path);
    }
}

/* ---- tame */

/* The end of the first record or definition behind `at` in the chunk's words from `from` on; 0: there
 * is no more. A payload is there before the head that vouches for it. */
static size_t next_word(const struct script_file *file, size_t from, size_t end, size_t at,
                        bool defs)
{
    for (uint64_t word; from + sizeof word <= end;) {
        memcpy(&word, file->data + from, sizeof word);
        from += 8 * (1 + (defs ? (size_t)(word >> 48) : mt__record_payload(word)));
        if (!word || from > end)
            break;
        if (from > at)
            return from;
    }
    return 0;
}

/* The moment after `at` of the file's making: a record more, or a chunk's header. */
static size_t next_end(const struct script_file *file, size_t at)
{
    struct mt_chunk_header header;
    size_t from = MT_FILE_HEADER_BYTES;
    while (from + sizeof header <= file->n_bytes) {
        size_t words = from + sizeof header;
        memcpy(&header, file->data + from, sizeof header);
        if (at < words)
            return words;
        size_t left = file->n_bytes - from;
        size_t end = from + (header.size_bytes < left ? header.size_bytes : left);
        size_t next = next_word(file, words, end, at, header.type == MT_CHUNK_DEFS);
        if (next)
            return next;
        if (!header.size_bytes || end == file->n_bytes)
            break;
        from = end;
    }
    return file->n_bytes;
}

static void grow(struct growing *growing, bool last)
{
    for (size_t i = 0; i < growing->script->n_files; i++) {
        const struct script_file *file = &growing->script->files[i];
        uint64_t n = next_random(growing) % 2 ? next_random(growing) % 8
                                              : next_random(growing) % 64;
        size_t *at = &growing->at[i];
        if (!*at)
            *at = file->n_bytes < MT_FILE_HEADER_BYTES ? file->n_bytes : MT_FILE_HEADER_BYTES;
        while (n-- > 0 && *at < file->n_bytes)
            *at = next_end(file, *at);
        *at = last ? file->n_bytes : *at;
        show(file, *at);
    }
}

/* ---- wild */

static void change(struct growing *growing)
{
    const struct script *script = growing->script;
    uint64_t random = next_random(growing);
    const struct script_file *file = &script->files[random % script->n_files];
    const struct script_file *other = &script->files[random / 16 % script->n_files];
    size_t at = (size_t)(random / 256 % (file->n_bytes + 1)), from = at;
    char path[96], other_path[96];
    path_of(file, path);
    path_of(other, other_path);
    switch (random >> 32 & 15) {
    case 0: unlink(path); break;
    case 1: rename(path, other_path); break;
    case 2: (void)!truncate(path, (off_t)at); break;
    case 3:
        unlink(path);
        mkdir(path, 0700);
        break;
    case 4:
        unlink(path);
        mkfifo(path, 0600);
        break;
    case 5: rmdir(path); break;
    case 6: (void)!truncate(path, (off_t)(at + ((uint64_t)1 << 30))); break; /* sparse */
    case 7: show(other, at < other->n_bytes ? at : other->n_bytes); break;
    case 8: { /* a page of another place */
        int fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
        at = at / MT_PAGE_BYTES * MT_PAGE_BYTES;
        from = (size_t)(random >> 40) % (other->n_bytes / MT_PAGE_BYTES + 1) * MT_PAGE_BYTES;
        if (fd < 0)
            break;
        if (from + MT_PAGE_BYTES <= other->n_bytes)
            (void)!pwrite(fd, other->data + from, MT_PAGE_BYTES, (off_t)at);
        close(fd);
        break;
    }
    default: show(file, at); break;
    }
}

/* Asked in the middle of an update, while files are open. */
static enum mt_live_state state_of(void *context, const struct mt_file_header *header)
{
    struct growing *growing = context;
    (void)header;
    if (!growing->wild)
        return MT_LIVE_RUNNING;
    if (next_random(growing) % 4 == 0)
        change(growing);
    return next_random(growing) % 8 ? MT_LIVE_RUNNING : MT_LIVE_ENDED;
}

/* ------------------------------------------------------------------------------------ the reader */

static void verify_text(const struct mt_text *text)
{
    REQUIRE(text->data && !text->data[text->n_bytes]);
}

static void verify_functions(struct mt_live *live, uint32_t process)
{
    const struct mt_live_function *rows;
    const struct mt_live_view *view = mt_live_view(live);
    size_t n;
    REQUIRE(mt_live_functions(live, process, &rows, &n) == MT_OK);
    for (size_t i = 0; i < n; i++) {
        if (rows[i].func != MT_NONE)
            verify_text(&view->funcs[rows[i].func].name);
        REQUIRE(rows[i].idle_ns <= rows[i].self_ns);
    }
}

static void count_view(struct mt_live *live, struct counted *counted)
{
    const struct mt_live_view *view = mt_live_view(live);
    counted->n_threads = view->n_threads;
    counted->n_processes = view->n_processes;
    counted->depth = 0;
    counted->complete = true;
    counted->ended = false;
    for (uint32_t i = 0; i < view->n_processes; i++) {
        verify_text(&view->processes[i].name);
        verify_text(&view->processes[i].host);
        verify_functions(live, i);
        counted->ended |= view->processes[i].state == MT_LIVE_ENDED;
    }
    verify_functions(live, MT_NONE);
    for (uint32_t i = 0; i < view->n_threads; i++) {
        const struct mt_live_thread *thread = &view->threads[i];
        uint32_t funcs[MAX_STACK], n = mt_live_stack(live, i, funcs, MAX_STACK);
        REQUIRE(thread->process < view->n_processes);
        REQUIRE(n == (thread->depth < MAX_STACK ? thread->depth : MAX_STACK));
        for (uint32_t k = 0; k < n; k++)
            verify_text(&view->funcs[funcs[k]].name);
        verify_text(&thread->name);
        counted->n_calls += thread->n_calls;
        counted->depth += thread->depth;
        counted->complete &= thread->complete;
    }
}

static struct mt_live *new_live(struct growing *growing, uint64_t n_words)
{
    struct mt_live_options options = {
        .directory = directory,
        .window_ns = 3000,
        .first_ns = UINT64_MAX,
        .n_words_max = n_words,
        .n_words_max_first = n_words,
        .n_words_calls = n_words,
        .state = state_of,
        .context = growing,
    };
    struct mt_live *live;
    REQUIRE(mt_live_new(&options, &live) == MT_OK);
    return live;
}

static void update(struct mt_live *live, uint64_t now_ns, struct counted *counted)
{
    struct mt_error error;
    REQUIRE(mt_live_update(live, now_ns, &error) == MT_OK);
    count_view(live, counted);
}

/* Whether all pairs of clock readings are the script's own; with others, what happened before the first
 * update may seem to. */
static bool has_one_clock(const struct script_file *file)
{
    struct mt_file_header header;
    struct mt_chunk_header chunk;
    memcpy(&header, file->data, sizeof header);
    struct mt_clock_pair pair = script__pair(header.pair.tick);
    bool good = header.tick_hz == 1000000000 && header.pair.mono_ns == pair.mono_ns;
    for (size_t at = MT_FILE_HEADER_BYTES; good && at + sizeof chunk <= file->n_bytes;
         at += chunk.size_bytes) {
        memcpy(&chunk, file->data + at, sizeof chunk);
        if (!chunk.size_bytes)
            break;
        good = chunk.pair.mono_ns == script__pair(chunk.pair.tick).mono_ns;
    }
    return good;
}

static bool is_comparable(const struct script *script)
{
    for (size_t i = 0; i < script->n_files; i++) {
        const struct script_file *file = &script->files[i];
        if (file->n_bytes < MT_FILE_HEADER_BYTES || !has_one_clock(file))
            return false;
    }
    return true;
}

static void compare(struct growing *growing, const struct counted *grown, uint64_t now_ns)
{
    struct counted whole = {0};
    struct mt_live *live = new_live(growing, LOTS);
    update(live, now_ns, &whole);
    mt_live_free(live);
    if (whole.ended || grown->ended) /* nothing new is looked for there */
        return;
    if (whole.n_calls != grown->n_calls || whole.depth != grown->depth)
        fprintf(stderr, "calls %llu, open %llu; grown: %llu, %llu\n",
                (unsigned long long)whole.n_calls, (unsigned long long)whole.depth,
                (unsigned long long)grown->n_calls, (unsigned long long)grown->depth);
    REQUIRE(whole.n_processes == grown->n_processes && whole.n_threads == grown->n_threads);
    REQUIRE(whole.n_calls == grown->n_calls);
    REQUIRE(whole.complete == grown->complete);
    REQUIRE(!whole.complete || whole.depth == grown->depth);
}

void live_run(const struct script *script)
{
    static const uint64_t budgets[] = {LOTS, 1, 40, 5000};
    uint64_t how = script->numbers[SCRIPT_HOW], now_ns = START_NS;
    struct growing growing = {
        .script = script,
        .random = mt_hash_u64(script->numbers[SCRIPT_KIND]),
        .wild = how % 3 == 1,
    };
    uint64_t n_words = budgets[how / 3 % 4];
    struct counted counted = {0};
    if (!script->n_files)
        return;
    make_directory();
    struct mt_live *live = new_live(&growing, n_words);
    for (int i = 0; i < N_UPDATES; i++) {
        if (growing.wild)
            change(&growing);
        else
            grow(&growing, i == N_UPDATES - 1);
        now_ns += next_random(&growing) % 2000;
        update(live, now_ns, &counted);
    }
    if (!growing.wild && n_words == LOTS && is_comparable(script))
        compare(&growing, &counted, now_ns);
    mt_live_free(live);
    remove_files(script);
}
