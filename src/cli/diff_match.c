/* diff_match.c - which functions of two timelines are the same, whatever order they were met in.
 * Called by cmd_diff.c before anything is read.
 *
 * First those that agree in all: kind, name, owner, file and line. What is left on either side was
 * moved within its file, or lies in another directory: it is matched by less, where that is
 * unambiguous.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/map.h"
#include "cli/diff.h"

/* What functions must agree in. */
enum precision { WHOLE, WITHOUT_LINE, WITHOUT_DIRECTORY };

/* Functions that are the same at some precision. */
struct class {
    const struct mt_func *func; /* one of them */
    uint32_t key;               /* of the first one */
    uint32_t n[2];              /* how many there are on each side */
};

struct matcher {
    struct mt_diff *diff;
    struct class *classes; /* at the precision at hand */
    size_t n_classes;
    struct mt_map known; /* by hash: class */
    bool *on_side[2];    /* by key */
    uint32_t *same_as;   /* by key: another one, or itself */
};

static struct mt_text base_name(const struct mt_text *file)
{
    uint32_t at = file->n_bytes;
    while (at && file->data[at - 1] != '/')
        at--;
    return (struct mt_text){file->data + at, file->n_bytes - at};
}

static uint64_t mix_text(uint64_t hash, const struct mt_text *text)
{
    return mt_hash_bytes(text->data, text->n_bytes, hash);
}

static bool same_text(const struct mt_text *a, const struct mt_text *b)
{
    return a->n_bytes == b->n_bytes && !memcmp(a->data, b->data, a->n_bytes);
}

static uint64_t hash_func(const struct mt_func *func, enum precision precision)
{
    struct mt_text file = precision == WITHOUT_DIRECTORY ? base_name(&func->file) : func->file;
    uint64_t hash = mix_text(mt_hash_secret ^ func->kind, &func->name);
    hash = mix_text(mix_text(hash, &func->owner), &file);
    return precision == WHOLE ? mt_hash_u64(hash ^ func->line) : hash;
}

static bool same_func(const struct mt_func *a, const struct mt_func *b, enum precision precision)
{
    struct mt_text a_file = a->file, b_file = b->file;
    if (precision == WITHOUT_DIRECTORY) {
        a_file = base_name(&a->file);
        b_file = base_name(&b->file);
    }
    return a->kind == b->kind && same_text(&a->name, &b->name) && same_text(&a->owner, &b->owner) &&
           same_text(&a_file, &b_file) && (precision != WHOLE || a->line == b->line);
}

/* The function's class; NULL: no memory. */
static struct class *class_of(struct matcher *matcher, const struct mt_func *func,
                              enum precision precision)
{
    for (uint64_t hash = hash_func(func, precision);; hash++) {
        bool is_new;
        uint32_t *known = mt_map_put(&matcher->known, hash, (uint32_t)matcher->n_classes, &is_new);
        if (!known)
            return NULL;
        struct class *class = &matcher->classes[*known];
        if (is_new) {
            matcher->n_classes++;
            *class = (struct class){.func = func, .key = MT_NONE};
            return class;
        }
        if (same_func(class->func, func, precision))
            return class;
    }
}

static uint32_t n_funcs_of(const struct mt_diff_side *side)
{
    return side->timeline ? side->timeline->n_funcs : 0;
}

/* Every function gets the key of its class. */
static bool match_whole(struct matcher *matcher)
{
    struct mt_diff *diff = matcher->diff;
    for (uint32_t s = 0; s < 2; s++) {
        for (uint32_t i = 0; i < n_funcs_of(&diff->sides[s]); i++) {
            struct class *class = class_of(matcher, &diff->sides[s].timeline->funcs[i], WHOLE);
            if (!class)
                return false;
            if (class->key == MT_NONE)
                class->key = diff->n_keys++;
            diff->sides[s].keys[i] = class->key;
            matcher->on_side[s][class->key] = true;
        }
    }
    return true;
}

/* Those that are on one side only, one of a class on each: they are the same. */
static bool match_rest(struct matcher *matcher, enum precision precision)
{
    struct mt_diff *diff = matcher->diff;
    mt_map_fini(&matcher->known);
    matcher->n_classes = 0;
    for (int round = 0; round < 2; round++) { /* count, then match */
        for (uint32_t s = 0; s < 2; s++) {
            for (uint32_t i = 0; i < n_funcs_of(&diff->sides[s]); i++) {
                uint32_t key = diff->sides[s].keys[i];
                if (matcher->on_side[!s][key] || matcher->same_as[key] != key)
                    continue;
                struct class *class = class_of(matcher, &diff->sides[s].timeline->funcs[i],
                                               precision);
                if (!class)
                    return false;
                if (!round)
                    class->n[s]++;
                else if (class->n[0] == 1 && class->n[1] == 1 && !s)
                    class->key = key;
                else if (class->n[0] == 1 && class->n[1] == 1) {
                    matcher->same_as[key] = class->key;
                    matcher->on_side[1][class->key] = true;
                }
            }
        }
    }
    return true;
}

static bool match(struct matcher *matcher)
{
    struct mt_diff *diff = matcher->diff;
    if (!match_whole(matcher))
        return false;
    for (uint32_t key = 0; key < diff->n_keys; key++)
        matcher->same_as[key] = key;
    if (diff->sides[1].timeline &&
        (!match_rest(matcher, WITHOUT_LINE) || !match_rest(matcher, WITHOUT_DIRECTORY)))
        return false;
    for (uint32_t i = 0; i < n_funcs_of(&diff->sides[1]); i++)
        diff->sides[1].keys[i] = matcher->same_as[diff->sides[1].keys[i]];
    return true;
}

enum mt_status mt__diff_match(struct mt_diff *diff)
{
    struct matcher matcher = {.diff = diff};
    size_t n = (size_t)n_funcs_of(&diff->sides[0]) + n_funcs_of(&diff->sides[1]) + 1;
    bool good = true;
    for (uint32_t s = 0; s < 2; s++) {
        diff->sides[s].keys = malloc((n_funcs_of(&diff->sides[s]) + (size_t)1) * sizeof(uint32_t));
        matcher.on_side[s] = calloc(n, sizeof(bool));
        good = good && diff->sides[s].keys && matcher.on_side[s];
    }
    matcher.classes = malloc(n * sizeof *matcher.classes);
    matcher.same_as = malloc(n * sizeof *matcher.same_as);
    good = good && matcher.classes && matcher.same_as && match(&matcher);
    mt_map_fini(&matcher.known);
    free(matcher.classes);
    free(matcher.same_as);
    free(matcher.on_side[0]);
    free(matcher.on_side[1]);
    return good ? MT_OK : MT_NOMEM;
}
