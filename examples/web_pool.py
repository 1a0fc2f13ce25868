#!/usr/bin/env python3
"""A threaded web server with a pool of processes that is its own audience: something to trace.

    mtrace run -o all.json examples/web_pool.py

Four visitors ask for pages and charts. Each has a connection, which a thread of the server serves.
Pages are written by that thread; charts are drawn by a pool of three processes. Now and then a
page does not exist. All ends by itself after about a second.
"""
import concurrent.futures
import http.client
import http.server
import itertools
import math
import multiprocessing
import threading
import time

VISITORS, VISITS, PAINTERS = 4, 8, 3
WORDS = "the tracer follows every thread of every process and loses none of their calls".split()


# ---- what the pool's processes do

def draw_chart(number):
    """An SVG picture of a random walk."""
    points = random_walk(number, 240000)
    for width in (1000, 4):
        points = smooth(points, width)
    return to_svg(points)


def random_walk(seed, n_steps):
    state, height, points = seed * 7919 + 1, 0.0, [0.0] * n_steps
    for i in range(n_steps):
        state = (state * 1103515245 + 12345) % 2147483648
        height += state / 1073741824 - 1
        points[i] = height
    return points


def smooth(points, width):
    """The mean of each `width` neighbours."""
    return [mean(points[i:i + width]) for i in range(0, len(points), width)]


def mean(values):
    return math.fsum(values) / len(values)


def to_svg(points):
    line = " ".join("%d,%.1f" % (x, y) for x, y in enumerate(points))
    return "<svg viewBox='0 -99 60 198'><polyline points='%s'/></svg>" % line


def mix_colours(painter):
    """A painter's preparations; keeps it busy until the others have started, too."""
    ready.wait(10)
    return [palette(painter, hue) for hue in range(6)]


def palette(painter, hue):
    return "hsl(%d %d%% 50%%)" % (60 * hue, 20 * painter)


# ---- what the server's threads do

class NoSuchPage(Exception):
    pass


class Site(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # one connection, and one thread, for all of a visitor's requests
    numbers = itertools.count(1)

    def setup(self):
        threading.current_thread().name = "connection %d" % next(self.numbers)
        super().setup()

    def do_GET(self):
        try:
            body = self.answer(self.path)
        except NoSuchPage:
            self.send_error(404)
        else:
            self.reply(body.encode())

    def answer(self, path):
        kind, _, number = path.strip("/").partition("/")
        if kind == "page":
            return render_page(int(number))
        if kind == "chart":
            return render_chart(int(number))
        raise NoSuchPage(path)

    def reply(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def render_page(number):
    paragraphs = [render_paragraph(number, i) for i in range(6)]
    return "<h1>Page %d</h1>%s" % (number, "".join(paragraphs))


def render_paragraph(number, i):
    words = [emphasize(word, number + i) for word in WORDS * 12]
    return "<p>%s</p>" % "<br>".join(break_lines(words, 500))


def emphasize(word, rhythm):
    return "<b>%s</b>" % word if sum(map(ord, word)) % 7 == rhythm % 7 else word


def break_lines(words, width):
    """Lines of about that many letters, broken where the sum of squares of what is left is least."""
    lengths, n = list(map(len, words)), len(words)
    best, breaks = [0] + [width * width * n] * n, [0] * (n + 1)
    for end in range(1, n + 1):
        left, begin = width, end
        while begin > 0 and left >= lengths[begin - 1]:
            begin -= 1
            left -= lengths[begin] + 1
            if best[begin] + left * left < best[end]:
                best[end], breaks[end] = best[begin] + left * left, begin
    lines = []
    while n > 0:
        lines.insert(0, " ".join(words[breaks[n]:n]))
        n = breaks[n]
    return lines


def render_chart(number):
    """Waits for a process of the pool to draw it."""
    chart = pool.submit(draw_chart, number).result()
    return "<h1>Chart %d</h1>%s" % (number, chart)


# ---- what the visitors do

def visit(address, visitor):
    """A visitor's whole stay; returns how many answers were fine."""
    connection = http.client.HTTPConnection(*address, timeout=60)
    fine = 0
    for n in range(VISITS):
        fine += ask(connection, choose(visitor, n))
        think()
    connection.close()
    return fine


def choose(visitor, n):
    if (visitor + n) % 7 == 6:
        return "/nowhere"
    return "/%s/%d" % ("chart" if (visitor + n) % 2 else "page", 10 * visitor + n)


def ask(connection, path):
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    return response.status == 200


def think():
    time.sleep(0.03)


# ---- all together

def start_painters():
    """All of them, before there are threads: a fork would copy only one of those."""
    return concurrent.futures.ProcessPoolExecutor(PAINTERS, multiprocessing.get_context("fork"))


def serve_visitors():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    acceptor = threading.Thread(target=server.serve_forever, args=(0.05,), name="acceptor")
    acceptor.start()
    with concurrent.futures.ThreadPoolExecutor(VISITORS, "visitor") as visitors:
        stays = [visitors.submit(visit, server.server_address, v) for v in range(VISITORS)]
        fine = sum(stay.result() for stay in stays)
    server.shutdown()
    acceptor.join()
    server.server_close()
    return fine


if __name__ == "__main__":
    begin = time.monotonic()
    ready = multiprocessing.get_context("fork").Barrier(PAINTERS)
    with start_painters() as pool:
        list(pool.map(mix_colours, range(PAINTERS)))
        fine = serve_visitors()
    print("web_pool: %d visitors, %d requests, %d of them fine, %d processes to draw charts, %.1f seconds"
          % (VISITORS, VISITORS * VISITS, fine, PAINTERS, time.monotonic() - begin))
