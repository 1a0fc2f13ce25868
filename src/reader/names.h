/* names.h - all texts and functions of a set, each kept once however many files have it.
 *
 * Ids are a file's own; an index into `funcs` is good for the whole set. Owned by the thread that
 * opens the set; constant after mt_set_finish.
 */
#ifndef MT_READER_NAMES_H_
#define MT_READER_NAMES_H_

#include "base/arena.h"
#include "mtrace/event.h"
#include "mtrace/status.h"

struct mt__names {
    struct mt_arena arena;
    struct mt_text *texts; /* interned: equal texts have one address */
    size_t n_texts, texts_capacity;
    uint32_t *text_slots; /* index + 1; a power of two of them, at most half in use */
    size_t n_text_slots;
    struct mt_func *funcs;
    size_t n_funcs, funcs_capacity;
    uint32_t *func_slots;
    size_t n_func_slots;
};

/* Makes the special functions (enum mt_func_special). MT_NOMEM. */
enum mt_status mt__names_init(struct mt__names *names);
void mt__names_fini(struct mt__names *names);

/* The one copy of a text, which lives as long as `names`. MT_NOMEM. */
enum mt_status mt__names_text(struct mt__names *names, const char *data, size_t n_bytes,
                              struct mt_text *out);

/* The index of a function, whose texts must come from mt__names_text. MT_NOMEM; MT_LIMIT: there are
 * 2^31 already. */
enum mt_status mt__names_func(struct mt__names *names, const struct mt_func *func, uint32_t *out);

#endif /* MT_READER_NAMES_H_ */
