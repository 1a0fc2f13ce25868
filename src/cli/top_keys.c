/* top_keys.c - what the keys of `mtrace top` do. Called by cmd_top.c. */
#include <signal.h>
#include <string.h>

#include "base/utf8.h"
#include "cli/top.h"

#define CTRL_C '\x03'
#define CTRL_BACKSLASH '\x1c'
#define ESC '\x1b'

/* What terminals send for keys without a character of their own. */
static const struct {
    const char *bytes;
    int key;
} sequences[] = {
    {"\x1b[A", 'k'},  {"\x1bOA", 'k'},  {"\x1b[B", 'j'}, {"\x1bOB", 'j'},  {"\x1b[5~", 'b'},
    {"\x1b[6~", 'f'}, {"\x1b[H", 'g'},  {"\x1bOH", 'g'}, {"\x1b[1~", 'g'}, {"\x1b[F", 'G'},
    {"\x1bOF", 'G'},  {"\x1b[4~", 'G'}, {"\x1b[C", 0},   {"\x1b[D", 0},
};

static void move(struct mt_top *top, ptrdiff_t n)
{
    if (!top->n_rows_found)
        return;
    ptrdiff_t at = (ptrdiff_t)mt__top_selected(top) + n, last = (ptrdiff_t)top->n_rows_found - 1;
    at = at < 0 ? 0 : at > last ? last : at;
    top->selected[top->mode] = top->rows[at].id;
}

static void enter(struct mt_top *top)
{
    if (!top->n_rows_found || top->mode == MT_TOP_FUNCTIONS)
        return;
    uint32_t idx = top->rows[mt__top_selected(top)].idx;
    if (top->mode == MT_TOP_THREADS)
        idx = top->view->threads[idx].process;
    top->only_process = idx;
    if (top->mode == MT_TOP_PROCESSES)
        top->mode = MT_TOP_THREADS;
}

static void escape(struct mt_top *top)
{
    if (top->only_process != MT_NONE)
        top->only_process = MT_NONE;
    else
        top->filter[0] = '\0';
}

/* A character of a filter, or a key that ends it. */
static void type(struct mt_top *top, const char *at, size_t n_bytes)
{
    size_t n = strlen(top->typed);
    if (at[0] == '\r' || at[0] == '\n') {
        memcpy(top->filter, top->typed, sizeof top->filter);
        top->typing = false;
    } else if (at[0] == ESC) {
        top->filter[0] = '\0';
        top->typing = false;
    } else if (at[0] == '\x7f' || at[0] == '\b') {
        do
            n -= n > 0;
        while (n > 0 && ((unsigned char)top->typed[n] & 0xc0) == 0x80);
        top->typed[n] = '\0';
    } else if ((unsigned char)at[0] >= 0x20 && n + n_bytes < sizeof top->typed) {
        memcpy(top->typed + n, at, n_bytes);
        top->typed[n + n_bytes] = '\0';
    }
}

static void take(struct mt_top *top, int key)
{
    bool *reversed = &top->reversed[top->mode];
    switch (key) {
    case '1':
    case '2':
    case '3': top->mode = (enum mt_top_mode)(key - '1'); break;
    case '\t': top->mode = (enum mt_top_mode)((top->mode + 1) % MT_TOP_N_MODES); break;
    case 'k': move(top, -1); break;
    case 'j': move(top, 1); break;
    case 'b': move(top, -top->n_body); break;
    case 'f': move(top, top->n_body); break;
    case 'g': move(top, -(ptrdiff_t)top->n_rows_found); break;
    case 'G': move(top, (ptrdiff_t)top->n_rows_found); break;
    case '\r':
    case '\n': enter(top); break;
    case ESC: escape(top); break;
    case 's': top->sort[top->mode] = mt__top_next_sort(top->mode, top->sort[top->mode]); break;
    case 'r': *reversed = !*reversed; break;
    case '/':
        top->typing = true;
        top->typed[0] = '\0';
        break;
    case 'i': top->idle = !top->idle; break;
    case 'a': top->all = !top->all; break;
    case 'p':
    case ' ': top->paused = !top->paused; break;
    case 'h':
    case '?': top->helping = true; break;
    default: break;
    }
}

/* The key at `at`, 0 if it has no meaning; *n_bytes is how long it is. */
static int key_at(const char *at, size_t n_left, size_t *n_bytes)
{
    *n_bytes = 1;
    if (at[0] != ESC)
        return (unsigned char)at[0];
    for (size_t i = 0; i < sizeof sequences / sizeof *sequences; i++) {
        size_t n = strlen(sequences[i].bytes);
        if (n <= n_left && !memcmp(at, sequences[i].bytes, n)) {
            *n_bytes = n;
            return sequences[i].key;
        }
    }
    if (n_left < 2 || (at[1] != '[' && at[1] != 'O'))
        return ESC;
    /* Another sequence: it ends with a letter or ~. */
    for (*n_bytes = 2; *n_bytes < n_left;) {
        char c = at[(*n_bytes)++];
        if (c >= '@' && c <= '~')
            break;
    }
    return 0;
}

bool mt__top_take_keys(struct mt_top *top, const char *bytes, size_t n_bytes)
{
    for (size_t i = 0, n; i < n_bytes; i += n) {
        int key = key_at(bytes + i, n_bytes - i, &n);
        if (key == CTRL_C || key == CTRL_BACKSLASH) {
            top->signal_number = key == CTRL_C ? SIGINT : SIGQUIT;
            return false;
        }
        if (top->typing) {
            size_t n_char = mt_utf8_char(bytes + i, n_bytes - i);
            if (n == 1 && n_char)
                type(top, bytes + i, n = n_char);
        } else if (top->helping) {
            top->helping = false;
        } else if (key == 'q') {
            return false;
        } else {
            take(top, key);
        }
        if (mt__top_find_rows(top) != MT_OK)
            return false;
    }
    return true;
}
