/*
 * grpcload: closed loops of unary gRPC calls against a server on this machine, for as little CPU as a client can take.
 *
 *   grpcload HOST PORT /package.Service/Method REQUESTS CONNECTIONS SECONDS ANSWERS
 *
 * Each connection sends the next of the REQUESTS when its last one is answered, until all are sent or SECONDS are over (0: no
 * limit). REQUESTS is a file of serialised messages, each after its length (uint32, little-endian), of at most 16 KiB. ANSWERS
 * gets for each answered call its place among the requests, its length, its latency in ns (uint32 each, little-endian) and the
 * message; "-" keeps none. The environment's VEXFS_TOKEN is sent as bearer token. Prints one JSON object; ends with 1 and a
 * sentence at the first call that fails.
 *
 * One thread, one epoll. Speaks HTTP/2 in clear text by hand, as far as unary calls need it: one stream a connection at a time,
 * header fields that repeat are sent as one byte each, as other clients do. What the server says in header fields is not decoded:
 * a failed call has no message, and that is how it is known.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING = 6, GOAWAY = 7, WINDOW_UPDATE = 8 };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8 };
enum { FRAME_HEADER = 9, MESSAGE_HEADER = 5, REQUEST_MAX = 16384 - MESSAGE_HEADER, INPUT_SIZE = 1 << 18, WINDOW = 0x7fffffff };
enum { CONNECTIONS_MAX = 256, HEAD_MAX = 1024 };

struct connection {
    int fd;
    uint32_t stream;          /* of the call under way; 0 when there is none */
    uint32_t next_stream;
    size_t request;           /* its place among the requests */
    uint64_t began;
    int64_t send_window;
    int waits_for_window;
    uint64_t received_since_update;
    unsigned char input[INPUT_SIZE];
    size_t input_size;
    unsigned char *message;   /* the answer so far, its 5-byte prefix included */
    size_t message_size, message_capacity;
};

static const unsigned char *requests;
static size_t *request_at, request_count, request_next, answered;
static uint32_t *request_size;
static uint32_t *latency_ns;
static uint64_t deadline;
static FILE *answers;
static unsigned char first_head[HEAD_MAX], later_head[HEAD_MAX];
static size_t first_head_size, later_head_size;

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("grpcload: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static uint64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint32_t big_endian(const unsigned char *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put_frame_header(unsigned char *at, uint32_t size, int type, int flags, uint32_t stream) {
    at[0] = size >> 16, at[1] = size >> 8, at[2] = size, at[3] = type, at[4] = flags;
    at[5] = stream >> 24, at[6] = stream >> 16, at[7] = stream >> 8, at[8] = stream;
}

static void put_number(unsigned char *at, uint32_t value) {
    at[0] = value >> 24, at[1] = value >> 16, at[2] = value >> 8, at[3] = value;
}

