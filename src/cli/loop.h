/* loop.h - passes signals on to the program of `mtrace run`, on the loop that waits for it. Used by
 * spawn.c only.
 */
#ifndef MT_CLI_LOOP_H_
#define MT_CLI_LOOP_H_

#include <stdint.h>
#include <sys/types.h>

#include <uv.h>

#define MT_SIGNAL_BIT(n) (UINT64_C(1) << ((n) - 1))

struct mt_relay {
    uv_poll_t signals;    /* of mtrace: signal_fd is readable */
    uv_signal_t children; /* SIGCHLD: the program may have been stopped */
    uv_timer_t grace;     /* see loop.c */
    int signal_fd;
    pid_t program;      /* 0: not started, or ended */
    pid_t witness;      /* -1: none could be made */
    pid_t companion;    /* a child of mtrace's that stops and goes on with it; 0: none */
    uv_timer_t alone;   /* since the companion was stopped, and mtrace not */
    uint64_t arrived;   /* signals, as bits, since the grace timer last fired */
    uint64_t ripe;      /* those that arrived before that */
    uint64_t from_user; /* those of both that a process sent, not the kernel */
};

/* From here on until the close mtrace is not ended or stopped by the signals that it passes on.
 * Returns 0 or an errno. */
int mt__relay_open(struct mt_relay *relay, uv_loop_t *loop);
/* `companion`: see above. */
void mt__relay_start(struct mt_relay *relay, pid_t program, pid_t companion);
/* The program has ended or did not start: the loop has no reason any more to stay alive. */
void mt__relay_stop(struct mt_relay *relay);
/* After the loop has run out. Signals that arrived too late are dropped; the signal mask is left to
 * the caller. */
void mt__relay_close(struct mt_relay *relay);

#endif /* MT_CLI_LOOP_H_ */
