"""What `mtrace top` costs while four processes record as fast as they can: CPU time of a core, on a terminal and
as JSON; and what these processes record meanwhile beside what they record unobserved."""
import os
import pty
import shutil
import statistics
import subprocess
import threading

from merge import Row
from pythons import MTRACE, Failed

WRITERS = 4
LOOKS = 5
TARGET_PERCENT = 3


class Writers:
    """They run for some seconds; `events` waits for them."""

    def __init__(self, folder, seconds):
        self.folder = os.path.join(folder, "live")
        os.mkdir(self.folder)
        self.processes = [subprocess.Popen([os.environ["WRITE_TRACES"], self.folder, str(seconds)], stdout=subprocess.PIPE)
                          for _ in range(WRITERS)]

    def events(self):
        """How many events, and how many seconds of a core they took."""
        n_events, seconds = 0, 0.0
        for process in self.processes:
            n_events += int(process.stdout.read())
            process.stdout.close()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = status
            seconds += usage.ru_utime + usage.ru_stime
            if status:
                raise Failed("write_traces: status %d" % status)
        shutil.rmtree(self.folder)
        return n_events, seconds


def _drain(fd):
    try:
        while os.read(fd, 65536):
            pass
    except OSError:
        pass


def _top(options, folder):
    """Percent of a core, over LOOKS intervals of a second; the first look, which finds the run, is one of them."""
    master, slave = pty.openpty()
    reader = threading.Thread(target=_drain, args=(master,), daemon=True)
    reader.start()
    top = subprocess.Popen([MTRACE, "top", *options, "-n", str(LOOKS + 1), folder], stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    _, status, usage = os.wait4(top.pid, 0)
    os.close(master)
    if status:
        raise Failed("mtrace top: status %d" % status)
    return 100 * (usage.ru_utime + usage.ru_stime) / LOOKS


def measure(folder, quick, say):
    """Rows of the report."""
    percent, costs, rates = {"on a terminal": [], "--json": []}, [], []
    for i in range(1 if quick else 3):
        for what, options in (("on a terminal", []), ("--json", ["--json"])):
            say("top, round %d: %s" % (i + 1, what))
            writers = Writers(folder, LOOKS + 2)
            percent[what].append(_top(options, writers.folder))
            n_events, seconds = writers.events()
            rates.append(n_events / (LOOKS + 2) / WRITERS / 1e6)
            n_alone, alone = Writers(folder, LOOKS + 2).events()
            costs.append(seconds / n_events / (alone / n_alone))
    for what, values in percent.items():
        yield Row("`mtrace top`, %s, beside %d processes with %.0f M events/s each" % (what, WRITERS, statistics.median(rates)),
                  statistics.median(values), "% of a core", True, TARGET_PERCENT)
    yield Row("CPU time of one of their events, observed / unobserved", statistics.median(costs), "", True, None)