static void send_all(struct connection *connection, const unsigned char *bytes, size_t size) {
    while (size) {
        ssize_t sent = send(connection->fd, bytes, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            fail("cannot send: %s", strerror(errno));
        bytes += sent, size -= (size_t)sent;
    }
}

/* ---- header fields (HPACK) -------------------------------------------------------------------------------------------- */

static void put_string(unsigned char *head, size_t *size, const char *text) {
    size_t length = strlen(text), rest = length;
    if (*size + length + 8 > HEAD_MAX)
        fail("header fields are longer than %d bytes", HEAD_MAX);
    if (rest < 127) {
        head[(*size)++] = rest;
    } else {
        head[(*size)++] = 127;
        for (rest -= 127; rest >= 128; rest >>= 7)
            head[(*size)++] = 128 | (rest & 127);
        head[(*size)++] = rest;
    }
    memcpy(head + *size, text, length);
    *size += length;
}

/* A field that the server is to remember; `name` is its place in the static table. */
static void put_remembered(int name, const char *name_text, const char *value) {
    first_head[first_head_size++] = 64 | name;
    if (!name)
        put_string(first_head, &first_head_size, name_text);
    put_string(first_head, &first_head_size, value);
}

static void make_heads(const char *authority, const char *method) {
    const char *token = getenv("VEXFS_TOKEN");
    char bearer[HEAD_MAX / 2];
    int remembered = 5;
    first_head[first_head_size++] = 0x83;                             /* :method POST */
    first_head[first_head_size++] = 0x86;                             /* :scheme http */
    put_remembered(4, NULL, method);                                  /* :path */
    put_remembered(1, NULL, authority);                               /* :authority */
    put_remembered(31, NULL, "application/grpc");                     /* content-type */
    put_remembered(0, "te", "trailers");
    put_remembered(0, "grpc-timeout", "30S");
    if (token && *token) {
        snprintf(bearer, sizeof bearer, "Bearer %s", token);
        put_remembered(23, NULL, bearer);                             /* authorization */
        remembered++;
    }
    later_head[later_head_size++] = 0x83;
    later_head[later_head_size++] = 0x86;
    for (int place = remembered; place-- > 0;)
        later_head[later_head_size++] = 128 | (62 + place);           /* what was remembered last is 62 */
}

/* ---- calls ------------------------------------------------------------------------------------------------------------ */

static void start_call(struct connection *connection) {
    static unsigned char out[FRAME_HEADER + HEAD_MAX + FRAME_HEADER + MESSAGE_HEADER + REQUEST_MAX];
    if (connection->waits_for_window == 0) {
        if (request_next == request_count || (deadline && now_ns() >= deadline))
            return;
        connection->request = request_next++;
    }
    uint32_t size = request_size[connection->request];
    connection->waits_for_window = connection->send_window < (int64_t)(size + MESSAGE_HEADER);
    if (connection->waits_for_window)
        return;
    const unsigned char *head = connection->next_stream == 1 ? first_head : later_head;
    size_t head_size = connection->next_stream == 1 ? first_head_size : later_head_size;
    connection->stream = connection->next_stream;
    connection->next_stream += 2;
    put_frame_header(out, head_size, HEADERS, END_HEADERS, connection->stream);
    memcpy(out + FRAME_HEADER, head, head_size);
    unsigned char *data = out + FRAME_HEADER + head_size;
    put_frame_header(data, size + MESSAGE_HEADER, DATA, END_STREAM, connection->stream);
    data[FRAME_HEADER] = 0;
    put_number(data + FRAME_HEADER + 1, size);
    memcpy(data + FRAME_HEADER + MESSAGE_HEADER, requests + request_at[connection->request], size);
    connection->send_window -= size + MESSAGE_HEADER;
    connection->message_size = 0;
    connection->began = now_ns();
    send_all(connection, out, FRAME_HEADER + head_size + FRAME_HEADER + MESSAGE_HEADER + size);
}

static void finish_call(struct connection *connection) {
    uint64_t taken = now_ns() - connection->began;
    if (connection->message_size < MESSAGE_HEADER)
        fail("call %zu failed: the server answered no message", connection->request);
    if (connection->message[0] || big_endian(connection->message + 1) != connection->message_size - MESSAGE_HEADER)
        fail("call %zu was answered with a message that is compressed or not whole", connection->request);
    latency_ns[answered] = taken > UINT32_MAX ? UINT32_MAX : (uint32_t)taken;
    if (answers) {
        uint32_t head[3] = {connection->request, connection->message_size - MESSAGE_HEADER, latency_ns[answered]};
        if (fwrite(head, sizeof head, 1, answers) != 1 || fwrite(connection->message + MESSAGE_HEADER, 1, head[1], answers) != head[1])
            fail("cannot keep an answer: %s", strerror(errno));
    }
    answered++;
    connection->stream = 0;
    start_call(connection);
}

static void take_data(struct connection *connection, const unsigned char *bytes, size_t size, int flags) {
    connection->received_since_update += size;
    if (flags & PADDED)
        fail("the server pads its frames, which this client does not read");
    if (connection->message_size + size > connection->message_capacity) {
        connection->message_capacity = 2 * (connection->message_size + size);
        connection->message = realloc(connection->message, connection->message_capacity);
        if (!connection->message)
            fail("out of memory");
    }
    memcpy(connection->message + connection->message_size, bytes, size);
    connection->message_size += size;
    if (connection->received_since_update > WINDOW / 2) {
        unsigned char update[FRAME_HEADER + 4];
        put_frame_header(update, 4, WINDOW_UPDATE, 0, 0);
        put_number(update + FRAME_HEADER, connection->received_since_update);
        send_all(connection, update, sizeof update);
        connection->received_since_update = 0;
    }
}

static void take_frame(struct connection *connection, int type, int flags, uint32_t stream, const unsigned char *body, size_t size) {
    unsigned char reply[FRAME_HEADER + 8];
    switch (type) {
    case DATA:
    case HEADERS:
        if (stream != connection->stream)
            fail("the server answers a call that was not made");
        if (type == DATA)
            take_data(connection, body, size, flags);
        if (flags & END_STREAM)
            finish_call(connection);
        break;
    case RST_STREAM:
        if (stream != connection->stream)
            break;
        fail("the server ended call %zu with code %u", connection->request, size == 4 ? big_endian(body) : 0);
    case GOAWAY:
        fail("the server closes the connection");
    case SETTINGS:
    case PING:
        if (flags & ACK)
            break;
        put_frame_header(reply, type == PING ? 8 : 0, type, ACK, 0);
        if (type == PING && size == 8)
            memcpy(reply + FRAME_HEADER, body, 8);
        send_all(connection, reply, FRAME_HEADER + (type == PING ? 8 : 0));
        break;
    case WINDOW_UPDATE:
        if (stream == 0)
            connection->send_window += big_endian(body) & WINDOW;
        if (connection->waits_for_window)
            start_call(connection);
        break;
    }
}

static void receive(struct connection *connection) {
    ssize_t got = recv(connection->fd, connection->input + connection->input_size, INPUT_SIZE - connection->input_size, 0);
    if (got < 0 && errno == EINTR)
        return;
    if (got <= 0)
        fail("the server ended the connection%s%s", got ? ": " : "", got ? strerror(errno) : "");
    connection->input_size += (size_t)got;
    size_t at = 0;
    while (connection->input_size - at >= FRAME_HEADER) {
        const unsigned char *frame = connection->input + at;
        size_t size = (size_t)frame[0] << 16 | (size_t)frame[1] << 8 | frame[2];
        if (FRAME_HEADER + size > INPUT_SIZE)
            fail("the server sent a frame of %zu bytes", size);
        if (connection->input_size - at < FRAME_HEADER + size)
            break;
        take_frame(connection, frame[3], frame[4], big_endian(frame + 5) & WINDOW, frame + FRAME_HEADER, size);
        at += FRAME_HEADER + size;
    }
    memmove(connection->input, connection->input + at, connection->input_size - at);
    connection->input_size -= at;
}

/* ---- the whole -------------------------------------------------------------------------------------------------------- */

static void open_connection(struct connection *connection, const char *host, int port) {
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    unsigned char opening[sizeof preface - 1 + FRAME_HEADER + 12 + FRAME_HEADER + 4], *at = opening + sizeof preface - 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1;
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        fail("%s is no IPv4 address", host);
    connection->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connection->fd < 0 || connect(connection->fd, (struct sockaddr *)&address, sizeof address))
        fail("cannot connect to %s:%d: %s", host, port, strerror(errno));
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connection->next_stream = 1;
    connection->send_window = 65535;
    memcpy(opening, preface, sizeof preface - 1);
    put_frame_header(at, 12, SETTINGS, 0, 0);
    at[FRAME_HEADER] = 0, at[FRAME_HEADER + 1] = 2;      /* no pushes */
    put_number(at + FRAME_HEADER + 2, 0);
    at[FRAME_HEADER + 6] = 0, at[FRAME_HEADER + 7] = 4;  /* the window of a stream */
    put_number(at + FRAME_HEADER + 8, WINDOW);
    at += FRAME_HEADER + 12;
    put_frame_header(at, 4, WINDOW_UPDATE, 0, 0);
    put_number(at + FRAME_HEADER, WINDOW - 65535);
    send_all(connection, opening, sizeof opening);
}

