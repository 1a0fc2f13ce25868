/* serve.c - see serve.h. Called by view_perfetto.c, on the main thread.
 *
 * What is served is private, and any page in the user's browser may send requests to 127.0.0.1. So a
 * request has to name that address as its Host (a name of somebody's that leads here is refused), may
 * have no other Origin than the page's, and must know the path. The answer is for that origin only.
 *
 * Invariant: at most one connection, `fetching`, is ever sent the file; the others get a status.
 */
#include "cli/serve.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <uv.h>

#define MAX_REQUEST_BYTES 16384u
#define MAX_CONNECTIONS 32
#define PIECE_BYTES (256u << 10)
/* A connection that neither sends nor takes anything for so long is closed. */
#define STALL_MS 20000

struct server {
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_timer_t waiting;
    const struct mt_serve *serve;
    char host[32]; /* "127.0.0.1:9001" */
    struct connection *fetching;
    int n_connections;
    enum mt_served result;
    int error;
};

struct connection {
    struct server *server;
    uv_tcp_t tcp;
    uv_timer_t stall;
    uv_write_t write;
    uv_shutdown_t shutdown;
    int n_handles; /* not closed yet */
    bool closing, delivered;
    uint64_t n_sent; /* of the file */
    size_t n_bytes;  /* of the request, or of `out` */
    char request[MAX_REQUEST_BYTES + 1];
    char *piece;
};

/* -------------------------------------------------------------------------------------- connections */

static void on_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    if (--connection->n_handles)
        return;
    connection->server->n_connections--;
    free(connection->piece);
    free(connection);
}

static void close_connection(struct connection *connection)
{
    if (connection->closing)
        return;
    connection->closing = true;
    if (connection->server->fetching == connection)
        connection->server->fetching = NULL;
    uv_close((uv_handle_t *)&connection->stall, on_closed);
    uv_close((uv_handle_t *)&connection->tcp, on_closed);
}

static void close_any(uv_handle_t *handle, void *context)
{
    struct server *server = context;
    if (uv_is_closing(handle))
        return;
    if (handle == (uv_handle_t *)&server->listener || handle == (uv_handle_t *)&server->waiting)
        uv_close(handle, NULL);
    else
        close_connection(handle->data);
}

/* Everything ends. */
static void finish(struct server *server, enum mt_served result)
{
    server->result = result;
    uv_walk(&server->loop, close_any, server);
}

/* Of the one that fetches: all was sent, and the other side has closed, or does not care to. */
static void conclude(struct connection *connection)
{
    struct server *server = connection->server;
    bool fetched = server->fetching == connection && connection->delivered;
    close_connection(connection);
    if (fetched)
        finish(server, MT_SERVED);
}

static void on_stall(uv_timer_t *timer)
{
    conclude(timer->data);
}

static void go_on(struct connection *connection)
{
    uv_timer_start(&connection->stall, on_stall, STALL_MS, 0);
}

/* ------------------------------------------------------------------------------------------ answers */

static void make_room(uv_handle_t *tcp, size_t suggested, uv_buf_t *buf);
static void on_read(uv_stream_t *stream, ssize_t n_read, const uv_buf_t *buf);

/* What was sent is lost if we close before the other side has taken it. */
static void on_shutdown(uv_shutdown_t *shutdown, int status)
{
    struct connection *connection = shutdown->data;
    if (connection->closing)
        return;
    connection->delivered = status == 0;
    connection->n_bytes = 0;
    if (status != 0 || uv_read_start((uv_stream_t *)&connection->tcp, make_room, on_read) != 0)
        close_connection(connection);
}

static void on_written(uv_write_t *write, int status);

static void send_bytes(struct connection *connection, char *data, size_t n_bytes)
{
    uv_buf_t buf = uv_buf_init(data, (unsigned)n_bytes);
    connection->write.data = connection;
    go_on(connection);
    if (uv_write(&connection->write, (uv_stream_t *)&connection->tcp, &buf, 1, on_written) != 0)
        close_connection(connection);
}

