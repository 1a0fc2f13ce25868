/* format.h - the trace format: the only thing that the recording and the reading wing share.
 *
 * A trace file belongs to one process (a process may own several). It is little-endian, has no
 * pointers and no bit-fields, and is at every moment complete: the recorder writes into shared
 * mappings of it, and what follows says what a reader may believe after the process was killed at
 * any instruction. docs/format.md tells the same story in prose; the byte tables live here.
 *
 * File
 *   offset        size       meaning
 *   0             4096       struct mt_file_header
 *   4096          ...        chunks, back to back; each starts at a multiple of 4096
 *
 * Chunk
 *   0             64         struct mt_chunk_header; its first eight bytes (magic and size) are
 *                            stored last. Eight zero bytes there: no chunk yet, end of the file.
 *   64            size - 64  MT_CHUNK_EVENTS: records of one thread
 *                            MT_CHUNK_DEFS: definitions, of ids used by any chunk of the file
 *
 * Record (8 bytes, one aligned store)
 *   bits 63..32   ticks since the thread's previous record, shifted right by header.tick_shift
 *   bits 31..28   enum mt_kind, never zero
 *   bits 27..0    id of a definition (MT_KIND_GAP, MT_KIND_EXT: see there)
 *   A word of zero is not written yet: the thread's records end there, or go on in its next chunk.
 *
 * Extension record (MT_KIND_EXT): bits 27..12 are enum mt_ext, bits 11..0 the number n of payload
 *   words that follow. MT_KIND_GAP: bits 27..0 are n. In both, payload words are stored first and
 *   the head last with release order, so a head that is not zero vouches for its payload.
 *   A reader skips subtypes and kinds that it does not know by these counts.
 *
 * Definition (multiple of 8 bytes)
 *   bits 63..48   number n of payload words that follow
 *   bits 47..32   enum mt_def, never zero
 *   bits 31..0    id
 *   payload       see the structs below; texts are UTF-8 without NUL, padded with zeros
 *   Payload first, head last with release order. A head of zero ends the chunk. The definition of
 *   an id is committed before the first record that uses it. Ids of code objects and C functions
 *   share one number space [1, MT_ID_MAX]; ids of strings have their own. A later definition of
 *   the same id does not occur.
 *
 * Reading a live file: first find out how far the event chunks go, then read the definitions.
 *
 * Versions: a reader refuses a larger MAJOR. MINOR grows when something is added that an older
 * reader may skip. A chunk whose type a reader does not know is skipped, unless its flags have
 * MT_CHUNK_MUST_UNDERSTAND.
 *
 * To add a record kind, extension or definition: one line in its X-macro, its payload struct with
 * a size assertion, docs/format.md (a test compares the two), the reader's switch, and MINOR.
 */
#ifndef MTRACE_FORMAT_H_
#define MTRACE_FORMAT_H_

#include <stddef.h>
#include <stdint.h>

#define MT_FORMAT_MAJOR 1
#define MT_FORMAT_MINOR 1 /* 1: time_ns, n_unrecorded, unrecorded_reason */

#define MT_FILE_SUFFIX ".trace"
/* As a little-endian number, "\x89MTRACE\n": not text, damaged by a transfer that changes line
 * ends, and zero in no byte. */
#define MT_FILE_MAGIC UINT64_C(0x0a45434152544d89)
#define MT_CHUNK_MAGIC UINT32_C(0x314b434d) /* "MCK1" */

#define MT_PAGE_BYTES 4096u
#define MT_FILE_HEADER_BYTES MT_PAGE_BYTES
#define MT_CHUNK_HEADER_BYTES 64u
/* No writer makes larger chunks; a reader may refuse them. */
#define MT_CHUNK_MAX_BYTES (1u << 20)

/* ------------------------------------------------------------------------------------ records */

/* X(NAME, number, letter, text): the letter is what `mtrace info --records` and tests print. */
#define MT_KIND_MAP(X)                                                                             \
    X(PY_BEGIN, 1, '(', "a Python frame begins")                                                   \
    X(PY_END, 2, ')', "a Python frame returns")                                                    \
    X(PY_END_EXC, 3, '!', "a Python frame is left by an exception")                                \
    X(PY_SUSPEND, 4, 's', "a generator or coroutine yields")                                       \
    X(PY_RESUME, 5, 'r', "a generator or coroutine goes on")                                       \
    X(C_BEGIN, 6, '[', "a C function is called")                                                   \
    X(C_END, 7, ']', "a C function returns")                                                       \
    X(C_END_EXC, 8, '?', "a C function raises")                                                    \
    X(GAP, 11, 'g', "a long time passed; clock readings follow")                                   \
    X(EXT, 15, 'x', "extension")
