/* run_top.h - `mtrace run --top`: the run on the terminal while the program runs. Used by cmd_run.c.
 *
 * The terminal can show one thing, so what the program writes to it is held back in a file, and comes
 * when the screen is left: by the user, or because the program has ended.
 */
#ifndef MT_CLI_RUN_TOP_H_
#define MT_CLI_RUN_TOP_H_

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <termios.h>

struct mt_run_top {
    pid_t viewer; /* a child of mtrace's; 0: there is none */
    int end_fd;   /* closed to tell it that the program has ended */
    int held_fd;  /* what the program wrote to the terminal; for reading */
    int saved[3]; /* mtrace's own descriptors 0 to 2, where the program gets others; -1 */
    struct termios modes;
    struct mt_run_top_shown *shown; /* in memory that both have */
};

/* Starts it, and puts descriptors 0 to 2 so as the program is to inherit them. Where that cannot be done
 * well nothing is shown, and the program runs all the same. */
void mt__run_top_start(struct mt_run_top *top, const char *directory, const uint8_t run_id[16]);
/* The program has ended. Returns when all it wrote is on the terminal. */
void mt__run_top_end(struct mt_run_top *top);

#endif /* MT_CLI_RUN_TOP_H_ */
