/* view_perfetto.h - `mtrace view --perfetto`: the timeline in Perfetto's own page. Used by cmd_view.c.
 *
 * Perfetto's page opens what `url=` names in its address, and its content security policy lets it
 * fetch from port 9001 of this machine and from no other port. So the timeline is served there, once,
 * to that page. The other way that the site documents, a page of ours that opens the site's and sends
 * it the data by postMessage, would need a click in that page, since browsers block windows that no
 * user asked for; and the data would be copied once more.
 */
#ifndef MT_CLI_VIEW_PERFETTO_H_
#define MT_CLI_VIEW_PERFETTO_H_

#include "cli/cli.h"

#define MT_PERFETTO_SITE "https://ui.perfetto.dev"

/* Returns when the page has fetched the set's timeline; says what went wrong and returns an exit
 * status. `site`: where the page is, NULL: MT_PERFETTO_SITE. `n_workers`, `shows_progress`: struct
 * mt_merge. */
int mt_view_perfetto(struct mt_set *set, const char *site, uint32_t n_workers, bool shows_progress);

#endif /* MT_CLI_VIEW_PERFETTO_H_ */
