/* feed.c - drives a set through a sink, with several workers at once. Called by merge.c and by the
 * commands that add up.
 *
 * The plan's steps (reader.h) are dealt out as tickets, a few steps each. A worker takes the next
 * ticket and for each step waits until the track's former one was read, reads, lets the track go, and
 * formats and packs; then the bytes of the ticket are written when it is their turn, by the worker that
 * completes what is next: there is no thread that only writes.
 *
 * Invariant: bytes are written in the order of the plan and are the same for any number of workers (as
 * far as the codec makes the same of the same).
 * No more than n_slots tickets are in flight, so memory does not grow with the trace. The worker with
 * the lowest ticket never waits for another.
 */
#include <stdlib.h>

#include "base/atomic.h"
#include "base/buf.h"
#include "cli/cli.h"
#include "cli/codec.h"
#include "cli/pool.h"

/* Of a ticket; short steps are put together, so that there are not too many of them. */
#define TICKET_WORDS 4096u
#define TICKET_MAX_STEPS 64u
/* How long to look at a track before sleeping. Reading a piece takes some microseconds. */
#define N_LOOKS 2000u
/* Unless more are asked for. */
#define MAX_SUMMING_WORKERS 4u
/* Where nothing is written a worker that was held up need not hold up the others. */
#define N_EMPTY_SLOTS 256u

struct track {
    struct mt_cursor *cursor; /* from its first step to its last run */
    uint32_t n_taken;         /* steps in tickets; under the gate */
    /* Stored under the gate, with release order: */
    uint32_t n_read;      /* steps that are done with the cursor */
    uint32_t n_formatted; /* MT_NEEDS_SERIAL: steps that are done with the sink */
};

/* A ticket that is done and waits for those before it. */
struct slot {
    struct mt_buf bytes;
    size_t end_step;
    bool done;
};

struct ticket {
    size_t number;
    size_t first_step, n_steps;
    uint32_t turns[TICKET_MAX_STEPS]; /* of each step: which of its track's it is */
};

struct worker {
    struct mt_desk *desk;
    struct mt_buf bytes; /* of its ticket */
    struct mt_buf packed;
    void *codec_state;
    struct ticket ticket;
};

struct feeding {
    const struct mt_feed *feed;
    uint64_t n_written; /* bytes; by whoever writes */
    struct mt_plan plan;
    struct mt_flows *flows;
    void *sink_state;
    struct track *tracks;
    struct worker *workers;
    uint32_t n_workers;
    struct mt_gate *gate;

    /* Under the gate. */
    struct slot *slots; /* by ticket number modulo n_slots */
    size_t n_slots;
    size_t next_step, next_ticket;
    size_t next_written;   /* ticket; whoever holds it is the one who may write */
    uint64_t *n_lost_told; /* by process */
    uint32_t n_asleep;
    enum mt_status status; /* the first that was not MT_OK */
    bool unwanted;         /* write() said no */
};

/* ---- meeting at the gate; all but await_turn are called within it */

static void sleep_here(struct feeding *feeding)
{
    feeding->n_asleep++;
    mt__gate_sleep(feeding->gate);
    feeding->n_asleep--;
}

static void wake(struct feeding *feeding)
{
    if (feeding->n_asleep)
        mt__gate_wake(feeding->gate);
}

static bool stopped(const struct feeding *feeding)
{
    return feeding->status != MT_OK || feeding->unwanted;
}

static void fail(struct feeding *feeding, enum mt_status status)
{
    if (status != MT_OK && feeding->status == MT_OK)
        feeding->status = status;
}

/* Until so many steps of a track have been read, or formatted. */
static void await_turn(struct feeding *feeding, const uint32_t *n_done, uint32_t turn)
{
    for (uint32_t i = 0; feeding->n_workers > 1 && i < N_LOOKS; i++) {
        if (mt_load_acquire(n_done) == turn) /* pairs with let_go */
            return;
        mt_cpu_relax();
    }
    mt__gate_lock(feeding->gate);
    while (*n_done != turn)
        sleep_here(feeding);
    mt__gate_unlock(feeding->gate);
}

/* The track's next step may be read, or formatted. */
static void let_go(struct feeding *feeding, uint32_t *n_done)
{
    mt__gate_lock(feeding->gate);
    mt_store_release(n_done, *n_done + 1); /* pairs with await_turn */
    wake(feeding);
    mt__gate_unlock(feeding->gate);
}