/* 9 (track switch) and 10 (marker) are set aside; a reader skips them as one-word records. */

enum mt_kind {
    MT_KIND_NONE = 0,
#define X(name, number, letter, text) MT_KIND_##name = number,
    MT_KIND_MAP(X)
#undef X
        MT_N_KINDS = 16
};

#define MT_ID_BITS 28
#define MT_ID_MAX ((UINT32_C(1) << MT_ID_BITS) - 1)
/* What stands for a function whose name could not be recorded (no definition has this id). */
#define MT_ID_UNKNOWN MT_ID_MAX

#define MT_RECORD_DELTA_MAX UINT32_MAX

static inline uint64_t mt_record_pack(uint64_t delta, enum mt_kind kind, uint32_t id)
{
    return delta << 32 | (uint64_t)kind << MT_ID_BITS | id;
}
static inline uint32_t mt_record_delta(uint64_t record)
{
    return (uint32_t)(record >> 32);
}
static inline enum mt_kind mt_record_kind(uint64_t record)
{
    return (enum mt_kind)((uint32_t)record >> MT_ID_BITS);
}
static inline uint32_t mt_record_id(uint64_t record)
{
    return (uint32_t)record & MT_ID_MAX;
}

/* Payload of MT_KIND_GAP (id = 3 words). Written when the delta does not fit into 32 bits; its own
 * delta is zero, and the thread's time is `tick` after it. */
struct mt_gap {
    uint64_t tick;    /* absolute */
    uint64_t mono_ns; /* CLOCK_MONOTONIC at that tick */
    uint64_t real_ns; /* CLOCK_REALTIME at that tick */
};

#define MT_EXT_WORDS_BITS 12
#define MT_EXT_WORDS_MAX ((1u << MT_EXT_WORDS_BITS) - 1)

/* X(NAME, number, payload words, text) */
#define MT_EXT_MAP(X)                                                                              \
    X(LOST, 1, 3, "events of this thread were lost here")                                          \
    X(RESYNC, 2, 2, "the open calls are stated anew")

enum mt_ext {
    MT_EXT_NONE = 0,
#define X(name, number, words, text) MT_EXT_##name = number,
    MT_EXT_MAP(X)
#undef X
};

static inline uint32_t mt_ext_id(enum mt_ext subtype, uint32_t n_words)
{
    return (uint32_t)subtype << MT_EXT_WORDS_BITS | n_words;
}
static inline uint32_t mt_ext_subtype(uint32_t id)
{
    return id >> MT_EXT_WORDS_BITS;
}
static inline uint32_t mt_ext_words(uint32_t id)
{
    return id & MT_EXT_WORDS_MAX;
}

/* Why events are missing: MT_EXT_LOST, header.loss_reason. X(NAME, number, text) */
#define MT_LOSS_MAP(X)                                                                             \
    X(NONE, 0, "nothing was lost")                                                                 \
    X(NO_SPACE, 1, "no space left on the device")                                                  \
    X(FILE_LIMIT, 2, "the file-size limit was reached")                                            \
    X(NO_MEMORY, 3, "no address space or memory for the buffer")                                   \
    X(DENIED, 4, "the trace file or directory could not be opened any more")                       \
    X(GONE, 5, "the trace file or directory was removed or replaced")                              \
    X(FILES, 6, "too many open files")                                                             \
    X(IO, 7, "writing failed")                                                                     \
    X(IDS, 8, "more functions than a file can name")

enum mt_loss {
#define X(name, number, text) MT_LOSS_##name = number,
    MT_LOSS_MAP(X)
#undef X
        MT_N_LOSSES
};

/* Payload of MT_EXT_LOST. Unlike any other payload it may still change after its head was stored:
 * `n_events` and `last_tick` grow while the loss lasts (each by one aligned store). The thread
 * goes on, if it does, with MT_EXT_RESYNC in a later chunk. The record's time is that of the last
 * event before the loss. */
struct mt_lost {
    uint64_t n_events;
    uint64_t last_tick; /* absolute: when the last of them was lost */
    uint32_t reason;    /* enum mt_loss */
    uint32_t error;     /* errno, or 0 */
};

/* Why the open calls are stated anew: MT_EXT_RESYNC. X(NAME, number, text) */
#define MT_RESYNC_MAP(X)                                                                           \
    X(START, 1, "recording began in a running thread")                                             \
    X(FORK, 2, "the process was made by a fork")                                                   \
    X(LOSS, 3, "events were lost")                                                                 \
    X(HOOK, 4, "the program had its own profile function for a while")                             \
    X(FILE, 5, "recording went on in a new file")                                                  \
    X(LATE, 6, "the thread was seen late")

