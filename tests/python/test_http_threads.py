"""ThreadingHTTPServer under 16 clients: each request on the track of the thread that served it."""
import collections
import concurrent.futures
import http.client
import sys

from tests.python import harness, served, tracefile

N_CLIENTS, N_REQUESTS = 16, 20

SERVER = """
import http.server, sys, threading

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = sys.argv[1]

    def do_GET(self):
        body = self.page().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def page(self):
        return "%d/%s" % (threading.get_native_id(), threading.current_thread().name)

    def log_message(self, *args):
        pass

class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False  # server_close() waits for them

server = Server(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
acceptor = threading.Thread(target=server.serve_forever, name="acceptor")
acceptor.start()
sys.stdin.read()
server.shutdown()
acceptor.join()
server.server_close()
"""


def converse(port):
    """The bodies of N_REQUESTS on one connection, or on as many as the server wants."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=harness.TIMEOUT)
    bodies = []
    for _ in range(N_REQUESTS):
        connection.request("GET", "/")
        bodies.append(connection.getresponse().read().decode())
    connection.close()
    return bodies


class TestHttpThreads(harness.Case):
    def serve(self, protocol):
        """What each client was told, a list of lists; and the process's trace."""
        with served.started(self, sys.executable, self.write("server.py", SERVER), protocol) as process:
            port = int(process.stdout.readline())
            with concurrent.futures.ThreadPoolExecutor(N_CLIENTS) as pool:
                told = list(pool.map(converse, [port] * N_CLIENTS))
            served.finish(self, process)  # closes its standard input
        self.check()
        return told, self.read_one()

    def verify(self, trace, told):
        """Each request is one do_GET that has ended, with one page() in it, on its thread's track."""
        told = collections.Counter(line for lines in told for line in lines)
        shown = collections.Counter()
        for thread in trace.threads:
            calls = thread.calls()
            names = [call.function.name.split(".")[-1] for call in calls]
            for at, call in enumerate(calls):
                if names[at] == "do_GET":
                    self.assertEqual(call.outcome, "return")
                    inside = [names[i] for i in range(at + 1, len(calls))
                              if calls[i].begin <= call.end and calls[i].depth == call.depth + 1]
                    self.assertEqual(inside.count("page"), 1)
                    shown["%d/%s" % (thread.tid, thread.name)] += 1
        self.assertEqual(shown, told)
        self.assertEqual(sum(shown.values()), N_CLIENTS * N_REQUESTS)

    def handlers(self, trace):
        """How many do_GET began on each track that has any."""
        counts = [sum(1 for r in t.live() if r.kind == tracefile.PY_BEGIN and r.function.name.endswith("do_GET"))
                  for t in trace.threads]
        return [n for n in counts if n]

    def test_a_thread_per_request(self):
        told, trace = self.serve("HTTP/1.0")
        self.verify(trace, told)
        self.assertEqual(self.handlers(trace), [1] * N_CLIENTS * N_REQUESTS)
        # The main thread and the acceptor, and none that is not one of the program's.
        self.assertEqual(len(trace.threads), 2 + N_CLIENTS * N_REQUESTS)
        self.assertEqual([t.name for t in trace.threads][:2], ["MainThread", "acceptor"])

    def test_a_thread_per_connection(self):
        told, trace = self.serve("HTTP/1.1")
        for lines in told:
            self.assertEqual(len(set(lines)), 1)
        self.verify(trace, told)
        self.assertEqual(self.handlers(trace), [N_REQUESTS] * N_CLIENTS)
        self.assertEqual(len(trace.threads), 2 + N_CLIENTS)

    def test_merged(self):
        told, _ = self.serve("HTTP/1.1")
        events = self.merge()
        names = {e["tid"]: e["args"]["name"] for e in events if e["ph"] == "M" and e["name"] == "thread_name"}
        begins = collections.Counter("%d/%s" % (e["tid"], names[e["tid"]]) for e in events
                                     if e["ph"] == "B" and e["name"].endswith("do_GET"))
        self.assertEqual(begins, collections.Counter(line for lines in told for line in lines))
        open_on = collections.Counter()
        for event in events:
            if event["ph"] in "BE":
                open_on[event["tid"]] += 1 if event["ph"] == "B" else -1
                self.assertGreaterEqual(open_on[event["tid"]], 0)
        self.assertEqual(+open_on, {})


if __name__ == "__main__":
    harness.main()
