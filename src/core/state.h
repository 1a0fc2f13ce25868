/* state.h - the recorder's state, by what a fork does to it. Private to src/core.
 *
 * Wiped: what may only be true of one process. It lies in pages that the kernel clears in every
 * child, so that a child, however it was made, finds "nothing here yet" in its slot and in
 * mt__process, and builds its own. Kept: what a child needs to know of its parent.
 *
 * Lock: mt__lock() guards mt__process, the kept ids and the thread table. Signals of the holder
 * are blocked, so no handler can fork, or record, in the middle; pthread_atfork's handlers hold it
 * over a fork, so no other thread is in the middle either. It is never held while Python or libc's
 * allocator is called, so a fork never waits for longer than one chunk takes to make. It lies in
 * wiped memory: a child never inherits it locked.
 *
 * Where threads run without a GIL, recording may stop, and start anew, between any two steps of
 * the slow path, too: so whoever takes the lock for a file looks at `recording` or `epoch` again.
 *
 * A signal handler may fork wherever signals are not blocked, and what was true before is not true
 * in the child. So whoever takes the lock looks at `state` again, and the slow path runs with
 * signals blocked, but for the embedder's callbacks: after these it begins anew.
 */
#ifndef MT_CORE_STATE_H_
#define MT_CORE_STATE_H_

#include <limits.h>
#include <pthread.h>

#include "core/core.h"

/* Words at the end of a chunk that only the mark of a loss may use: head and struct mt_lost. */
#define MT_RESERVE_WORDS 4

/* Sizes of a thread's chunks: short threads stay small, long ones amortise. */
#define MT_CHUNK_FIRST_BYTES 4096u
#define MT_CHUNK_GROWTH 4u
#define MT_CHUNK_LARGEST_BYTES (256u << 10)
#define MT_DEFS_FIRST_BYTES (8u << 10)
#define MT_DEFS_LARGEST_BYTES (64u << 10)
/* What a file is made with, behind its header: every process soon has one chunk of either kind, and
 * most of what a chunk costs is to open the file, to write and to map, not the bytes. */
#define MT_ROOM_FIRST_BYTES (MT_DEFS_FIRST_BYTES + MT_CHUNK_FIRST_BYTES)

/* After a chunk could not be had, how long events are counted as lost before the next try. */
#define MT_RETRY_NS UINT64_C(50000000)

/* Kept, one per slot, found by its index. Owned by the thread, but for what the lock guards. */
struct mt_thread {
    struct mt_slot *slot;
    uint32_t index;  /* of both */
    uint32_t number; /* in the file, from 1 */
    uint32_t tid;
    uint32_t seq;  /* of its next chunk in this part */
    uint32_t part; /* of the process's files, in which its chunk lies */
    uint32_t next_bytes;
    uint32_t map_bytes;
    void *map;            /* its chunk; NULL: none */
    struct mt_lost *lost; /* while losing: the mark to keep up to date; NULL: there was no chunk */
    uint32_t name_hash;   /* of the name in the file; guarded by the lock, as is the name */
    uint32_t name_bytes;  /* 0: none, or too long to keep */
    char name[44];        /* for the child of a fork, whose thread has it, too */
    uint32_t losing;      /* there is no chunk to write to; tried again after retry_tick */
    uint64_t retry_tick;
    uint32_t epoch;  /* of the recording that it is enrolled in */
    uint32_t resync; /* enum mt_resync that is due before the next record */
    uint32_t greet;  /* ops.attached is due */
    /* Until its first event: the calls that another thread has stated as open, of which the innermost,
     * stated_id, may begin only now; 0: none. */
    uint32_t stated;
    uint32_t stated_id;
    uint32_t live;    /* guarded by the lock */
    uint32_t adopted; /* made for a thread that has not come yet; guarded by the lock */
};

#define MT_SLOTS_PER_BLOCK 64u
#define MT_MAX_BLOCKS 1024u

struct mt_string_entry {
    uint64_t hash;
    uint32_t n_bytes;
    uint32_t id; /* 0: empty */
};
#define MT_STRING_ENTRIES 512u

enum mt_process_state {
    MT_PROCESS_NONE = 0, /* never started, or wiped */
    MT_PROCESS_ARMED,
    MT_PROCESS_FAILED /* its file could not be made; tried again after retry_tick */
};

