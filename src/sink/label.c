/* label.c - see label.h. Used by the sinks of text formats, when they begin a track. */
#include "sink/label.h"

static void append(struct mt_buf *out, const struct mt_text *text)
{
    mt_buf_append(out, text->data, text->n_bytes);
}

void mt__label_func(struct mt_buf *out, const struct mt_func *func)
{
    if (func->owner.n_bytes) {
        append(out, &func->owner);
        mt_buf_append_char(out, '.');
    }
    append(out, &func->name);
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
