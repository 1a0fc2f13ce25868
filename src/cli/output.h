/* output.h - where a timeline's bytes go, and how far that is. */
#ifndef MT_CLI_OUTPUT_H_
#define MT_CLI_OUTPUT_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mt_output {
    int fd;
    int error;        /* errno of the first write that failed; nothing is written after it */
    bool is_regular;  /* a file of a file system */
    uint64_t n_bytes; /* written */

    /* Of a regular file: offsets of what is on its way to the disk. */
    uint64_t sent_from, sent_to;
    uint64_t next_window; /* when so many bytes are written */

    /* What is said on a terminal. */
    bool shows_progress, shown;
    uint64_t start_ns, last_ns; /* CLOCK_MONOTONIC */
};

/* `fd` stays the caller's. Nothing is shown unless `progress` and standard error is a terminal, and
 * the output is none. */
void mt__output_init(struct mt_output *output, int fd, bool progress);
/* The two functions of struct mt_feed; the context is the output. */
bool mt__output_write(void *context, const char *data, size_t n_bytes);
void mt__output_progress(void *context, uint64_t n_done, uint64_t n_all);
/* Wipes what is shown. */
void mt__output_fini(struct mt_output *output);

#endif /* MT_CLI_OUTPUT_H_ */