static void read_requests(const char *path) {
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) || status.st_size < 4)
        fail("cannot read requests from %s", path);
    requests = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (requests == MAP_FAILED)
        fail("cannot map %s: %s", path, strerror(errno));
    size_t capacity = 0;
    for (size_t at = 0; at + 4 <= (size_t)status.st_size;) {
        if (request_count == capacity) {
            capacity = capacity ? 2 * capacity : 1024;
            request_at = realloc(request_at, capacity * sizeof *request_at);
            request_size = realloc(request_size, capacity * sizeof *request_size);
            if (!request_at || !request_size)
                fail("out of memory");
        }
        memcpy(&request_size[request_count], requests + at, 4);
        request_at[request_count] = at + 4;
        if (request_size[request_count] > REQUEST_MAX || at + 4 + request_size[request_count] > (size_t)status.st_size)
            fail("request %zu is larger than %d bytes, or not whole", request_count, REQUEST_MAX);
        at += 4 + request_size[request_count++];
    }
    latency_ns = malloc(request_count * sizeof *latency_ns);
    if (!latency_ns)
        fail("out of memory");
}

static int by_size(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

static void print_summary(double seconds) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    qsort(latency_ns, answered, sizeof *latency_ns, by_size);
    printf("{\"operations\": %zu, \"seconds\": %.6f, \"p50_ms\": %.4f, \"p99_ms\": %.4f, \"max_ms\": %.4f, \"client_cpu_seconds\": %.6f}\n",
           answered, seconds, latency_ns[answered / 2] / 1e6, latency_ns[(size_t)(answered * 0.99)] / 1e6,
           latency_ns[answered - 1] / 1e6, cpu);
}

