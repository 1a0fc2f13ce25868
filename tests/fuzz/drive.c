/* drive.c - see drive.h. */
#include "drive.h"

#include <string.h>

#include "verify.h"

#define N_SHOWN 160u

void drive_require_wellformed(const char *fault, const struct mt_buf *bytes, size_t at)
{
    if (!fault)
        return;
    size_t from = at > N_SHOWN ? at - N_SHOWN : 0;
    size_t n = bytes->n_bytes - from < 2 * N_SHOWN ? bytes->n_bytes - from : 2 * N_SHOWN;
    fprintf(stderr, "at byte %zu of %zu: %s, in\n", at, bytes->n_bytes, fault);
    fwrite(bytes->data + from, 1, n, stderr);
    fputc('\n', stderr);
    abort();
}

/* The message is a sentence of this reader's, whatever the file says. */
static void verify_error(void *context, const struct mt_error *error)
{
    size_t n = strnlen(error->message, sizeof error->message);
    (void)context;
    REQUIRE(n > 0 && n < sizeof error->message);
}

struct mt_set *drive_set(const struct script *script, int which)
{
    const struct mt_reporter reporter = {verify_error, NULL};
    struct mt_set *set;
    REQUIRE(mt_set_new(&reporter, &set) == MT_OK);
    for (size_t i = 0; i < script->n_files; i++) {
        const struct script_file *file = &script->files[i];
        if (which == DRIVE_ALL || (i & 1) == (which == DRIVE_ODD))
            REQUIRE(mt_set_add_memory(set, file->name, file->data, file->n_bytes) == MT_OK);
    }
    REQUIRE(mt_set_finish(set) == MT_OK);
    verify_timeline(mt_set_timeline(set));
    uint32_t ids[2];
    struct mt_slice slice = script_slice(script, ids);
    if (script->slices)
        REQUIRE(mt_set_slice(set, &slice) == MT_OK);
    return set;
}

struct reading {
    const struct mt_timeline *timeline;
    struct mt_plan plan;
    struct mt_flows *flows;
    struct mt_desk *desks[2];
    struct mt_cursor **cursors; /* by track */
    struct track_state *states;
    uint64_t *n_lost_told;
};

static void open_reading(struct reading *reading, struct mt_set *set, unsigned needs)
{
    const struct mt_timeline *timeline = mt_set_timeline(set);
    *reading = (struct reading){.timeline = timeline};
    reading->cursors = calloc(timeline->n_tracks + (size_t)1, sizeof(struct mt_cursor *));
    reading->states = calloc(timeline->n_tracks + (size_t)1, sizeof *reading->states);
    reading->n_lost_told = calloc(timeline->n_processes + (size_t)1, sizeof(uint64_t));
    REQUIRE(reading->cursors && reading->states && reading->n_lost_told);
    REQUIRE(mt_plan_init(&reading->plan, set, needs) == MT_OK);
    REQUIRE(mt_flows_new(set, &reading->flows) == MT_OK);
    for (int i = 0; i < 2; i++)
        REQUIRE(mt_desk_new(set, &reading->desks[i]) == MT_OK);
    for (uint32_t i = 0; i < timeline->n_tracks; i++)
        REQUIRE(mt_cursor_new(set, i, needs, reading->flows, &reading->cursors[i]) == MT_OK);
}

/* What holds for a track that was read to its end. */
static void verify_track(const struct reading *reading, uint32_t track, unsigned needs)
{
    const struct track_state *state = &reading->states[track];
    REQUIRE(state->is_over != reading->timeline->tracks[track].left_out);
    REQUIRE(mt_cursor_status(reading->cursors[track]) == MT_OK);
    if (needs & MT_NEEDS_PAIRS)
        REQUIRE(state->n_unfinished == state->depth);
}

static void close_reading(struct reading *reading)
{
    for (uint32_t i = 0; i < reading->timeline->n_tracks; i++) {
        mt_cursor_free(reading->cursors[i]);
        free(reading->states[i].open);
    }
    mt_plan_fini(&reading->plan);
    mt_flows_free(reading->flows);
    mt_desk_free(reading->desks[0]);
    mt_desk_free(reading->desks[1]);
    free(reading->cursors);
    free(reading->states);
    free(reading->n_lost_told);
}

/* The run of a step; false: its track has no more. */
static bool read_step(struct reading *reading, size_t step, uint32_t n_workers, struct mt_run *run)
{
    uint32_t track = reading->plan.steps[step].track;
    REQUIRE(track < reading->timeline->n_tracks);
    if (!mt_cursor_next(reading->cursors[track], reading->desks[step % 2], run))
        return false;
    run->worker = (uint32_t)(step % n_workers);
    verify_run(run, &reading->states[track]);
    if (run->last)
        reading->n_lost_told[reading->timeline->tracks[track].process] +=
            mt_cursor_counts(reading->cursors[track])->n_lost;
    return true;
}

void drive_sink(struct mt_set *set, const struct mt_sink *sink, const void *options,
                uint32_t n_workers, struct mt_buf *out)
{
    struct mt_job job = {
        .timeline = mt_set_timeline(set), .n_workers = n_workers, .options = options};
    struct mt_outcome outcome = {0};
    struct reading reading;
    struct mt_run run;
    void *state;
    open_reading(&reading, set, sink->needs);
    REQUIRE(sink->begin(&job, out, &state) == MT_OK);
    for (size_t i = 0; i < reading.plan.n_steps; i++) {
        if (read_step(&reading, i, n_workers, &run))
            REQUIRE(sink->chunk(state, &run, out) == MT_OK);
    }
    for (uint32_t i = 0; i < reading.timeline->n_tracks; i++)
        verify_track(&reading, i, sink->needs);
    outcome.flows = mt_flows_settled(reading.flows, &outcome.n_flows);
    outcome.n_lost_told = reading.n_lost_told;
    verify_outcome(reading.timeline, &outcome);
    REQUIRE(sink->end(state, &outcome, out) == MT_OK);
    close_reading(&reading);
}

static bool count_record(void *context, const struct mt_record *record)
{
    ++*(uint64_t *)context;
    return record->offset > 0;
}

static void ask_file(struct mt_set *set, uint32_t file_idx)
{
    struct mt_file_info file;
    uint64_t n_records = 0;
    mt_set_file(set, file_idx, &file);
    REQUIRE(file.process < mt_set_timeline(set)->n_processes);
    REQUIRE(mt_set_each_record(set, file_idx, count_record, &n_records) == MT_OK);
    for (uint32_t i = 0; i < file.n_notes; i++) {
        struct mt_note_info note;
        mt_set_note(set, file_idx, i, &note);
        REQUIRE(!note.text.data[note.text.n_bytes]);
    }
}

void drive_reader(struct mt_set *set)
{
    struct mt_set_stats stats;
    struct reading reading;
    struct mt_run run;
    size_t n_flows;
    unsigned needs = MT_NEEDS_PAIRS | MT_NEEDS_FIRST;
    open_reading(&reading, set, needs);
    for (size_t i = 0; i < reading.plan.n_steps; i++)
        read_step(&reading, i, 1, &run);
    for (uint32_t i = 0; i < reading.timeline->n_tracks; i++)
        verify_track(&reading, i, needs);
    mt_flows_settled(reading.flows, &n_flows);
    close_reading(&reading);
    REQUIRE(mt_set_stats(set, &stats, NULL) == MT_OK);
    for (uint32_t i = 0; i < mt_set_n_files(set); i++)
        ask_file(set, i);
}
