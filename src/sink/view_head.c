/* view_head.c - all that the page knows beside events: names, processes, tracks, arrows, losses. Called
 * by sink_view.c, at its end.
 */
#include "base/hash.h"
#include "base/json.h"
#include "base/map.h"
#include "mtrace/format.h"
#include "profile/label.h"
#include "sink/view_parts.h"

static void key(struct mt_buf *out, const char *name)
{
    char last = out->n_bytes ? out->data[out->n_bytes - 1] : '{';
    if (last != '{' && last != '[')
        mt_buf_append_char(out, ',');
    mt_buf_append_char(out, '"');
    mt_buf_append_text(out, name);
    mt_buf_append_text(out, "\":");
}

static void number(struct mt_buf *out, const char *name, uint64_t value)
{
    key(out, name);
    mt_buf_append_u64(out, value);
}

static void text(struct mt_buf *out, const char *name, struct mt_text value)
{
    key(out, name);
    mt_json_string(out, value.data, value.n_bytes);
}

static struct mt_text text_of(const char *data)
{
    return (struct mt_text){data, (uint32_t)strlen(data)};
}

/* Between the items of an array. */
static void comma(struct mt_buf *out)
{
    char last = out->n_bytes ? out->data[out->n_bytes - 1] : '[';
    if (last != '[')
        mt_buf_append_char(out, ',');
}

/* ------------------------------------------------------------------------------------- functions */

/* Columns, and files by their numbers: most of them are there again and again. */
static void functions(const struct mt_timeline *timeline, struct mt_buf *out)
{
    struct mt_map numbers = {0}; /* a file's hash -> its number */
    struct mt_buf files = {0}, file_of = {0};
    uint32_t n_files = 0;
    for (uint32_t i = 0; i < timeline->n_funcs; i++) {
        const struct mt_text *file = &timeline->funcs[i].file;
        bool is_new = false;
        uint32_t *place = mt_map_put(
            &numbers, mt_hash_bytes(file->data, file->n_bytes, mt_hash_secret), n_files, &is_new);
        if (is_new) {
            mt_buf_append_text(&files, n_files++ ? "," : "");
            mt_json_string(&files, file->data, file->n_bytes);
        }
        mt_buf_append_text(&file_of, i ? "," : "");
        mt_buf_append_u64(&file_of, place ? *place : 0);
        files.failed |= !place;
    }
    key(out, "files");
    mt_buf_append_char(out, '[');
    mt_buf_append(out, files.data, files.n_bytes);
    mt_buf_append_text(out, "],\"func_file\":[");
    mt_buf_append(out, file_of.data, file_of.n_bytes);
    mt_buf_append_char(out, ']');
    out->failed |= files.failed | file_of.failed;
    mt_map_fini(&numbers);
    mt_buf_fini(&files);
    mt_buf_fini(&file_of);
    key(out, "func_name");
    mt_buf_append_char(out, '[');
    struct mt_buf name = {0};
    for (uint32_t i = 0; i < timeline->n_funcs; i++) {
        mt_buf_clear(&name);
        mt_label_put_name(&timeline->funcs[i], &name);
        comma(out);
        mt_json_string(out, name.data, name.n_bytes);
        out->failed |= name.failed;
    }
    mt_buf_fini(&name);
    mt_buf_append_text(out, "],\"func_line\":[");
    for (uint32_t i = 0; i < timeline->n_funcs; i++) {
        comma(out);
        mt_buf_append_u64(out, timeline->funcs[i].line);
    }
    mt_buf_append_text(out, "],\"func_is_c\":[");
    for (uint32_t i = 0; i < timeline->n_funcs; i++) {
        comma(out);
        mt_buf_append_u64(out, timeline->funcs[i].kind == MT_FUNC_C);
    }
    mt_buf_append_char(out, ']');
}

/* ---------------------------------------------------------------------------- processes, threads */

static const char *loss_text(uint32_t reason)
{
    switch (reason) {
#define X(name, number, text)                                                                      \
    case number: return text;
        MT_LOSS_MAP(X)
#undef X
    default: return "";
    }
}

