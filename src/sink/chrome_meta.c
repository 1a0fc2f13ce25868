/* chrome_meta.c - names and order of processes and threads as Chrome's metadata events. Called by
 * sink_chrome.c, once, before any other event is written.
 */
#include <stdlib.h>

#include "base/json.h"
#include "sink/chrome.h"

#define MAX_IMAGES 8 /* that a process's name tells of */

static void begin_line(struct mt_buf *out, bool *is_first, const char *name, uint32_t pid,
                       const uint32_t *tid)
{
    mt_buf_append_text(out, *is_first ? "" : ",\n");
    *is_first = false;
    mt_buf_append_text(out, "{\"ph\":\"M\",\"pid\":");
    mt_buf_append_u64(out, pid);
    if (tid) {
        mt_buf_append_text(out, ",\"tid\":");
        mt_buf_append_u64(out, *tid);
    }
    mt_buf_append_text(out, ",\"name\":\"");
    mt_buf_append_text(out, name);
    mt_buf_append_text(out, "\",\"args\":{");
}

static void sort_line(struct mt_buf *out, bool *is_first, const char *name, uint32_t pid,
                      const uint32_t *tid, uint32_t sort_index)
{
    begin_line(out, is_first, name, pid, tid);
    mt_buf_append_text(out, "\"sort_index\":");
    mt_buf_append_u64(out, sort_index);
    mt_buf_append_text(out, "}}");
}

/* The names of a process's images, "before > after"; they have one pid and so one name. */
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
        n--;
        mt_json_escape(out, names[n]->data, names[n]->n_bytes);
        if (n)
            mt_buf_append_text(out, " > ");
    }
}

static void process_name(struct mt_buf *out, bool *is_first, const struct mt_timeline *timeline,
                         uint32_t idx)
{
    const struct mt_process *process = &timeline->processes[idx];
    begin_line(out, is_first, "process_name", process->pid, NULL);
    mt_buf_append_text(out, "\"name\":\"");
    append_images(out, timeline, idx);
    if (process->pid != process->real_pid)
        mt_buf_printf(out, " (pid %u)", process->real_pid);
    if (timeline->n_hosts > 1) {
        mt_buf_append_text(out, " on ");
        mt_json_escape(out, process->host.data, process->host.n_bytes);
    }
    mt_buf_append_char(out, '"');
    if (process->pid != process->real_pid)
        mt_buf_printf(out, ",\"real_pid\":%u", process->real_pid);
    mt_buf_append_text(out, "}}");
}

static void track_lines(struct mt_buf *out, bool *is_first, const struct mt_timeline *timeline,
                        uint32_t idx)
{
    const struct mt_track *track = &timeline->tracks[idx];
    const struct mt_process *process = &timeline->processes[track->process];
    bool is_synthetic = track->tid != track->real_tid;
    if (track->name.n_bytes || is_synthetic) {
        begin_line(out, is_first, "thread_name", process->pid, &track->tid);
        mt_buf_append_text(out, "\"name\":\"");
        if (track->name.n_bytes)
            mt_json_escape(out, track->name.data, track->name.n_bytes);
        else
            mt_buf_append_text(out, "Thread");
        if (is_synthetic)
            mt_buf_printf(out, " (tid %u)\",\"real_tid\":%u", track->real_tid, track->real_tid);
        else
            mt_buf_append_char(out, '"');
        mt_buf_append_text(out, "}}");
    }
    sort_line(out, is_first, "thread_sort_index", process->pid, &track->tid,
              idx - process->first_track);
}

enum mt_status mt__chrome_metadata(const struct mt_timeline *timeline, struct mt_buf *out)
{
    bool is_first = true;
    uint8_t *has_later = calloc(timeline->n_processes + 1, 1); /* image of the same process */
    if (!has_later)
        return MT_NOMEM;
    for (uint32_t i = 0; i < timeline->n_processes; i++) {
        if (timeline->processes[i].former != MT_NONE)
            has_later[timeline->processes[i].former] = 1;
    }
    for (uint32_t i = 0; i < timeline->n_processes; i++) {
        const struct mt_process *process = &timeline->processes[i];
        if (process->left_out)
            continue;
        if (!has_later[i])
            process_name(out, &is_first, timeline, i);
        if (process->former == MT_NONE)
            sort_line(out, &is_first, "process_sort_index", process->pid, NULL, i);
        for (uint32_t k = 0; k < process->n_tracks; k++) {
            if (!timeline->tracks[process->first_track + k].left_out)
                track_lines(out, &is_first, timeline, process->first_track + k);
        }
    }
    free(has_later);
    return out->failed ? MT_NOMEM : MT_OK;
}
