/* sinks.c - the table of output formats. */
#include "mtrace/sink.h"

const struct mt_sink *const mt_sinks[] = {
    &mt_sink_chrome,    &mt_sink_chrome_complete, &mt_sink_perfetto,  &mt_sink_speedscope,
    &mt_sink_collapsed, &mt_sink_pstats,          &mt_sink_callgrind, NULL,
};