static void process(const struct mt__view_end *end, uint32_t idx, struct mt_buf *out)
{
    const struct mt_process *process = &end->timeline->processes[idx];
    comma(out);
    mt_buf_append_char(out, '{');
    text(out, "name", process->name);
    text(out, "host", process->host);
    number(out, "pid", process->pid);
    number(out, "real_pid", process->real_pid);
    number(out, "ppid", process->ppid);
    number(out, "start", process->start_ns);
    if (process->parent != MT_NONE)
        number(out, "parent", process->parent);
    if (process->former != MT_NONE)
        number(out, "former", process->former);
    if (process->left_out)
        number(out, "left_out", 1);
    uint64_t n_told = end->outcome->n_lost_told[idx];
    if (process->n_lost || n_told)
        number(out, "lost", process->n_lost > n_told ? process->n_lost : n_told);
    if (process->n_lost > n_told) { /* of threads that could not say so */
        number(out, "lost_untold", process->n_lost - n_told);
        number(out, "lost_from", process->first_lost_ns);
        number(out, "lost_to", process->last_lost_ns);
    }
    if (process->n_lost)
        text(out, "lost_why", text_of(loss_text(process->loss_reason)));
    mt_buf_append_char(out, '}');
}

static void track(const struct mt__view_end *end, uint32_t idx, struct mt_buf *out)
{
    const struct mt_track *track = &end->timeline->tracks[idx];
    const struct mt__view_sums *sums = &end->sums[idx];
    comma(out);
    mt_buf_append_char(out, '{');
    number(out, "process", track->process);
    number(out, "tid", track->tid);
    text(out, "name", track->name);
    number(out, "first", track->first_ns);
    number(out, "last", sums->last_ns);
    if (track->real_tid != track->tid)
        number(out, "real_tid", track->real_tid);
    if (sums->n_reopened)
        number(out, "reopened", sums->n_reopened);
    if (track->left_out)
        number(out, "left_out", 1);
    key(out, "rows");
    mt_buf_append_char(out, '[');
    for (size_t i = 0; i < sums->n_rows; i++) {
        comma(out);
        mt_buf_append_u64(out, sums->rows[i]);
    }
    mt_buf_append_text(out, "]}");
}

static void arrows(const struct mt_outcome *outcome, struct mt_buf *out)
{
    key(out, "arrows");
    mt_buf_append_char(out, '[');
    for (size_t i = 0; i < outcome->n_flows; i++) {
        const struct mt_flow *flow = &outcome->flows[i];
        comma(out);
        mt_buf_printf(out, "[%u,%u,%llu,%llu]", flow->from_track, flow->to_track,
                      (unsigned long long)flow->from_ns, (unsigned long long)flow->to_ns);
    }
    mt_buf_append_char(out, ']');
}

void mt__view_head(const struct mt__view_end *end, struct mt_buf *out)
{
    const struct mt_timeline *timeline = end->timeline;
    uint64_t last_ns = 0;
    for (uint32_t i = 0; i < timeline->n_tracks; i++)
        last_ns = end->sums[i].last_ns > last_ns ? end->sums[i].last_ns : last_ns;
    mt_buf_append_char(out, '{');
    number(out, "version", MT__VIEW_VERSION);
    text(out, "title", text_of(end->options->title));
    number(out, "events", end->options->outcome->n_events);
    number(out, "zero_real_ms", timeline->zero_real_ns / 1000000);
    number(out, "last", last_ns);
    number(out, "hosts", timeline->n_hosts);
    number(out, "bins", end->n_bins);
    number(out, "shift", end->shift);
    key(out, "processes");
    mt_buf_append_char(out, '[');
    for (uint32_t i = 0; i < timeline->n_processes; i++)
        process(end, i, out);
    mt_buf_append_char(out, ']');
    key(out, "tracks");
    mt_buf_append_char(out, '[');
    for (uint32_t i = 0; i < timeline->n_tracks; i++)
        track(end, i, out);
    mt_buf_append_char(out, ']');
    functions(timeline, out);
    arrows(end->outcome, out);
    mt_buf_append_char(out, '}');
}