int main(int count, char **arguments) {
    if (count != 8)
        fail("usage: grpcload HOST PORT METHOD REQUESTS CONNECTIONS SECONDS ANSWERS");
    const char *host = arguments[1], *kept = arguments[7];
    int port = atoi(arguments[2]), connections = atoi(arguments[5]), poll = epoll_create1(EPOLL_CLOEXEC);
    double seconds = atof(arguments[6]);
    char authority[64];
    if (connections < 1 || connections > CONNECTIONS_MAX)
        fail("1 to %d connections", CONNECTIONS_MAX);
    snprintf(authority, sizeof authority, "%s:%d", host, port);
    read_requests(arguments[4]);
    make_heads(authority, arguments[3]);
    if (strcmp(kept, "-") && !(answers = fopen(kept, "wb")))
        fail("cannot write %s: %s", kept, strerror(errno));
    struct connection *all = calloc(connections, sizeof *all);
    if (!all || poll < 0)
        fail("out of memory");
    for (int i = 0; i < connections; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
        open_connection(&all[i], host, port);
        if (epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &event))
            fail("epoll: %s", strerror(errno));
    }
    uint64_t began = now_ns();
    deadline = seconds > 0 ? began + (uint64_t)(seconds * 1e9) : 0;
    for (int i = 0; i < connections; i++)
        start_call(&all[i]);
    for (int running = 1; running;) {
        struct epoll_event events[CONNECTIONS_MAX];
        int ready = epoll_wait(poll, events, CONNECTIONS_MAX, 60000);
        if (ready == 0)
            fail("no answer within 60 s");
        for (int i = 0; i < ready; i++)
            receive(events[i].data.ptr);
        running = 0;
        for (int i = 0; i < connections; i++)
            running |= all[i].stream || all[i].waits_for_window;
    }
    double taken = (now_ns() - began) / 1e9;
    if (answers && fclose(answers))
        fail("cannot keep the answers: %s", strerror(errno));
    print_summary(taken);
    return 0;
}