/* The next piece of the file, or the end. */
static void send_more(struct connection *connection)
{
    const struct mt_serve *serve = connection->server->serve;
    uint64_t left = serve->n_bytes - connection->n_sent;
    if (connection->server->fetching != connection || left == 0) {
        connection->shutdown.data = connection;
        if (uv_shutdown(&connection->shutdown, (uv_stream_t *)&connection->tcp, on_shutdown) != 0)
            close_connection(connection);
        return;
    }
    ssize_t n;
    do
        n = pread(serve->fd, connection->piece, left < PIECE_BYTES ? left : PIECE_BYTES,
                  (off_t)connection->n_sent);
    while (n == -1 && errno == EINTR);
    if (n <= 0) {
        connection->server->error = n < 0 ? errno : EIO;
        finish(connection->server, MT_SERVE_FAILED);
        return;
    }
    connection->n_sent += (uint64_t)n;
    send_bytes(connection, connection->piece, (size_t)n);
}

static void on_written(uv_write_t *write, int status)
{
    struct connection *connection = write->data;
    if (status != 0)
        close_connection(connection);
    else if (!connection->closing)
        send_more(connection);
}

/* The head of an answer, in place of the request. */
static void answer(struct connection *connection, const char *status, const char *more,
                   uint64_t n_bytes)
{
    const char *origin = connection->server->serve->origin;
    int n = snprintf(connection->request, sizeof connection->request,
                     "HTTP/1.1 %s\r\n"
                     "Access-Control-Allow-Origin: %s\r\n"
                     "Vary: Origin\r\n"
                     "Cache-Control: no-store\r\n"
                     "X-Content-Type-Options: nosniff\r\n"
                     "Connection: close\r\n"
                     "%s"
                     "Content-Length: %" PRIu64 "\r\n\r\n",
                     status, origin, more, n_bytes);
    uv_read_stop((uv_stream_t *)&connection->tcp);
    send_bytes(connection, connection->request, (size_t)n);
}

static void refuse(struct connection *connection, const char *status)
{
    answer(connection, status, strncmp(status, "405", 3) ? "" : "Allow: GET, OPTIONS\r\n", 0);
}

/* ----------------------------------------------------------------------------------------- requests */

/* The value of a header line, NULL if it is not there; *twice if it is there more than once. Ends at
 * the line's end, blanks around it left out. */
static const char *header(const char *lines, const char *name, size_t *n_bytes, bool *twice)
{
    const char *found = NULL;
    size_t n_name = strlen(name);
    *twice = false;
    const char *end = strstr(lines, "\r\n");
    for (const char *line = lines; end && end != line; line = end + 2, end = strstr(line, "\r\n")) {
        if (strncasecmp(line, name, n_name) != 0 || line[n_name] != ':')
            continue;
        *twice = found;
        for (found = line + n_name + 1; *found == ' ' || *found == '\t';)
            found++;
        for (*n_bytes = (size_t)(end - found);
             *n_bytes && (found[*n_bytes - 1] == ' ' || found[*n_bytes - 1] == '\t');)
            --*n_bytes;
    }
    return found;
}

static bool header_is(const char *lines, const char *name, const char *wanted, bool must_be_there)
{
    size_t n_bytes = 0;
    bool twice;
    const char *value = header(lines, name, &n_bytes, &twice);
    if (!value)
        return !must_be_there;
    return !twice && n_bytes == strlen(wanted) && !memcmp(value, wanted, n_bytes);
}

/* A text that is not to be guessed: the time does not tell how much of it was right. */
static bool same_secret(const char *text, size_t n_bytes, const char *secret)
{
    unsigned difference = n_bytes != strlen(secret);
    for (size_t i = 0; i < n_bytes && secret[i]; i++)
        difference |= (unsigned char)text[i] ^ (unsigned char)secret[i];
    return !difference;
}

