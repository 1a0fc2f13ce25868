/* chrome_meta.c - names and order of processes and threads as Chrome's metadata events. Called by
 * sink_chrome.c, once, before any other event is written.
 */
#include <stdlib.h>

#include "base/json.h"
#include "sink/chrome.h"
#include "sink/label.h"

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

static void escape_label(struct mt_buf *out, struct mt_buf *label)
{
    mt_json_escape(out, label->data, label->n_bytes);
    out->failed |= label->failed;
    mt_buf_fini(label);
}

static void process_name(struct mt_buf *out, bool *is_first, const struct mt_timeline *timeline,
                         uint32_t idx)
{
    const struct mt_process *process = &timeline->processes[idx];
    struct mt_buf label = {0};
    begin_line(out, is_first, "process_name", process->pid, NULL);
    mt_buf_append_text(out, "\"name\":\"");
    mt__name_process(&label, timeline, idx);
    escape_label(out, &label);
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
    struct mt_buf label = {0};
    mt__name_track(&label, timeline, idx);
    if (label.n_bytes) {
        begin_line(out, is_first, "thread_name", process->pid, &track->tid);
        mt_buf_append_text(out, "\"name\":\"");
        escape_label(out, &label);
        mt_buf_append_char(out, '"');
        if (track->tid != track->real_tid)
            mt_buf_printf(out, ",\"real_tid\":%u", track->real_tid);
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
