/* label.c - see label.h. Used by the sinks, mostly before they write events. */
#include "sink/label.h"

#define MAX_IMAGES 8 /* that a process's name tells of */

static void append(struct mt_buf *out, const struct mt_text *text)
{
    mt_buf_append(out, text->data, text->n_bytes);
}

static void append_ids(struct mt_buf *out, const char *kind, uint32_t shown, uint32_t real)
{
    if (shown == real)
        mt_buf_printf(out, " (%u)", shown);
    else
        mt_buf_printf(out, " (%u, %s %u)", shown, kind, real);
}

void mt__label_process(struct mt_buf *out, const struct mt_timeline *timeline, uint32_t process_idx)
{
    const struct mt_process *process = &timeline->processes[process_idx];
    append(out, &process->name);
    append_ids(out, "pid", process->pid, process->real_pid);
    if (timeline->n_hosts > 1) {
        mt_buf_append_text(out, " on ");
        append(out, &process->host);
    }
}

void mt__label_track(struct mt_buf *out, const struct mt_timeline *timeline, uint32_t track_idx)
{
    const struct mt_track *track = &timeline->tracks[track_idx];
    if (track->name.n_bytes)
        append(out, &track->name);
    else
        mt_buf_append_text(out, "Thread");
    append_ids(out, "tid", track->tid, track->real_tid);
}

/* ---- names without ids */

static void append_images(struct mt_buf *out, const struct mt_timeline *timeline, uint32_t process)
{
    const struct mt_text *names[MAX_IMAGES];
    size_t n = 0;
    while (process != MT_NONE && n < MAX_IMAGES) {
        const struct mt_text *name = &timeline->processes[process].name;
        if (!n || name->data != names[n - 1]->data)
            names[n++] = name;
        process = timeline->processes[process].former;
    }
    if (process != MT_NONE)
        mt_buf_append_text(out, "... > ");
    while (n > 0) {
        append(out, names[--n]);
        if (n)
            mt_buf_append_text(out, " > ");
    }
}

void mt__name_process(struct mt_buf *out, const struct mt_timeline *timeline, uint32_t process_idx)
{
    const struct mt_process *process = &timeline->processes[process_idx];
    append_images(out, timeline, process_idx);
    if (process->pid != process->real_pid)
        mt_buf_printf(out, " (pid %u)", process->real_pid);
    if (timeline->n_hosts > 1) {
        mt_buf_append_text(out, " on ");
        append(out, &process->host);
    }
}

void mt__name_track(struct mt_buf *out, const struct mt_timeline *timeline, uint32_t track_idx)
{
    const struct mt_track *track = &timeline->tracks[track_idx];
    bool is_synthetic = track->tid != track->real_tid;
    if (track->name.n_bytes)
        append(out, &track->name);
    else if (is_synthetic)
        mt_buf_append_text(out, "Thread");
    if (is_synthetic)
        mt_buf_printf(out, " (tid %u)", track->real_tid);
}

/* ---- texts that are repeated */

uint32_t mt__label_repeated_bytes(const struct mt_text *text)
{
    uint32_t n = text->n_bytes;
    if (n <= MT__REPEATED_TEXT_BYTES)
        return n;
    n = MT__REPEATED_TEXT_BYTES;
    for (int i = 0; i < 3 && ((unsigned char)text->data[n] & 0xc0) == 0x80; i++)
        n--;
    return n;
}