/* False: there is no more to do. */
static bool take_ticket(struct feeding *feeding, struct ticket *ticket)
{
    const struct mt_plan *plan = &feeding->plan;
    mt__gate_lock(feeding->gate);
    while (!stopped(feeding) && feeding->next_ticket - feeding->next_written >= feeding->n_slots)
        sleep_here(feeding);
    bool more = !stopped(feeding) && feeding->next_step < plan->n_steps;
    if (more) {
        ticket->number = feeding->next_ticket++;
        ticket->first_step = feeding->next_step;
        ticket->n_steps = 0;
    }
    uint64_t n_words = 0;
    while (more && ticket->n_steps < TICKET_MAX_STEPS && feeding->next_step < plan->n_steps) {
        const struct mt_step *step = &plan->steps[feeding->next_step];
        if (ticket->n_steps && n_words + step->n_words > TICKET_WORDS)
            break;
        n_words += step->n_words;
        ticket->turns[ticket->n_steps++] = feeding->tracks[step->track].n_taken++;
        feeding->next_step++;
    }
    mt__gate_unlock(feeding->gate);
    return more;
}

/* ---- reading, formatting, packing */

static void swap_bytes(struct mt_buf *a, struct mt_buf *b)
{
    struct mt_buf kept = *a;
    *a = *b;
    *b = kept;
}

/* After a track's last run. */
static void close_track(struct feeding *feeding, uint32_t track_idx)
{
    struct track *track = &feeding->tracks[track_idx];
    uint32_t process = mt_set_timeline(feeding->feed->set)->tracks[track_idx].process;
    mt__gate_lock(feeding->gate);
    feeding->n_lost_told[process] += mt_cursor_counts(track->cursor)->n_lost;
    fail(feeding, mt_cursor_status(track->cursor));
    mt__gate_unlock(feeding->gate);
    mt_cursor_free(track->cursor);
    track->cursor = NULL;
}

/* The next run of a track; false: it has none, a track may have fewer than the plan has steps. */
static bool read_run(struct feeding *feeding, uint32_t track_idx, bool is_first,
                     struct mt_desk *desk, struct mt_run *run)
{
    struct track *track = &feeding->tracks[track_idx];
    const struct mt_feed *feed = feeding->feed;
    if (is_first) {
        enum mt_status status = mt_cursor_new(feed->set, track_idx, feed->sink->needs,
                                              feeding->flows, &track->cursor);
        mt__gate_lock(feeding->gate);
        fail(feeding, status);
        mt__gate_unlock(feeding->gate);
    }
    if (!track->cursor || !mt_cursor_next(track->cursor, desk, run))
        return false;
    if (run->last)
        close_track(feeding, track_idx);
    return true;
}

static enum mt_status do_step(struct feeding *feeding, uint32_t worker_idx, size_t step)
{
    struct worker *worker = &feeding->workers[worker_idx];
    const struct mt_sink *sink = feeding->feed->sink;
    uint32_t track_idx = feeding->plan.steps[step].track;
    uint32_t turn = worker->ticket.turns[step - worker->ticket.first_step];
    struct track *track = &feeding->tracks[track_idx];
    bool is_serial = sink->needs & MT_NEEDS_SERIAL;
    enum mt_status status = MT_OK;
    struct mt_run run;
    await_turn(feeding, &track->n_read, turn);
    bool is_there = read_run(feeding, track_idx, !turn, worker->desk, &run);
    let_go(feeding, &track->n_read);
    if (is_serial)
        await_turn(feeding, &track->n_formatted, turn);
    if (is_there) {
        run.worker = worker_idx;
        status = sink->chunk(feeding->sink_state, &run, &worker->bytes);
    }
    if (is_serial)
        let_go(feeding, &track->n_formatted);
    return status;
}

/* Replaces a worker's bytes by what the codec makes of them. */
static enum mt_status pack(const struct feeding *feeding, struct worker *worker)
{
    const struct mt_codec *codec = feeding->feed->codec;
    if (!codec)
        return MT_OK;
    bool good = mt__codec_pack(codec, worker->codec_state, worker->bytes.data,
                               worker->bytes.n_bytes, &worker->packed);
    mt_buf_clear(&worker->bytes);
    swap_bytes(&worker->bytes, &worker->packed);
    return good ? MT_OK : MT_NOMEM;
}

/* ---- writing */

