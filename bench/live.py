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
        n_events = sum(int(process.communicate()[0]) for process in self.processes)
        if any(process.returncode for process in self.processes):
            raise Failed("write_traces failed")
        shutil.rmtree(self.folder)
        return n_events


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
    percent, events = {"on a terminal": [], "--json": []}, {True: [], False: []}
    for i in range(1 if quick else 3):
        for what, options in (("on a terminal", []), ("--json", ["--json"])):
            say("top, round %d: %s" % (i + 1, what))
            writers = Writers(folder, LOOKS + 2)
            percent[what].append(_top(options, writers.folder))
            events[True].append(writers.events())
        say("top, round %d: unobserved" % (i + 1))
        events[False].append(Writers(folder, LOOKS + 2).events())
    rate = statistics.median(events[False]) / (LOOKS + 2) / WRITERS / 1e6
    for what, values in percent.items():
        yield Row("`mtrace top`, %s, beside %d processes with %.0f M events/s each" % (what, WRITERS, rate),
                  statistics.median(values), "% of a core", True, TARGET_PERCENT)
    yield Row("events that these record, observed / unobserved",
              statistics.median(events[True]) / statistics.median(events[False]), "", False, None)
