/* greenlets.c - whether greenlets take turns in what was recorded. Called on one thread.
 *
 * Switches between them are not recorded. So their calls cross on their thread's track, and are
 * repaired there; whoever shows that needs to say why.
 */
#include <string.h>

#include "mtrace/reader.h"

static bool begins_with(const struct mt_text *text, const char *word)
{
    size_t n = strlen(word);
    return text->n_bytes >= n && !memcmp(text->data, word, n);
}

/* gevent's own switches are made in C that nobody sees; but it imports greenlet. */
static bool is_of_greenlets(const struct mt_func *func)
{
    static const char file[] = "/greenlet/__init__.py";
    if (func->kind == MT_FUNC_C)
        return begins_with(&func->owner, "greenlet");
    return func->file.n_bytes >= sizeof file - 1 &&
           !memcmp(func->file.data + func->file.n_bytes - (sizeof file - 1), file, sizeof file - 1);
}

bool mt_timeline_mixes_greenlets(const struct mt_timeline *timeline, uint64_t n_repaired)
{
    for (uint32_t i = 0; n_repaired && i < timeline->n_funcs; i++) {
        if (is_of_greenlets(&timeline->funcs[i]))
            return true;
    }
    return false;
}