static void handle(struct connection *connection)
{
    struct server *server = connection->server;
    const char *lines = strstr(connection->request, "\r\n");
    char method[8] = "", path[256] = "", version[16] = "";
    lines = lines ? lines + 2 : "";
    if (strlen(connection->request) != connection->n_bytes ||
        sscanf(connection->request, "%7[A-Z] %255[^ \r\n] %15[^ \r\n]\r\n", method, path,
               version) != 3 ||
        strncmp(version, "HTTP/1.", 7) != 0) {
        refuse(connection, "400 Bad Request");
    } else if (!header_is(lines, "Host", server->host, true)) {
        refuse(connection, "421 Misdirected Request");
    } else if (!header_is(lines, "Origin", server->serve->origin, false)) {
        refuse(connection, "403 Forbidden");
    } else if (!same_secret(path, strlen(path), server->serve->path)) {
        refuse(connection, "404 Not Found");
    } else if (!strcmp(method, "OPTIONS")) {
        answer(connection, "204 No Content",
               "Access-Control-Allow-Methods: GET\r\n"
               "Access-Control-Allow-Private-Network: true\r\n",
               0);
    } else if (strcmp(method, "GET") != 0) {
        refuse(connection, "405 Method Not Allowed");
    } else if (server->fetching) {
        refuse(connection, "410 Gone");
    } else {
        server->fetching = connection;
        answer(connection, "200 OK", "Content-Type: application/octet-stream\r\n",
               server->serve->n_bytes);
    }
}

static void make_room(uv_handle_t *tcp, size_t suggested, uv_buf_t *buf)
{
    struct connection *connection = tcp->data;
    (void)suggested;
    *buf = uv_buf_init(connection->request + connection->n_bytes,
                       (unsigned)(MAX_REQUEST_BYTES - connection->n_bytes));
}

static void on_read(uv_stream_t *stream, ssize_t n_read, const uv_buf_t *buf)
{
    struct connection *connection = stream->data;
    (void)buf;
    if (n_read == UV_ENOBUFS) {
        refuse(connection, "431 Request Header Fields Too Large");
    } else if (n_read == UV_EOF) {
        conclude(connection);
    } else if (n_read < 0) { /* reset: what was sent was not read */
        close_connection(connection);
    } else if (n_read > 0 && !connection->delivered) {
        connection->n_bytes += (size_t)n_read;
        connection->request[connection->n_bytes] = '\0';
        bool text = strlen(connection->request) == connection->n_bytes;
        if (!text || strstr(connection->request, "\r\n\r\n"))
            handle(connection);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct server *server = listener->data;
    struct connection *connection = status == 0 ? calloc(1, sizeof *connection) : NULL;
    if (!connection)
        return;
    connection->server = server;
    connection->n_handles = 2;
    connection->piece = malloc(PIECE_BYTES);
    server->n_connections++;
    uv_tcp_init(&server->loop, &connection->tcp);
    uv_timer_init(&server->loop, &connection->stall);
    connection->tcp.data = connection->stall.data = connection;
    /* Browsers open connections in advance, and leave them alone. */
    if (uv_accept(listener, (uv_stream_t *)&connection->tcp) != 0 || !connection->piece ||
        server->n_connections > MAX_CONNECTIONS ||
        uv_read_start((uv_stream_t *)&connection->tcp, make_room, on_read) != 0)
        close_connection(connection);
    else
        go_on(connection);
}

/* ------------------------------------------------------------------------------------------- life */

static void on_waited(uv_timer_t *timer)
{
    struct server *server = timer->data;
    if (server->fetching)
        uv_timer_start(timer, on_waited, STALL_MS, 0);
    else
        finish(server, MT_SERVE_UNUSED);
}

static int listen_on(struct server *server)
{
    struct sockaddr_in address;
    snprintf(server->host, sizeof server->host, "127.0.0.1:%u", server->serve->port);
    uv_ip4_addr("127.0.0.1", server->serve->port, &address);
    int error = uv_tcp_bind(&server->listener, (const struct sockaddr *)&address, 0);
    return error ? error : uv_listen((uv_stream_t *)&server->listener, 16, on_connection);
}

enum mt_served mt__serve(const struct mt_serve *serve, int *error)
{
    struct server server = {.serve = serve, .result = MT_SERVE_FAILED};
    *error = -uv_loop_init(&server.loop);
    if (*error)
        return MT_SERVE_FAILED;
    uv_tcp_init(&server.loop, &server.listener);
    uv_timer_init(&server.loop, &server.waiting);
    server.listener.data = server.waiting.data = &server;
    server.error = -listen_on(&server);
    if (!server.error) {
        uv_timer_start(&server.waiting, on_waited, serve->wait_ms, 0);
        serve->listening(serve->context);
    } else {
        finish(&server, MT_SERVE_FAILED);
    }
    uv_run(&server.loop, UV_RUN_DEFAULT);
    uv_loop_close(&server.loop);
    *error = server.error;
    return server.result;
}
