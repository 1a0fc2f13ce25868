/* core.h - the tracer without Python: what src/ext (and a C program, as the tests are) may call.
 *
 * One recording at a time per process. Threads attach by themselves at their first event and
 * detach when they end; children of a fork go on by themselves. All functions are safe on any
 * thread and keep errno; none raises, prints, exits or waits for another process.
 */
#ifndef MT_CORE_CORE_H_
#define MT_CORE_CORE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/emit.h"
#include "mtrace/format.h"
#include "mtrace/status.h"

/* What the embedder supplies. Called on the thread that is about to record, out of the hot path,
 * with no lock of the tracer held; they may call mt_core_define_*. Any may be NULL. */
struct mt_core_ops {
    /* The calls that are open on this thread, outermost first, without the one that an event of
     * `kind` is about to begin. Stores at most `cap` ids and returns how many there are.
     * *current_id becomes the id of the frame that `kind` is about, where kind is one of Python
     * frames (0: unknown). `ids` may be NULL, with cap 0, to ask for that alone. */
    uint32_t (*open_calls)(enum mt_kind kind, uint32_t *ids, uint32_t cap, uint32_t *current_id);
    /* A thread has attached, in this or a new process: a good moment for its name. */
    void (*attached)(void);
};

struct mt_core_config {
    const char *directory;  /* absolute */
    const char *program;    /* PROGRAM of PROGRAM.PID.trace; becomes harmless characters */
    const char *executable; /* for the header, may be NULL */
    uint8_t run_id[16];     /* zeros: none */
    uint8_t parent_id[16];  /* zeros: none */
    enum mt_origin origin;
    enum mt_engine engine;
    uint32_t options; /* MT_OPTION_... */
    uint32_t python_version;
    struct mt_core_ops ops;
};

/* May be called before mt_core_start(), which else waits 200 us to see how fast the counter runs:
 * it is timed from here. */
void mt_core_early(void);

/* Makes the process's file and starts recording. The strings are copied. On failure *error is an
 * errno (or 0) and nothing is recorded. MT_STATE: already recording. */
enum mt_status mt_core_start(const struct mt_core_config *config, int *error);

/* Ends recording, for good order at the end of the file only: nothing depends on it. `quiet`: no
 * other thread is inside mt_emit() or mt_core_ready(), but for the callbacks (under Python: the GIL
 * is held). If not, no thread begins a record from now on, but what they may be writing to stays
 * mapped until they come by or end, or until a second call, which is quiet: without a GIL, stop all
 * threads for a moment in between. */
void mt_core_stop(bool quiet);

bool mt_core_recording(void);
/* The file_id of the process's current file; zeros if none. */
void mt_core_file_id(uint8_t out[16]);
/* Path of the current file; "" if none. Valid until the next fork, start or part. */
const char *mt_core_path(void);
/* The same, whole, while other threads may begin a new part. `size`: PATH_MAX is enough. */
void mt_core_copy_path(char *out, size_t size);

/* Attaches the calling thread if it is not, rearms after a fork. False: not recording now.
 * To be called before an id is looked up for an event of `kind` when mt_id_valid() said no. */
bool mt_core_ready(enum mt_kind kind);

/* Opens a track for another thread of this process, which has not emitted yet, with the calls that
 * are open on it, outermost first. It finds the track at its first event, by its kernel id. No-op
 * when `tid` has a track already. The thread must not emit meanwhile (under Python: hold the GIL).
 * `may_begin`: the begin of the innermost call may still come, as the thread's first event, and is
 * then left out: ops.open_calls() tells it from the begin of another call. */
void mt_core_adopt(uint32_t tid, const uint32_t *ids, uint32_t n_ids, bool may_begin);

/* Has a thread state its open calls anew at its next event. It must not be inside mt_emit() (under
 * Python: hold the GIL). False: it has no track. */
bool mt_core_resync(uint32_t tid, enum mt_resync reason);

/* Names. Texts need no NUL, are cut at MT_TEXT_MAX_BYTES, and are UTF-8. The result is valid on
 * every thread until the next fork; MT_ID_UNKNOWN when the name could not be written, which may be
 * used in a record but should not be remembered. */
uint32_t mt_core_define_code(const char *name, size_t n_name, const char *file, size_t n_file,
                             uint32_t first_line, uint32_t flags);
uint32_t mt_core_define_cfunc(const char *owner, size_t n_owner, const char *name, size_t n_name);
/* The name that a thread has from now on; nothing is written if it had it before. False: that
 * thread has no track yet. */
bool mt_core_name_thread(uint32_t tid, const char *name, size_t n_name);
/* The calling thread keeps the name that it had in its process's parent. False: it had none that is
 * known; it was not there, or its name is long. */
bool mt_core_inherit_name(void);
void mt_core_name_process(const char *name, size_t n_name);
void mt_core_note(enum mt_note about, const char *text);
/* Another engine records than the one that the header names. */
void mt_core_engine(enum mt_engine engine);
/* Counts in the header that a hook of the program's own was met in place of ours. */
void mt_core_displaced(void);

/* The recorder's own lock, for what the embedder's threads share and no GIL guards. In between,
 * signals are blocked: call nothing of this header, of Python, or of libc's allocator. No child of
 * a fork inherits it locked. After the first mt_core_start(). */
void mt_core_lock(struct mt_os_mask *mask);
void mt_core_unlock(const struct mt_os_mask *mask);

/* The calling thread's kernel id as the trace has it; 0: not attached. */
uint32_t mt_core_tid(void);

#endif /* MT_CORE_CORE_H_ */