/* Without the gate, by one worker at a time. */
static bool write_bytes(struct feeding *feeding, struct mt_buf *bytes)
{
    const struct mt_feed *feed = feeding->feed;
    feeding->n_written += bytes->n_bytes;
    bool wanted = !bytes->n_bytes || !feed->write ||
                  feed->write(feed->context, bytes->data, bytes->n_bytes);
    mt_buf_clear(bytes);
    return wanted;
}

/* Within the gate, which is left meanwhile. */
static void write_ticket(struct feeding *feeding, struct mt_buf *bytes, size_t end_step)
{
    const struct mt_feed *feed = feeding->feed;
    bool wanted = !stopped(feeding);
    mt__gate_unlock(feeding->gate);
    wanted = wanted && write_bytes(feeding, bytes);
    if (wanted && feed->progress)
        feed->progress(feed->context, end_step, feeding->plan.n_steps);
    mt__gate_lock(feeding->gate);
    mt_buf_clear(bytes);
    feeding->unwanted |= !wanted;
    feeding->next_written++;
    wake(feeding);
}

/* Within the gate: this ticket's bytes are the next ones, and others may wait behind them. */
static void write_from(struct feeding *feeding, struct worker *worker)
{
    const struct ticket *ticket = &worker->ticket;
    write_ticket(feeding, &worker->bytes, ticket->first_step + ticket->n_steps);
    while (true) {
        struct slot *next = &feeding->slots[feeding->next_written % feeding->n_slots];
        if (!next->done)
            return;
        next->done = false;
        swap_bytes(&next->bytes, &worker->bytes);
        write_ticket(feeding, &worker->bytes, next->end_step);
    }
}

static void hand_in(struct feeding *feeding, struct worker *worker, enum mt_status status)
{
    const struct ticket *ticket = &worker->ticket;
    mt__gate_lock(feeding->gate);
    fail(feeding, status);
    if (ticket->number == feeding->next_written) {
        write_from(feeding, worker);
    } else {
        struct slot *slot = &feeding->slots[ticket->number % feeding->n_slots];
        swap_bytes(&slot->bytes, &worker->bytes);
        slot->end_step = ticket->first_step + ticket->n_steps;
        slot->done = true;
    }
    mt__gate_unlock(feeding->gate);
}

static void work(void *context, uint32_t worker_idx)
{
    struct feeding *feeding = context;
    struct worker *worker = &feeding->workers[worker_idx];
    const struct ticket *ticket = &worker->ticket;
    while (take_ticket(feeding, &worker->ticket)) {
        enum mt_status status = MT_OK;
        for (size_t i = 0; i < ticket->n_steps; i++) {
            enum mt_status done = do_step(feeding, worker_idx, ticket->first_step + i);
            status = status == MT_OK ? done : status;
        }
        if (status == MT_OK)
            status = pack(feeding, worker);
        hand_in(feeding, worker, status);
    }
}

/* ---- from begin to end */

static enum mt_status worker_init(const struct feeding *feeding, struct worker *worker)
{
    const struct mt_codec *codec = feeding->feed->codec;
    worker->codec_state = codec ? codec->open() : NULL;
    if (codec && !worker->codec_state)
        return MT_NOMEM;
    return mt_desk_new(feeding->feed->set, &worker->desk);
}

static void worker_fini(const struct feeding *feeding, struct worker *worker)
{
    mt_desk_free(worker->desk);
    mt_buf_fini(&worker->bytes);
    mt_buf_fini(&worker->packed);
    if (worker->codec_state)
        feeding->feed->codec->close(worker->codec_state);
}

static enum mt_status feeding_init(struct feeding *feeding)
{
    struct mt_set *set = feeding->feed->set;
    const struct mt_timeline *timeline = mt_set_timeline(set);
    enum mt_status status = mt_plan_init(&feeding->plan, set, feeding->feed->sink->needs);
    if (status == MT_OK)
        status = mt_flows_new(set, &feeding->flows);
    if (status != MT_OK)
        return status;
    if (feeding->n_workers > feeding->plan.n_steps)
        feeding->n_workers = feeding->plan.n_steps ? (uint32_t)feeding->plan.n_steps : 1;
    feeding->n_slots = 2 * feeding->n_workers + 2;
    if (feeding->feed->sink->needs & MT_NEEDS_NO_ORDER)
        feeding->n_slots = N_EMPTY_SLOTS;
    feeding->gate = mt__gate_new();
    feeding->tracks = calloc(timeline->n_tracks + 1, sizeof *feeding->tracks);
    feeding->slots = calloc(feeding->n_slots, sizeof *feeding->slots);
    feeding->workers = calloc(feeding->n_workers, sizeof *feeding->workers);
    feeding->n_lost_told = calloc(timeline->n_processes + 1, sizeof *feeding->n_lost_told);
    if (!feeding->gate || !feeding->tracks || !feeding->slots || !feeding->workers ||
        !feeding->n_lost_told)
        return MT_NOMEM;
    for (uint32_t i = 0; status == MT_OK && i < feeding->n_workers; i++)
        status = worker_init(feeding, &feeding->workers[i]);
    return status;
}

