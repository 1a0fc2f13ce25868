/* watch.h - a terminal that shows something live: the loop of `mtrace top`. Used by cmd_top.c. */
#ifndef MT_CLI_WATCH_H_
#define MT_CLI_WATCH_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>

/* What is called, always on the thread of mt__watch(), which goes on until one of them, or `size`,
 * returns false. */
struct mt_watch {
    uint64_t interval_ms;
    /* Asked every interval, also while nothing is shown; NULL: yes. */
    bool (*goes_on)(void *context);
    bool (*tick)(void *context);
    bool (*key)(void *context, const char *bytes, size_t n_bytes); /* as the terminal sends them */
    /* The terminal has that many columns and rows; first of all, and whenever that changes. */
    bool (*size)(void *context, int n_columns, int n_rows);
    void *context;
    /* Ends when this can be read, or was closed at its other end; -1: none. */
    int until_fd;
};

/* Why there is nothing to put a screen on, whatever the terminal is; NULL: nothing speaks against it. */
const char *mt__watch_refused(void);

/* Puts the terminal `fd` into raw mode and on its alternate screen, and back at the end: also when a
 * signal ends it, which is returned; 0: it was asked to end. A negative number is an errno.
 *
 * While it is stopped, or in the background, the terminal is left to others. Ctrl-Z stops the whole process
 * group, as a terminal does. */
int mt__watch(int fd, const struct mt_watch *watch);

/* The terminal as it was before a watch that could not put it back, since it was killed. */
void mt__watch_restore(int fd, const struct termios *modes);

/* Writes all of it to the terminal. False: it is gone. */
bool mt__watch_write(int fd, const char *data, size_t n_bytes);

#endif /* MT_CLI_WATCH_H_ */
