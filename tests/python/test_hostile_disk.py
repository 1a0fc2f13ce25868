"""The place of the files: without space, taken away, exchanged, not what it seems. See also
test_disk_full.py and tests/core/test_files.c."""
import os
import shutil
import stat
import textwrap

from tests.python import harness, hostile, tracefile

NOBODY = 65534

# Uses up the disk of the traces, but for so many bytes, and gives it free again.
FILL = """
def fill(leave=0):
    if TRACES == "missing": return
    with open(TRACES + "/ballast", "wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12):
            try:
                while file.write(b"x" * size): pass
            except OSError:
                pass
        if leave:
            file.truncate(os.path.getsize(file.name) - leave)
def free():
    if TRACES != "missing": os.unlink(TRACES + "/ballast")
    until_recorded()
"""


class Disk(hostile.Case):
    """The directory is a small tmpfs, in a mount namespace."""

    def full(self, text, size, status=0, before=""):
        """both(); what is left of the files is copied to where the helpers look for it."""
        small = os.path.join(self.folder, "small")
        words = hostile.namespace("-m")
        self.traces = small
        os.makedirs(small, exist_ok=True)
        output = self.both(FILL + textwrap.dedent(text), status=status, around=[*words, "bash", "-c", """
            mount -t tmpfs -o size=%s,mode=700 none %s || exit 98
            %s
            "$@"
            status=$?
            mkdir -p %s
            for file in %s/*.trace; do [ ! -f "$file" ] || cp "$file" %s; done
            umount %s
            exit $status""" % (size, small, before, self.folder + "/copy", small, self.folder + "/copy", small), "bash"])
        self.traces = self.folder + "/copy"
        return output

    def test_child_that_gets_a_file_later(self):
        """Its file begins with the count of what was missed, and its parent's does not count it any more."""
        self.full("""
            work(10)
            fill()
            pid = os.fork()
            if pid == 0:
                work(5000)
                free()
                end = time.monotonic() + 1.1
                while time.monotonic() < end: pass
                work(2000)
                os._exit(4)
            print(os.waitpid(pid, 0)[1] >> 8)
            """, "4m")
        parent, child = self.read()
        self.check()
        self.assertEqual((child.origin, child.count("f")), (2, 2000))
        self.assertEqual((child.loss_reason, child.n_lost >= 10000), (hostile.NO_SPACE.number, True))
        self.assertNotIn("untraced", self.summary)
        self.assertRegex(self.summary, "lost .* in 2? ?1? ?process.*: " + hostile.NO_SPACE.text)

    def test_from_the_start(self):
        """Room for the note of why there is no trace, but not for what it would say; or for nothing."""
        self.full("work(1000); print('done')", "4k", before="head -c 4096 /dev/zero >../small/taken")
        self.assert_untraced("  untraced  script.", ": no space for a trace file, nor for the reason\n")

    def test_no_file_at_all(self):
        """Not even the note can be made: no inode is left. The summary looks for itself."""
        self.full("work(1000); print('done')", "64k,nr_inodes=2", before=">../small/taken")
        self.assert_untraced("no process was traced: there is no space left in " + self.folder + "/small\n")

    def test_in_the_middle(self):
        output = self.full("work(1000); fill(); work(12000); print('done', flush=True); os._exit(3)", "256k", status=3)
        self.assertEqual(output, "done\n")
        trace = self.trace()
        self.assert_lost(trace, hostile.NO_SPACE, 28)
        self.assertIn(self.events([trace]) + trace.n_lost - 2 * 13002, (0, 1))  # fill() may end in the loss

    def test_freed_again(self):
        """Each loss has its mark, and what follows is whole."""
        self.full("for _ in range(2): work(1000); fill(); work(40000); free()\nwork(777)", "1m")
        trace = self.trace()
        self.assert_lost(trace, hostile.NO_SPACE, 28)
        marks = [r.id >> 12 for r in trace.thread().records if r.kind == tracefile.EXT]
        self.assertEqual(marks, [tracefile.LOST, tracefile.RESYNC] * 2)
        self.assertEqual([c.outcome for c in trace.thread().calls() if c.function.name == "f"][-777:], ["return"] * 777)

    def test_forked_child(self):
        """There is no file for it; its parent's says so, and `mtrace run`."""
        self.full("""
            work(10)
            fill()
            pid = os.fork()
            work(5000)
            if pid == 0: os._exit(4)
            print(os.waitpid(pid, 0)[1] >> 8)
            """, "1m")
        trace = self.trace()
        self.assert_lost(trace, hostile.NO_SPACE, 28)
        self.assertIn("  untraced  1 forked process could make no file: %s\n" % hostile.NO_SPACE.text, self.summary)
        self.assertIn("1 forked process could make no file, and is not recorded: " + hostile.NO_SPACE.text,
                      self.mtrace("info", trace.path).stdout)


