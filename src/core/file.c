/* file.c - the process's file: made, appended to, given up for a new one; and the count of what
 * could not be recorded. Everything here runs with the lock held and signals blocked.
 *
 * The file is opened by its path whenever it grows and closed at once: the traced program may
 * close any descriptor and use its number again. Its first page, the header, stays mapped, so the
 * counters of a loss reach the file even when it cannot be opened any more.
 */
#include <errno.h>
#include <string.h>

#include "core/state.h"

/* ---- names */

static char *put_text(char *at, const char *end, const char *text)
{
    while (*text != '\0' && at < end)
        *at++ = *text++;
    return at;
}

static char *put_number(char *at, const char *end, uint32_t number)
{
    char digits[10];
    int n = 0;
    do {
        digits[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    while (n > 0 && at < end)
        *at++ = digits[--n];
    return at;
}

/* DIR/PROGRAM.PID.trace, or DIR/PROGRAM.PID.N.trace. False: too long. */
static bool make_path(char *path, size_t size, uint32_t pid, uint32_t attempt)
{
    char *at = path, *end = path + size - 1;
    at = put_text(at, end, mt__kept.directory);
    at = put_text(at, end, "/");
    at = put_text(at, end, mt__kept.program);
    at = put_text(at, end, ".");
    at = put_number(at, end, pid);
    if (attempt > 1) {
        at = put_text(at, end, ".");
        at = put_number(at, end, attempt);
    }
    at = put_text(at, end, MT_FILE_SUFFIX);
    *at = '\0';
    return at < end;
}

/* ---- making a file */

static void fill_header(struct mt_file_header *header, enum mt_origin origin)
{
    const struct mt_kept *kept = &mt__kept;
    header->major = MT_FORMAT_MAJOR;
    header->minor = MT_FORMAT_MINOR;
    header->header_bytes = MT_FILE_HEADER_BYTES;
    memcpy(header->file_id, kept->file_id, 16);
    memcpy(header->run_id, kept->run_id, 16);
    memcpy(header->parent_id, kept->parent_id, 16);
    memcpy(header->boot_id, kept->info.boot_id, 16);
    header->pid_ns = kept->info.pid_ns;
    header->time_ns = kept->info.time_ns;
    header->pid = kept->info.pid;
    header->ppid = kept->info.ppid;
    header->start_time = kept->info.start_time;
    header->parent_start_time = kept->info.parent_start_time;
    header->image = kept->image;
    header->part = mt__process->part;
    header->origin = origin;
    header->parent_tid = kept->origin == MT_ORIGIN_FORK ? kept->fork_tid : 0;
    header->fork_tick = kept->origin == MT_ORIGIN_FORK ? kept->fork_tick : 0;
    header->clock = kept->clock;
    header->tick_hz = kept->tick_hz;
    mt_os_clock_pair(kept->clock, &header->pair);
    header->engine = kept->engine;
    header->options = kept->options;
    header->python_version = kept->python_version;
    header->uid = kept->info.uid;
    memcpy(header->host, kept->info.host, MT_HOST_BYTES);
    memcpy(header->program, kept->program, MT_PROGRAM_BYTES);
    memcpy(header->executable, kept->executable, MT_EXECUTABLE_BYTES);
}

/* Milliseconds of uptime: exec keeps pid and start time, but loses our count, and takes longer. */
void mt__next_image(void)
{
    uint32_t now = (uint32_t)(mt_os_monotonic_ns() >> 20);
    mt__kept.image = now > mt__kept.image ? now : mt__kept.image + 1;
}

/* A file of zeros for a header and *room_bytes behind it; without room where there is no space. */
static int create(struct mt_os_file *file, void **map, uint32_t *room_bytes)
{
    const char *path = mt__process->path;
    *room_bytes = MT_ROOM_FIRST_BYTES;
    int error = mt_os_create(path, MT_FILE_HEADER_BYTES + *room_bytes, file, map);
    if (error == 0 || error == EEXIST)
        return error;
    *room_bytes = 0;
    return mt_os_create(path, MT_FILE_HEADER_BYTES, file, map);
}

/* A new file for this process. kept.file_id becomes its id; kept.info must be this process's. */
int mt__file_create(enum mt_origin origin)
{
    struct mt_process *process = mt__process;
    struct mt_os_file file;
    void *map = NULL;
    uint32_t room_bytes = 0;
    int error = EEXIST;
    uint32_t attempt = 0;
    while (error == EEXIST && attempt < 100000) {
        if (!make_path(process->path, sizeof process->path, mt__kept.info.pid, ++attempt))
            error = ENAMETOOLONG;
        else
            error = create(&file, &map, &room_bytes);
    }
    if (error != 0) {
        process->path[0] = '\0';
        return error;
    }
    struct mt_file_header *header = map;
    MT_TESTPOINT(file_created);
    /* As late as can be: at the start of the program this may have to wait. The child of a fork has
     * its parent's, and other threads read it while a new part is made. */
    if (origin != MT_ORIGIN_FORK && origin != MT_ORIGIN_CONTINUED)
        mt__measure_hz();
    mt_os_random(mt__kept.file_id, sizeof mt__kept.file_id);
    fill_header(header, origin);
    MT_TESTPOINT(header_filled);
    mt_store_release(&header->magic, MT_FILE_MAGIC);
    MT_TESTPOINT(header_stored);
    process->file = file;
    process->file_bytes = MT_FILE_HEADER_BYTES;
    mt__file_leave_room(); /* of the former file */
    process->room = room_bytes > 0 ? (char *)map + MT_FILE_HEADER_BYTES : NULL;
    process->room_bytes = room_bytes;
    mt_store_release(&process->header, header); /* pairs with mt__count_loss() */
    mt__kept.header = header;
    process->first_id = mt__kept.next_id;
    process->n_def_chunks = 0;
    if (process->next_string != 0) /* else it is zeros: a child does not touch pages in vain */
        memset(process->strings, 0, sizeof process->strings);
    process->next_string = 1;
    if (process->defs_map != NULL)
        mt_os_unmap(process->defs_map, process->defs_bytes);
    process->defs_map = NULL;
    process->defs_next = process->defs_end = NULL;
    return 0;
}

/* Goes on in a new file, when the present one cannot grow any more. The old header stays mapped:
 * another thread may be about to count a loss in it. */
static int next_part(void)
{
    struct mt_process *process = mt__process;
    memcpy(mt__kept.former_path, process->path, sizeof mt__kept.former_path);
    uint32_t part = process->part;
    mt_store_relaxed(&process->part, part + 1);
    mt__kept.info.uid = mt_os_uid();
    int error = mt__file_create(MT_ORIGIN_CONTINUED);
    if (error != 0) {
        mt_store_relaxed(&process->part, part);
        memcpy(process->path, mt__kept.former_path, sizeof process->path);
        return error;
    }
    /* New names go to the new file: no thread may use one in a chunk of the former. */
    for (uint32_t i = 0; i < mt__kept.n_slots; i++) {
        struct mt_thread *thread = mt__thread_at(i);
        if (thread->live) /* else it may have no slot: of a thread that came during a raw fork */
            mt_store_relaxed(&thread->slot->end, NULL);
    }
    return 0;
}

/* ---- growing */

/* Would a new file help? One that is new itself would fail the same way. */
static bool part_helps(int error)
{
    if (mt__process->file_bytes == MT_FILE_HEADER_BYTES)
        return false;
    return error == EFBIG || error == EACCES || error == EPERM || error == ESTALE ||
           error == ENOENT || error == ENOTDIR || error == ELOOP || error == EISDIR ||
           error == ENXIO;
}

static int append(uint32_t bytes, void **map)
{
    struct mt_process *process = mt__process;
    return mt_os_append(process->path, &process->file, process->file_bytes, bytes, map);
}

void mt__file_leave_room(void)
{
    struct mt_process *process = mt__process;
    if (process->room != NULL)
        mt_os_unmap(process->room, process->room_bytes);
    process->room = NULL;
    process->room_bytes = 0;
}

/* The beginning of the room, of *bytes or what there is. False: it is too small; then it is left,
 * and the next chunk takes its place in the file. */
static bool take_room(uint32_t *bytes, uint32_t smallest, void **map)
{
    struct mt_process *process = mt__process;
    if (process->room_bytes < smallest) {
        mt__file_leave_room();
        return false;
    }
    if (*bytes > process->room_bytes)
        *bytes = process->room_bytes;
    *map = process->room;
    process->room_bytes -= *bytes;
    process->room = process->room_bytes > 0 ? (char *)*map + *bytes : NULL;
    return true;
}

/* Makes the file longer, or a new one. */
static int grow(uint32_t *bytes, uint32_t smallest, void **map)
{
    /* The largest chunks end, and so mostly begin, at multiples of their size: there a file system
     * has large folios. */
    uint32_t rest = MT_CHUNK_LARGEST_BYTES -
                    (uint32_t)(mt__process->file_bytes % MT_CHUNK_LARGEST_BYTES);
    if (*bytes == MT_CHUNK_LARGEST_BYTES && rest >= smallest)
        *bytes = rest;
    int error = append(*bytes, map);
    /* A file that has reached its limit is filled up first; a full disk or address space may have
     * a little left. */
    while ((error == ENOSPC || error == EDQUOT || error == ENOMEM || error == EAGAIN ||
            error == EFBIG) &&
           *bytes > smallest) {
        uint32_t fewer = *bytes / MT_CHUNK_GROWTH & ~(uint32_t)(MT_PAGE_BYTES - 1);
        *bytes = fewer > smallest ? fewer : smallest;
        error = append(*bytes, map);
    }
    if (error != 0 && part_helps(error) && next_part() == 0)
        error = take_room(bytes, smallest, map) ? 0 : append(*bytes, map);
    return error;
}

/* Appends a chunk of *bytes, or of less but at least `smallest` where there is not enough room,
 * perhaps in a new file. *map is its start, *bytes its size; nothing is committed yet. */
int mt__file_append(uint32_t *bytes, uint32_t smallest, void **map)
{
    int error = take_room(bytes, smallest, map) ? 0 : grow(bytes, smallest, map);
    if (error == 0)
        MT_TESTPOINT(chunk_appended);
    return error;
}

void mt__chunk_commit(struct mt_chunk_header *chunk, uint32_t bytes)
{
    MT_TESTPOINT(chunk_filled);
    /* Magic and size in one store: pairs with the reader's look at the first eight bytes. */
    mt_store_release((uint64_t *)(void *)chunk, (uint64_t)bytes << 32 | MT_CHUNK_MAGIC);
    mt__process->file_bytes += bytes;
    MT_TESTPOINT(chunk_stored);
}

/* ---- losses */

enum mt_loss mt__loss_of(int error)
{
    switch (error) {
    case 0: return MT_LOSS_NONE;
    case ENOSPC:
    case EDQUOT: return MT_LOSS_NO_SPACE;
    case EFBIG: return MT_LOSS_FILE_LIMIT;
    case ENOMEM:
    case EAGAIN: return MT_LOSS_NO_MEMORY;
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP: return MT_LOSS_DENIED;
    case ENOENT:
    case ENOTDIR:
    case EISDIR: /* or something else has its name: a directory, a socket */
    case ENXIO:
    case ESTALE: return MT_LOSS_GONE;
    case EMFILE:
    case ENFILE: return MT_LOSS_FILES;
    default: return MT_LOSS_IO;
    }
}

/* A child of a fork has no file of its own (`error` says why), or has got one after all (0): its
 * nearest ancestor's file, `header`, says so. */
void mt__count_unrecorded(struct mt_file_header *header, int error)
{
    if (header == NULL)
        return;
    mt_add_relaxed(&header->n_unrecorded, error != 0 ? 1u : UINT32_MAX);
    if (error != 0)
        mt_store_relaxed(&header->unrecorded_reason, (uint32_t)mt__loss_of(error));
}

/* With an error: why the next losses happen. Without: one event was lost at `now`. Needs no lock:
 * its fields are counters. */
void mt__count_loss(int error, uint64_t now)
{
    struct mt_file_header *header = mt_load_acquire(&mt__process->header);
    if (header == NULL)
        return;
    if (error != 0) {
        mt_store_relaxed(&header->loss_error, (uint32_t)error);
        mt_store_relaxed(&header->loss_reason, (uint32_t)mt__loss_of(error));
        return;
    }
    mt_add_relaxed(&header->n_lost, 1);
    if (mt_load_relaxed(&header->first_lost_tick) == 0)
        mt_store_relaxed(&header->first_lost_tick, now);
    mt_store_relaxed(&header->last_lost_tick, now);
}
