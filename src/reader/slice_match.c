/* slice_match.c - globs over names and paths. Called by slice_rules.c, once for each function.
 *
 * Names come from files: the time is at most the product of both lengths.
 */
#include "base/buf.h"

#include "reader/slice.h"

/* One place of a glob. */
struct place {
    const char *next; /* what follows it */
    bool matches;
};

/* `at` is behind the [. Without a ] the [ stands for itself. */
static struct place match_set(const char *at, unsigned char c)
{
    struct place literal = {at, c == '['};
    bool inverted = *at == '!' || *at == '^', found = false, first = true;
    for (at += inverted; *at && (*at != ']' || first); first = false) {
        unsigned char low = (unsigned char)*at++, high = low;
        if (at[0] == '-' && at[1] && at[1] != ']') {
            high = (unsigned char)at[1];
            at += 2;
        }
        found |= c >= low && c <= high;
    }
    return *at ? (struct place){at + 1, found != inverted} : literal;
}

/* `at` is neither at a * nor at the end. */
static struct place match_one(const char *at, unsigned char c)
{
    if (*at == '?')
        return (struct place){at + 1, true};
    if (*at == '[')
        return match_set(at + 1, c);
    if (*at == '\\' && at[1])
        at++;
    return (struct place){at + 1, (unsigned char)*at == c};
}

static bool matches(const char *glob, const char *text, size_t n_bytes)
{
    const char *star = NULL;  /* behind the latest * */
    size_t at = 0, taken = 0; /* the latest * takes the text up to here */
    while (at < n_bytes || *glob) {
        if (*glob == '*') {
            star = ++glob;
            taken = at;
            continue;
        }
        struct place place = {0};
        if (at < n_bytes && *glob)
            place = match_one(glob, (unsigned char)text[at]);
        if (place.matches) {
            glob = place.next;
            at++;
        } else if (star && taken < n_bytes) {
            glob = star;
            at = ++taken;
        } else {
            return false;
        }
    }
    return true;
}

bool mt__glob_matches(const char *glob, const struct mt_text *text)
{
    return matches(glob, text->data, text->n_bytes);
}

static bool matches_path(const char *glob, const struct mt_text *path)
{
    for (size_t at = 0; at < path->n_bytes; at++) {
        if ((!at || path->data[at - 1] == '/') &&
            matches(glob, path->data + at, path->n_bytes - at))
            return true;
    }
    return false;
}

bool mt__glob_matches_func(const char *glob, const struct mt_func *func)
{
    if (mt__glob_matches(glob, &func->name) || matches_path(glob, &func->file))
        return true;
    struct mt_buf full = {0};
    if (!func->owner.n_bytes)
        return false;
    mt_buf_append(&full, func->owner.data, func->owner.n_bytes);
    mt_buf_append_char(&full, '.');
    mt_buf_append(&full, func->name.data, func->name.n_bytes);
    bool found = !full.failed && matches(glob, full.data, full.n_bytes);
    mt_buf_fini(&full);
    return found;
}