enum mt_resync {
    MT_RESYNC_NONE = 0,
#define X(name, number, text) MT_RESYNC_##name = number,
    MT_RESYNC_MAP(X)
#undef X
        MT_N_RESYNCS
};

/* Payload of MT_EXT_RESYNC: whatever the reader believes open on this thread is closed, and the
 * next `depth` MT_KIND_PY_BEGIN records (no others in between, but GAPs and chunk ends may be) are
 * the calls that are open now, outermost first. They began earlier. */
struct mt_resync_payload {
    uint32_t reason; /* enum mt_resync */
    uint32_t depth;
    uint64_t reserved; /* 0 */
};

/* ---------------------------------------------------------------------------------- definitions */

/* X(NAME, number, text) */
#define MT_DEF_MAP(X)                                                                              \
    X(STRING, 1, "a string that other definitions refer to: struct mt_def_text")                   \
    X(CODE, 2, "a code object: struct mt_def_code")                                                \
    X(CFUNC, 3, "a C function: struct mt_def_cfunc")                                               \
    X(THREAD, 4, "the name of a thread from now on: struct mt_def_name; id is its number")         \
    X(PROCESS, 5, "the name of the process from now on: struct mt_def_name; id is 0")              \
    X(NOTE, 6, "a sentence for the user: struct mt_def_name; id is enum mt_note")

enum mt_def {
    MT_DEF_NONE = 0,
#define X(name, number, text) MT_DEF_##name = number,
    MT_DEF_MAP(X)
#undef X
};

#define MT_DEF_WORDS_MAX 0xffffu
/* Longer texts are cut (at a character's start) by the writer; names this long are no names. */
#define MT_TEXT_MAX_BYTES 32768u

static inline uint64_t mt_def_pack(enum mt_def type, uint32_t id, uint32_t n_words)
{
    return (uint64_t)n_words << 48 | (uint64_t)type << 32 | id;
}
static inline uint32_t mt_def_words(uint64_t head)
{
    return (uint32_t)(head >> 48);
}
static inline uint32_t mt_def_type(uint64_t head)
{
    return (uint32_t)(head >> 32) & 0xffffu;
}
static inline uint32_t mt_def_id(uint64_t head)
{
    return (uint32_t)head;
}

struct mt_def_text { /* the text follows */
    uint32_t n_bytes;
    uint32_t reserved;
};
struct mt_def_code {  /* the qualified name follows */
    uint32_t file_id; /* a string, 0: none */
    uint32_t first_line;
    uint32_t flags; /* co_flags */
    uint32_t name_bytes;
};
struct mt_def_cfunc { /* the owner (module or defining type, may be empty), then the name */
    uint32_t owner_bytes;
    uint32_t name_bytes;
};
struct mt_def_name { /* the text follows */
    uint64_t tick;   /* absolute: since when */
    uint32_t tid;    /* MT_DEF_THREAD: the kernel's id, else 0 */
    uint32_t n_bytes;
};

/* What a note is about. X(NAME, number, text) */
#define MT_NOTE_MAP(X)                                                                             \
    X(ENGINE, 1, "which engine records and why")                                                   \
    X(HOOK, 2, "a profile function of the program's own was met")                                  \
    X(UNTRACED, 3, "something could not be traced")

enum mt_note {
    MT_NOTE_NONE = 0,
#define X(name, number, text) MT_NOTE_##name = number,
    MT_NOTE_MAP(X)
#undef X
};

/* ---------------------------------------------------------------------------------- file header */

/* X(NAME, number, text) */
#define MT_ORIGIN_MAP(X)                                                                           \
    X(BOOT, 1, "an interpreter that was started")                                                  \
    X(FORK, 2, "a fork of a recorded process")                                                     \
    X(API, 3, "recording was started by the program itself")                                       \
    X(CONTINUED, 4, "the process's former file could not be used any more")

enum mt_origin {
    MT_ORIGIN_NONE = 0,
#define X(name, number, text) MT_ORIGIN_##name = number,
    MT_ORIGIN_MAP(X)
#undef X
        MT_N_ORIGINS
};

/* X(NAME, number, text) */
#define MT_CLOCK_MAP(X)                                                                            \
    X(TSC, 1, "x86 time-stamp counter")                                                            \
    X(CNTVCT, 2, "arm64 virtual counter")                                                          \
    X(MONOTONIC, 3, "CLOCK_MONOTONIC in ns")

