/* browser.h - opens a page in the user's browser. */
#ifndef MT_CLI_BROWSER_H_
#define MT_CLI_BROWSER_H_

/* Starts what $BROWSER names (commands with ":" between; %s stands for the address, which is else
 * behind them), or xdg-open where there is a display, with that address, and does not wait for it.
 * It has a session of its own, and none of our descriptors. NULL, or why there is none that starts. */
const char *mt__browser_open(const char *address);

#endif /* MT_CLI_BROWSER_H_ */
