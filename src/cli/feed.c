/* feed.c - drives a set through a sink. Called by merge.c and by the commands that add up.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "cli/cli.h"

/* Handed on at once: large enough to make calls rare, small enough for the caches. */
#define HAND_ON_BYTES ((size_t)256 << 10)

struct feeding {
    const struct mt_feed *feed;
    struct mt_walk *walk;
    struct mt_buf buf;
    void *state;
    bool unwanted;
};

static void hand_on(struct feeding *feeding)
{
    const struct mt_feed *feed = feeding->feed;
    if (feeding->buf.n_bytes && !feeding->unwanted)
        feeding->unwanted = !feed->write(feed->context, feeding->buf.data, feeding->buf.n_bytes);
    mt_buf_clear(&feeding->buf);
}

static enum mt_status feed_tracks(struct feeding *feeding)
{
    const struct mt_feed *feed = feeding->feed;
    enum mt_status status = MT_OK;
    uint32_t n_tracks = mt_set_timeline(feed->set)->n_tracks;
    for (uint32_t track = 0; track < n_tracks && !feeding->unwanted; track++) {
        struct mt_run run;
        mt_walk_start(feeding->walk, track);
        while (status == MT_OK && !feeding->unwanted && mt_walk_next(feeding->walk, &run)) {
            status = feed->sink->chunk(feeding->state, &run, &feeding->buf);
            if (feeding->buf.n_bytes >= HAND_ON_BYTES)
                hand_on(feeding);
        }
    }
    return status == MT_OK ? mt_walk_status(feeding->walk) : status;
}

enum mt_status mt_cli_feed(const struct mt_feed *feed)
{
    struct feeding feeding = {.feed = feed};
    struct mt_job job = {
        .timeline = mt_set_timeline(feed->set), .n_workers = 1, .options = feed->options};
    enum mt_status status = mt_walk_new(feed->set, feed->sink->needs, &feeding.walk);
    if (status == MT_OK)
        status = feed->sink->begin(&job, &feeding.buf, &feeding.state);
    if (status == MT_OK) {
        status = feed_tracks(&feeding);
        bool whole = status == MT_OK && !feeding.unwanted;
        enum mt_status ended = feed->sink->end(
            feeding.state, whole ? mt_walk_outcome(feeding.walk) : NULL, &feeding.buf);
        status = status == MT_OK ? ended : status;
    }
    if (status == MT_OK)
        hand_on(&feeding);
    mt_walk_free(feeding.walk);
    mt_buf_fini(&feeding.buf);
    return status;
}