enum mt_clock {
    MT_CLOCK_NONE = 0,
#define X(name, number, text) MT_CLOCK_##name = number,
    MT_CLOCK_MAP(X)
#undef X
};

/* X(NAME, number, name on the command line) */
#define MT_ENGINE_MAP(X)                                                                           \
    X(SETPROFILE, 1, "setprofile")                                                                 \
    X(MONITORING, 2, "monitoring")                                                                 \
    X(FRAME, 3, "frame")                                                                           \
    X(CORE, 4, "core") /* C programs and tests that emit by themselves */

enum mt_engine {
    MT_ENGINE_NONE = 0,
#define X(name, number, text) MT_ENGINE_##name = number,
    MT_ENGINE_MAP(X)
#undef X
};

#define MT_OPTION_C_FUNCTIONS 1u /* header.options: C functions are recorded */

#define MT_FLAG_STOPPED 1u /* header.flags: recording was stopped in order; end_tick is valid */

/* One moment on three clocks. */
struct mt_clock_pair {
    uint64_t tick;
    uint64_t mono_ns;
    uint64_t real_ns;
};

#define MT_HOST_BYTES 64
#define MT_PROGRAM_BYTES 64
#define MT_EXECUTABLE_BYTES 512

/* Texts are NUL-padded and cut to fit with at least one NUL. */
struct mt_file_header {
    uint64_t magic; /* stored last, release */
    uint16_t major, minor;
    uint32_t header_bytes; /* MT_FILE_HEADER_BYTES */
    uint8_t file_id[16];   /* random */
    uint8_t run_id[16];    /* the same in all files of one `mtrace run`; zeros: none */
    uint8_t parent_id[16]; /* file_id of the file the parent process wrote to at that time; zeros */
    uint8_t boot_id[16];   /* the kernel's */
    uint64_t pid_ns;       /* inode of the pid namespace */
    uint32_t pid, ppid;
    uint64_t start_time;        /* of the process: field 22 of /proc/PID/stat, clock ticks */
    uint64_t parent_start_time; /* of the parent, 0: unknown */
    uint32_t image;             /* grows with each recording of this process: exec, API, fork */
    uint32_t part;              /* 0, 1, ... when the process goes on in a new file */
    uint32_t origin;            /* enum mt_origin */
    uint32_t parent_tid;        /* MT_ORIGIN_FORK: the thread that forked */
    uint64_t fork_tick;         /* MT_ORIGIN_FORK: when; 0: unknown (fork without libc) */
    uint32_t clock;             /* enum mt_clock */
    uint32_t tick_shift;
    uint64_t tick_hz;          /* an estimate, for files with too few pairs */
    struct mt_clock_pair pair; /* at creation */
    uint32_t engine;           /* enum mt_engine */
    uint32_t options;          /* MT_OPTION_... */
    uint32_t python_version;   /* PY_VERSION_HEX; 0: none */
    uint32_t uid;              /* effective, at creation */
    uint64_t time_ns;          /* inode of the time namespace, 0: unknown: whose MONOTONIC it is */
    uint8_t reserved0[56];
    /* 256: changes while recording; each field by aligned stores, plain counters */
    uint64_t n_lost;          /* events, all threads */
    uint32_t loss_reason;     /* the latest, enum mt_loss */
    uint32_t loss_error;      /* errno of it, or 0 */
    uint64_t first_lost_tick; /* 0: none */
    uint64_t last_lost_tick;
    uint32_t flags;       /* MT_FLAG_... */
    uint32_t n_displaced; /* how often a hook of the program's own displaced ours */
    uint64_t end_tick;
    /* Children of forks, theirs included, that could make no file of their own, and so are recorded
     * nowhere. They count themselves here, in what is still mapped of their parent's file. */
    uint32_t n_unrecorded;
    uint32_t unrecorded_reason; /* of the latest, enum mt_loss */
    uint8_t reserved1[8];
    /* 320 */
    char host[MT_HOST_BYTES];
    char program[MT_PROGRAM_BYTES];       /* the PROGRAM of the file's name */
    char executable[MT_EXECUTABLE_BYTES]; /* path of the interpreter */
    uint8_t reserved2[MT_FILE_HEADER_BYTES - 960];
};

struct mt_chunk_header {
    uint32_t magic;      /* with size: stored last, one 64-bit release store */
    uint32_t size_bytes; /* of the whole chunk, a multiple of MT_PAGE_BYTES */
    uint16_t type;       /* enum mt_chunk */
    uint16_t flags;
    uint32_t seq;    /* 0, 1, ... of this thread (events) or of the file (definitions) */
    uint32_t thread; /* events: number of the thread in this file, from 1 */
    uint32_t tid;    /* events: the kernel's id */
    struct mt_clock_pair pair;
    uint64_t start_tick; /* events: the first record's delta counts from here */
    uint64_t reserved;
};

