/* sink_view.c - the page of `mtrace view`. */
#include "sink/view.h"

#include "base/buf.h"

static enum mt_status begin(const struct mt_job *job, struct mt_buf *out, void **state)
{
    (void)job;
    *state = NULL;
    mt_buf_append_text(out, "<!doctype html>\n");
    return MT_OK;
}

static enum mt_status chunk(void *state, const struct mt_run *run, struct mt_buf *out)
{
    (void)state, (void)run, (void)out;
    return MT_OK;
}

static enum mt_status end(void *state, const struct mt_outcome *outcome, struct mt_buf *out)
{
    (void)state, (void)outcome, (void)out;
    return MT_OK;
}

const struct mt_sink mt_sink_view = {
    .name = "view",
    .suffix = ".html",
    .summary = "a page to look at in a browser",
    .needs = MT_NEEDS_SERIAL | MT_NEEDS_WHOLE_TRACKS,
    .begin = begin,
    .chunk = chunk,
    .end = end,
};
