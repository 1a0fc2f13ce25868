/* alive.c - see alive.h. Pids are used again, so the start time must be the same, too. */
#include "cli/alive.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "os/os.h"

static bool exists(const struct mt_file_header *header)
{
    char path[32], text[1024];
    snprintf(path, sizeof path, "/proc/%" PRIu32 "/stat", header->pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    /* The name, in parentheses, may hold anything; after it come the fields from the third on. */
    const char *rest = strrchr(text, ')');
    char state;
    unsigned long long start_time;
    return rest != NULL &&
           sscanf(rest + 1,
                  " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u" /* 3 to 13 */
                  " %*u %*u %*d %*d %*d %*d %*d %*d %llu",
                  &state, &start_time) == 2 &&
           state != 'Z' && state != 'X' && start_time == header->start_time;
}

enum mt_live_state mt__process_state(void *context, const struct mt_file_header *header)
{
    static struct mt_os_process self;
    (void)context;
    if (self.pid == 0)
        mt_os_process_info(&self);
    if (memcmp(header->boot_id, self.boot_id, sizeof header->boot_id) != 0)
        return MT_LIVE_ENDED;
    if (header->pid_ns != self.pid_ns)
        return MT_LIVE_UNKNOWN;
    return exists(header) ? MT_LIVE_RUNNING : MT_LIVE_ENDED;
}