/* X(NAME, number, text) */
#define MT_CHUNK_MAP(X)                                                                            \
    X(EVENTS, 1, "records of one thread")                                                          \
    X(DEFS, 2, "definitions")

enum mt_chunk {
    MT_CHUNK_NONE = 0,
#define X(name, number, text) MT_CHUNK_##name = number,
    MT_CHUNK_MAP(X)
#undef X
};

#define MT_CHUNK_MUST_UNDERSTAND 1u

/* ---------------------------------------------------------------------------------- what is pinned */

#define MT_PIN_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), "size of " #type)
#define MT_PIN(type, field, at) _Static_assert(offsetof(type, field) == (at), #type "." #field)
#ifdef __cplusplus
#undef MT_PIN_SIZE
#undef MT_PIN
#define MT_PIN_SIZE(type, bytes) static_assert(sizeof(type) == (bytes), "size of " #type)
#define MT_PIN(type, field, at) static_assert(offsetof(type, field) == (at), #type "." #field)
#endif

MT_PIN_SIZE(struct mt_gap, 24);
MT_PIN_SIZE(struct mt_lost, 24);
MT_PIN_SIZE(struct mt_resync_payload, 16);
MT_PIN_SIZE(struct mt_def_text, 8);
MT_PIN_SIZE(struct mt_def_code, 16);
MT_PIN_SIZE(struct mt_def_cfunc, 8);
MT_PIN_SIZE(struct mt_def_name, 16);
MT_PIN_SIZE(struct mt_clock_pair, 24);

MT_PIN_SIZE(struct mt_file_header, MT_FILE_HEADER_BYTES);
MT_PIN(struct mt_file_header, file_id, 16);
MT_PIN(struct mt_file_header, run_id, 32);
MT_PIN(struct mt_file_header, parent_id, 48);
MT_PIN(struct mt_file_header, boot_id, 64);
MT_PIN(struct mt_file_header, pid_ns, 80);
MT_PIN(struct mt_file_header, pid, 88);
MT_PIN(struct mt_file_header, start_time, 96);
MT_PIN(struct mt_file_header, parent_start_time, 104);
MT_PIN(struct mt_file_header, image, 112);
MT_PIN(struct mt_file_header, part, 116);
MT_PIN(struct mt_file_header, origin, 120);
MT_PIN(struct mt_file_header, parent_tid, 124);
MT_PIN(struct mt_file_header, fork_tick, 128);
MT_PIN(struct mt_file_header, clock, 136);
MT_PIN(struct mt_file_header, tick_shift, 140);
MT_PIN(struct mt_file_header, tick_hz, 144);
MT_PIN(struct mt_file_header, pair, 152);
MT_PIN(struct mt_file_header, engine, 176);
MT_PIN(struct mt_file_header, options, 180);
MT_PIN(struct mt_file_header, python_version, 184);
MT_PIN(struct mt_file_header, uid, 188);
MT_PIN(struct mt_file_header, time_ns, 192);
MT_PIN(struct mt_file_header, reserved0, 200);
MT_PIN(struct mt_file_header, n_lost, 256);
MT_PIN(struct mt_file_header, loss_reason, 264);
MT_PIN(struct mt_file_header, first_lost_tick, 272);
MT_PIN(struct mt_file_header, flags, 288);
MT_PIN(struct mt_file_header, n_displaced, 292);
MT_PIN(struct mt_file_header, end_tick, 296);
MT_PIN(struct mt_file_header, n_unrecorded, 304);
MT_PIN(struct mt_file_header, unrecorded_reason, 308);
MT_PIN(struct mt_file_header, reserved1, 312);
MT_PIN(struct mt_file_header, host, 320);
MT_PIN(struct mt_file_header, program, 384);
MT_PIN(struct mt_file_header, executable, 448);
MT_PIN(struct mt_file_header, reserved2, 960);

MT_PIN_SIZE(struct mt_chunk_header, MT_CHUNK_HEADER_BYTES);
MT_PIN(struct mt_chunk_header, size_bytes, 4);
MT_PIN(struct mt_chunk_header, type, 8);
MT_PIN(struct mt_chunk_header, seq, 12);
MT_PIN(struct mt_chunk_header, thread, 16);
MT_PIN(struct mt_chunk_header, tid, 20);
MT_PIN(struct mt_chunk_header, pair, 24);
MT_PIN(struct mt_chunk_header, start_tick, 48);

#endif /* MTRACE_FORMAT_H_ */
