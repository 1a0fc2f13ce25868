# Two containers with equal pids record into one directory: nothing is mixed up.
. "$(dirname "$0")/run_helper.sh"

container() { unshare --pid --uts --fork --mount-proc "$@"; }
if ! container true 2>err.txt; then
  echo "skipped: namespaces cannot be made here: $(cat err.txt)"
  exit 0
fi

cat >app.py <<'PY'
import os, threading

def leaf():
    return os.getpid()

def inner():
    leaf()

def main():
    thread = threading.Thread(target=leaf)
    thread.start()
    thread.join()
    pid = os.fork()
    if not pid:
        inner()
        os._exit(0)
    os.waitpid(pid, 0)
    print(os.uname().nodename, os.getpid(), pid)

main()
PY
cat >containers.sh <<'SH'
for host in alpha beta; do
  unshare --pid --uts --fork --mount-proc sh -c "hostname $host && exec \"$PYTHON\" app.py" || exit
done
SH
same "both containers run" "$("$MTRACE" run -q -d d sh containers.sh >pids.txt; echo $?)" 0
pids=$(sed 's/^[a-z]* //' pids.txt | sort -u)
same "with the same pids" "$(wc -l <<<"$pids")" 1
same "the first is pid 1" "${pids% *}" 1
same "a file for each process" "$(ls d/*.trace | wc -l)" 4

same "they merge without a word" "$("$MTRACE" merge -o all.json d 2>&1; echo $?)" 0
child=${pids#* } "$PYTHON" - <<'PY' || n_wrong=$((n_wrong + 1))
import collections, json, os

child = int(os.environ["child"])
events = json.load(open("all.json"))
names, real, host = {}, {}, {}
for event in events:
    if event.get("name") == "process_name":
        pid, args = event["pid"], event["args"]
        real[pid] = args.get("real_pid", pid)
        names[pid], host[pid] = args["name"].split(" on ")
assert sorted((host[pid], real[pid]) for pid in host) == [
    ("alpha", 1), ("alpha", child), ("beta", 1), ("beta", child)], (real, host)
assert sorted(names.values())[:2] == ["app", "app"], names
assert sorted(names.values())[2:] == ["app (pid %d)" % pid for pid in sorted((1, child))], names

# Each process's own calls, on tracks of its own, balanced.
calls = collections.Counter()
stacks = collections.defaultdict(list)
for event in events:
    track = event["pid"], event.get("tid")
    if event["ph"] == "B":
        stacks[track].append(event["name"])
        calls[event["pid"], event["name"]] += not event.get("args", {}).get("open")
    elif event["ph"] == "E":
        stacks[track].pop()
for pid in real:
    is_child = real[pid] == child
    assert calls[pid, "main"] == (not is_child), (pid, calls)
    assert calls[pid, "leaf"] == 1, (pid, calls)
    assert calls[pid, "inner"] == is_child, (pid, calls)
    main_thread = [tid for process, tid in stacks if process == pid and tid == pid]
    assert main_thread, "a main thread has its process's number"

# An arrow leads from a parent to its own child, and not into the other container.
ends = collections.defaultdict(dict)
for event in events:
    if event["ph"] in "sf":
        ends[event["id"]][event["ph"]] = event["pid"]
assert len(ends) == 2, ends
for arrow in ends.values():
    assert host[arrow["s"]] == host[arrow["f"]], ends
    assert (real[arrow["s"]], real[arrow["f"]]) == (1, child), ends
PY
has "info tells the host" "$("$MTRACE" info d)" "host       alpha" "host       beta"

other=$(sed -nE 's/.*"pid":([0-9]+),"name":"process_name".*\(pid 1\) on beta.*/\1/p' all.json)
"$MTRACE" merge --pid "$other" d >one.json
same "one of them, by the pid that is shown" "$(grep -c process_name one.json)" 1
has "that one" "$(grep process_name one.json)" '"real_pid":1' "on beta"

finish