/* Wiped. Guarded by the lock, but for `state`, which is read before it is taken. */
struct mt_process {
    uint32_t lock;
    uint32_t state;
    uint32_t epoch;
    uint32_t free_slot; /* index + 1 of the first slot that a thread gave back; 0: none */
    uint32_t n_numbers; /* threads numbered so far */
    uint32_t n_adopted; /* threads that have not come for their slot yet */
    uint32_t part;
    uint32_t stopping; /* stopped, but threads may still write to what is mapped */
    uint32_t first_id;
    uint32_t n_def_chunks;
    uint32_t defs_bytes; /* of the mapped chunk of definitions */
    uint32_t next_string;
    uint64_t retry_tick;
    uint64_t defs_retry_tick;
    uint64_t n_missed; /* events while the state is MT_PROCESS_FAILED; added to without the lock */
    uint64_t *defs_next, *defs_end; /* NULL: no chunk */
    void *defs_map;
    struct mt_file_header *header; /* mapped for good */
    struct mt_os_file file;
    uint64_t file_bytes; /* end of its last chunk; behind it lies the room, if any */
    void *room;          /* zeros of the file, mapped when it was made, that no chunk has yet */
    uint32_t room_bytes;
    char path[PATH_MAX];
    struct mt_string_entry strings[MT_STRING_ENTRIES];
};

/* Kept. Guarded by the lock, or written before recording starts. */
struct mt_kept {
    uint32_t recording;
    uint32_t wiped_by_kernel;
    enum mt_clock clock;
    uint32_t next_id; /* grows for ever, also over forks: an id never means two things */
    uint32_t image;   /* of the present recording; grows from one to the next, also over exec */
    uint32_t epoch;   /* recordings begun, forks included */
    /* Slots in use or given back. Grows over forks too: the slot to which the forking thread still
     * points must not become another thread's. */
    uint32_t n_slots;
    uint64_t tick_hz;
    struct mt_clock_pair first_pair;
    uint8_t file_id[16]; /* of the file that this process, or its parent, writes */
    uint8_t parent_id[16];
    uint64_t fork_tick;          /* when the last fork that libc saw began, */
    uint64_t fork_boot_ns;       /* the same by mt_os_boot_ns(); 0: not seen */
    uint32_t fork_tid;           /* on which thread, */
    uint32_t fork_child;         /* and in this child only, which process it made */
    struct mt_os_mask fork_mask; /* of the forking thread, which holds the lock */
    /* Of the file that this process writes, or its nearest ancestor that has one: stays mapped in forks.
     * NULL: none. */
    struct mt_file_header *header;
    struct mt_os_process info;
    uint8_t run_id[16];
    uint32_t origin, engine, options, python_version;
    struct mt_core_ops ops;
    char directory[PATH_MAX];
    char former_path[PATH_MAX]; /* while a new part is made: too large for a small thread's stack */
    char program[MT_PROGRAM_BYTES];
    char executable[MT_EXECUTABLE_BYTES];
    struct mt_slot *slots[MT_MAX_BLOCKS];     /* wiped memory */
    struct mt_thread *threads[MT_MAX_BLOCKS]; /* kept memory */
};

extern struct mt_process *mt__process; /* NULL before the first start */
extern struct mt_kept mt__kept;
extern struct mt_slot mt__empty_slot;
/* This thread's entry, also in the child of a fork that wiped its slot; NULL: never attached. */
extern __thread struct mt_thread *mt__thread __attribute__((tls_model("initial-exec")));

void mt__lock(struct mt_os_mask *mask);
bool mt__lock_armed(struct mt_os_mask *mask); /* false, and no lock: the process has no file */
void mt__unlock(const struct mt_os_mask *mask);
uint64_t mt__now(void);
void mt__measure_hz(void); /* sets kept.tick_hz */

/* thread.c */
int mt__thread_init(void); /* once per process; an errno */
struct mt_thread *mt__thread_at(uint32_t index);
struct mt_thread *mt__attach(void);
void mt__enroll(struct mt_thread *thread, enum mt_resync reason);
void mt__resync_now(struct mt_thread *thread, enum mt_kind kind, uint32_t *current_id,
                    struct mt_os_mask *mask);

/* file.c: all with the lock held. Errors are errnos. */
void mt__next_image(void);
int mt__file_create(enum mt_origin origin);
int mt__file_append(uint32_t *bytes, uint32_t smallest, void **map);
void mt__file_leave_room(void); /* unmaps it */
void mt__chunk_commit(struct mt_chunk_header *chunk, uint32_t bytes);
enum mt_loss mt__loss_of(int error);
void mt__count_loss(int error, uint64_t now);
void mt__count_unrecorded(struct mt_file_header *header, int error);

/* slow.c: all with signals blocked */
struct mt_thread *mt__ready(enum mt_kind kind, uint32_t *current_id, struct mt_os_mask *mask);
bool mt__take_chunk(struct mt_thread *thread, uint64_t now);
void mt__release_chunk(struct mt_thread *thread);
bool mt__put(struct mt_thread *thread, uint32_t word, const uint64_t *payload, uint32_t n_words,
             const uint32_t *part);

/* fork.c */
int mt__fork_init(void); /* once per process; an errno */
bool mt__arm_child(void);
void mt__wipe_by_hand(void);

#endif /* MT_CORE_STATE_H_ */