class Surroundings(hostile.Case):
    def test_without_fallocate(self):
        """A file system as NFS: no fallocate, no MADV_POPULATE_WRITE, writes that are cut short."""
        self.both("work(12000)", before=hostile.surrounded("nfs"))
        self.assert_nothing_lost(12000)

    def test_found_full_at_close(self):
        """What was written turns out to have no place only when the file is closed."""
        self.both("""
            work(1000)
            open("full", "w").close()
            work(12000)
            os.unlink("full")
            until_recorded()
            work(10)
            """, before=hostile.surrounded("full-on-close"))
        trace = self.trace()
        self.assert_lost(trace, hostile.NO_SPACE, 28)
        self.assertGreaterEqual(self.events([trace]) + trace.n_lost, 2 * 13013)

    def test_found_full_at_the_start(self):
        self.both("print('done')", before=[*hostile.shell("touch full"), *hostile.surrounded("full-on-close")])
        self.assert_untraced("No space left on device")


class Directory(hostile.Case):
    def test_removed(self):
        """With the files in it. Nobody is left to count, but mtrace sees that it is gone."""
        self.both("""
            import shutil
            work(1000)
            shutil.rmtree(TRACES, ignore_errors=True)
            work(13000)
            """)
        self.assertFalse(os.path.exists(self.traces))
        self.assert_untraced("%s cannot be listed: No such file or directory\n" % os.path.realpath(self.traces))

    def test_removed_and_made_again(self):
        """The process goes on in the new one, and its file says that there was another."""
        self.both("""
            import shutil
            work(1000)
            shutil.rmtree(TRACES, ignore_errors=True)
            if TRACES != "missing": os.mkdir(TRACES, 0o700)
            work(13000)
            """)
        trace = self.trace()
        self.assertEqual((trace.part, trace.origin), (1, 4))
        self.assertGreater(trace.count("f"), 7000)
        self.assertIn("1 file of this process is missing\n", self.mtrace("info", trace.path).stdout)
        self.assertRegex(self.summary, "lost +1 file of 1 process is missing: removed or moved\n")

    def test_replaced_for_good(self):
        """By one in which nothing can be made: a file."""
        self.both("""
            work(1000)
            if TRACES != "missing":
                os.rename(TRACES, TRACES + ".old")
                open(TRACES, "w").close()
            work(13000)
            """)
        self.assertRegex(self.summary, "no process was traced, as far as can be seen: .*: Not a directory\n")
        os.unlink(self.traces)
        os.rename(self.traces + ".old", self.traces)
        trace = self.trace()
        self.assertEqual((trace.loss_reason, trace.loss_error), (hostile.GONE.number, 20))
        self.assertEqual(self.events([trace]) + trace.n_lost >= 2 * 14002, True)
        self.assertIn(hostile.GONE.text, self.mtrace("info", trace.path).stdout)

    def test_replaced_by_an_empty_one(self):
        """After the last chunk was taken: what mtrace finds is not what it made."""
        self.both("""
            if TRACES != "missing":
                os.rename(TRACES, TRACES + ".old")
                os.mkdir(TRACES)
            os._exit(0)
            """)
        self.assert_untraced(": the directory for the files was replaced while the program ran\n")

    def test_not_ours(self):
        """It was there, everybody may write, and it belongs to somebody else: it is left so, and used."""
        os.mkdir(self.traces)
        os.chmod(self.traces, 0o777)
        if os.geteuid() == 0:
            os.chown(self.traces, NOBODY, NOBODY)
        self.both("work(13000)")
        self.assert_nothing_lost(13000)
        self.assertEqual(stat.S_IMODE(os.stat(self.traces).st_mode), 0o777)
        self.assertEqual({stat.S_IMODE(os.stat(t.path).st_mode) for t in self.read()}, {0o600})

    def test_umask(self):
        """Neither everything nor nothing: the files have 0600, the program's own what it says."""
        for mask in ("0777", "0"):
            with self.subTest(mask):
                self.both("""
                    os.close(os.open("own", os.O_CREAT, 0o666))
                    work(13000)
                    """, around=hostile.shell("umask " + mask))
                self.assert_nothing_lost(13000)
                self.assertEqual(stat.S_IMODE(os.stat(self.trace().path).st_mode), 0o600)
                self.assertEqual(stat.S_IMODE(os.stat(self.traces).st_mode) & 0o700, 0o700)
                shutil.rmtree(self.traces)

    def test_planted(self):
        """Under the very name that the file would have, before the program starts: a link to a file, a
        link to nothing, somebody else's file, a FIFO, a directory, a hard link."""
        os.mkdir(self.traces, 0o700)
        precious = self.write("precious", "precious")
        for what in ("ln -s %s" % precious, "ln -s /missing/file", "cp " + precious, "mkfifo", "mkdir", "ln " + precious):
            with self.subTest(what):
                self.both("work(13000)", before=hostile.shell(
                    '[ -z "$MTRACE_DIR" ] || %s "$MTRACE_DIR/script.$$.trace"' % what))
                planted, = [n for n in os.listdir(self.traces) if n.count(".") == 2]
                numbered, = [n for n in os.listdir(self.traces) if n.count(".") == 3]
                trace = tracefile.read(self.traces + "/" + numbered)
                self.assertEqual((trace.count("f"), trace.n_lost, trace.part), (13000, 0, 0))
                self.assertRegex(self.summary, r"^mtrace: 1 process, ")
                with open(precious) as f:
                    self.assertEqual(f.read(), "precious")
                self.assertFalse(os.path.exists("/missing"))
                shutil.rmtree(self.traces)
                os.mkdir(self.traces, 0o700)

    def test_put_in_its_place(self):
        """The same in the middle of the run: it goes on in a new file, and touches nothing."""
        precious = self.write("precious", "precious")
        for how in ("os.symlink(%r, path)" % precious, "os.mkfifo(path)", "os.mkdir(path)",
                    "os.link(%r, path)" % precious, "open(path, 'w').close()"):
            with self.subTest(how):
                self.both("""
                    work(1000)
                    path, = glob.glob(TRACES + "/*.trace") or ["missing"]
                    if TRACES != "missing":
                        os.rename(path, %r)
                        %s
                    work(13000)
                    """ % (self.folder + "/away.trace", how))
                names = sorted(n for n in os.listdir(self.traces) if n.count(".") == 3)
                self.assertEqual(len(names), 1)
                after = tracefile.read(self.traces + "/" + names[0])
                before = tracefile.read(self.folder + "/away.trace")
                self.assertEqual((before.part, after.part, after.origin), (0, 1, 4))
                self.assertEqual(before.count("f") + after.count("f"), 14000)
                self.assertEqual(before.n_lost + after.n_lost, 0)
                with open(precious) as f:
                    self.assertEqual(f.read(), "precious")
                shutil.rmtree(self.traces)

    def test_read_only(self):
        """A mount that becomes read-only: over the directory, since a mount in which a file is mapped
        for writing cannot be made so."""
        words = hostile.namespace("-m")
        os.mkdir(self.traces, 0o700)
        self.both("""
            work(1000)
            place = %r
            libc = ctypes.CDLL(None, use_errno=True)
            def mount(flags):
                assert libc.mount(place, place, None, flags, None) == 0, ctypes.get_errno()
            mount(4096)                # MS_BIND: the same again, on top
            mount(4096 | 32 | 1)       # MS_REMOUNT, MS_RDONLY
            work(13000)
            assert libc.umount2(place, 2) == 0
            until_recorded()
            work(10)
            """ % self.traces.encode(), around=words)
        trace = self.trace()
        self.assert_lost(trace, hostile.DENIED, 30)
        self.assertGreaterEqual(self.events([trace]) + trace.n_lost, 2 * 14013)


if __name__ == "__main__":
    harness.main()