static void feeding_fini(struct feeding *feeding)
{
    for (uint32_t i = 0; feeding->workers && i < feeding->n_workers; i++)
        worker_fini(feeding, &feeding->workers[i]);
    for (size_t i = 0; feeding->slots && i < feeding->n_slots; i++)
        mt_buf_fini(&feeding->slots[i].bytes);
    uint32_t n_tracks = mt_set_timeline(feeding->feed->set)->n_tracks;
    for (uint32_t i = 0; feeding->tracks && i < n_tracks; i++)
        mt_cursor_free(feeding->tracks[i].cursor);
    free(feeding->tracks);
    free(feeding->slots);
    free(feeding->workers);
    free(feeding->n_lost_told);
    mt__gate_free(feeding->gate);
    mt_flows_free(feeding->flows);
    mt_plan_fini(&feeding->plan);
}

/* An empty file is no compressed file. */
static enum mt_status pack_nothing(const struct feeding *feeding, struct worker *worker)
{
    const struct mt_codec *codec = feeding->feed->codec;
    if (!codec || feeding->n_written || worker->bytes.n_bytes)
        return MT_OK;
    return codec->block(worker->codec_state, "", 0, &worker->bytes) ? MT_OK : MT_NOMEM;
}

/* What the sink writes before the runs; on the calling thread, as finish(). */
static enum mt_status begin(struct feeding *feeding)
{
    const struct mt_feed *feed = feeding->feed;
    struct worker *worker = &feeding->workers[0];
    struct mt_job job = {.timeline = mt_set_timeline(feed->set),
                         .n_workers = feeding->n_workers,
                         .options = feed->options};
    enum mt_status status = feed->sink->begin(&job, &worker->bytes, &feeding->sink_state);
    if (status != MT_OK)
        return status;
    fail(feeding, pack(feeding, worker));
    feeding->unwanted = !write_bytes(feeding, &worker->bytes);
    return MT_OK;
}

/* What it writes behind them. */
static enum mt_status finish(struct feeding *feeding)
{
    struct worker *worker = &feeding->workers[0];
    struct mt_outcome outcome = {.n_lost_told = feeding->n_lost_told};
    outcome.flows = mt_flows_settled(feeding->flows, &outcome.n_flows);
    bool whole = !stopped(feeding);
    mt_buf_clear(&worker->bytes);
    fail(feeding,
         feeding->feed->sink->end(feeding->sink_state, whole ? &outcome : NULL, &worker->bytes));
    if (whole)
        fail(feeding, pack(feeding, worker));
    if (whole)
        fail(feeding, pack_nothing(feeding, worker));
    if (!stopped(feeding))
        write_bytes(feeding, &worker->bytes);
    return feeding->status;
}

enum mt_status mt_cli_feed(const struct mt_feed *feed)
{
    struct feeding feeding = {.feed = feed,
                              .n_workers = feed->n_workers ? feed->n_workers : mt__pool_n_useful()};
    /* Such sinks have sums for each worker, tens of megabytes of them where names are many. */
    if (!feed->n_workers && feed->sink->needs & MT_NEEDS_NO_ORDER &&
        feeding.n_workers > MAX_SUMMING_WORKERS)
        feeding.n_workers = MAX_SUMMING_WORKERS;
    if (feeding.n_workers > MT_POOL_MAX_WORKERS)
        feeding.n_workers = MT_POOL_MAX_WORKERS;
    enum mt_status status = feeding_init(&feeding);
    if (status == MT_OK)
        status = begin(&feeding);
    if (status == MT_OK) {
        if (!stopped(&feeding))
            mt__pool_run(feeding.n_workers, work, &feeding);
        status = finish(&feeding);
    }
    feeding_fini(&feeding);
    return status;
}
