// llmbench: a lean SSE backend and load client for measuring LLM proxies. Linux only (epoll).
//   llmbench serve PORT [events] [interval_us] [pad]              an OpenAI-shaped backend; port 0 picks a free one
//   llmbench load HOST PORT streams seconds [1|0] [events] [spread_s] [trace]
//                                                                 closed-loop clients; prints two lines of JSON
// Each event carries the monotonic time at which it was sent, so the client reads the one-way latency of each. A trace
// has a line per event: its number in the answer, when the first of the answer was sent, when it was sent, when it came.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PAD_MAX = 4000, PHASES = 16, BATCH = 512 };

static int poller;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void tune(int fd) {
    int on = 1;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void watch(int fd, void *owner) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = owner};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

static void *checked(void *memory) {
    if (memory) return memory;
    perror("memory");
    exit(1);
}

// ------------------------------------------------------------------------------------------------------------ backend

typedef struct {
    int fd;
    char in[65536];
    size_t in_len;
    int streaming;
    int left;     // events of this answer that are still to come, [DONE] included
    uint64_t due; // when the next one is
    int place;    // in the heap, -1 outside
    char out[8192];
    size_t out_len, out_sent;
} Conn;

static int events_per_stream = 101, pad;
static uint64_t interval_ns;
static char padding[PAD_MAX];

static Conn **heap; // the earliest due first
static int heap_len, heap_room;

static int before(int a, int b) { return heap[a]->due < heap[b]->due; }

static void heap_swap(int a, int b) {
    Conn *c = heap[a];
    heap[a] = heap[b];
    heap[b] = c;
    heap[a]->place = a;
    heap[b]->place = b;
}

static void heap_up(int i) {
    for (; i && before(i, (i - 1) / 2); i = (i - 1) / 2) heap_swap(i, (i - 1) / 2);
}

static void heap_down(int i) {
    for (;;) {
        int left = 2 * i + 1, right = left + 1, least = i;
        if (left < heap_len && before(left, least)) least = left;
        if (right < heap_len && before(right, least)) least = right;
        if (least == i) return;
        heap_swap(i, least);
        i = least;
    }
}

static void heap_add(Conn *c) {
    if (heap_len == heap_room) {
        heap_room = heap_room ? heap_room * 2 : 1024;
        heap = checked(realloc(heap, (size_t)heap_room * sizeof *heap));
    }
    heap[heap_len] = c;
    c->place = heap_len++;
    heap_up(c->place);
}

static void heap_remove(Conn *c) {
    int i = c->place;
    if (i < 0) return;
    if (i != --heap_len) {
        heap_swap(i, heap_len);
        heap_up(i);
        heap_down(i);
    }
    c->place = -1;
}

static void want(Conn *c, uint32_t what) {
    struct epoll_event event = {.events = what, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
}

static void drop(Conn *c) {
    heap_remove(c);
    close(c->fd);
    free(c);
}

static int send_out(Conn *c) { // 1 all sent, 0 the rest when there is room, -1 broken
    while (c->out_sent < c->out_len) {
        ssize_t n = write(c->fd, c->out + c->out_sent, c->out_len - c->out_sent);
        if (n < 0 && errno != EAGAIN) return -1;
        if (n < 0) {
            want(c, EPOLLIN | EPOLLOUT);
            return 0;
        }
        c->out_sent += (size_t)n;
    }
    c->out_sent = c->out_len = 0;
    return 1;
}

static int send_event(Conn *c) {
    char event[PAD_MAX + 512];
    int n = c->left > 1 ? snprintf(event, sizeof event,
                                   "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\","
                                   "\"created\":1700000000,\"model\":\"sim\",\"choices\":[{\"index\":0,\"delta\":"
                                   "{\"content\":\" token%.*s\"},\"finish_reason\":null}],\"ts\":%llu}\n\n",
                                   pad, padding, (unsigned long long)now_ns())
                        : snprintf(event, sizeof event, "data: [DONE]\n\n");
    c->left--;
    c->out_len = (size_t)snprintf(c->out, sizeof c->out, "%x\r\n%s\r\n%s", n, event, c->left ? "" : "0\r\n\r\n");
    return send_out(c);
}

static void send_due(Conn *c) {
    while (c->streaming && c->left > 0) {
        if (interval_ns) {
            if (now_ns() < c->due) {
                if (c->place < 0) heap_add(c);
                return;
            }
            heap_remove(c);
            c->due += interval_ns;
        }
        int sent = send_event(c);
        if (sent < 0) drop(c);
        if (sent <= 0) return;
        if (!interval_ns && c->left && c->left % 16 == 0) { // be fair between connections
            want(c, EPOLLIN | EPOLLOUT);
            return;
        }
    }
    if (c->streaming) {
        c->streaming = 0;
        want(c, EPOLLIN);
    }
}

static const char *const PLAIN =
    "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"sim\",\"choices\":"
    "[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Paris\"},\"finish_reason\":\"stop\"}],"
    "\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1,\"total_tokens\":10}}";

static size_t request_len(const Conn *c) { // 0 while it is not complete
    const char *head_end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
    if (!head_end) return 0;
    size_t head = (size_t)(head_end - c->in) + 4;
    unsigned long body = 0;
    for (const char *line = c->in; line < head_end;) {
        const char *end = memmem(line, (size_t)(head_end - line) + 2, "\r\n", 2);
        if (!strncasecmp(line, "content-length:", 15)) body = strtoul(line + 15, NULL, 10);
        if (!strncasecmp(line, "transfer-encoding:", 18)) {
            const char *last = memmem(c->in + head, c->in_len - head, "0\r\n\r\n", 5);
            return last ? (size_t)(last - c->in) + 5 : 0;
        }
        line = end + 2;
    }
    return c->in_len < head + body ? 0 : head + body;
}

static int begin_answer(Conn *c) { // 1 when there was a request
    static unsigned serial;
    size_t len = request_len(c);
    if (!len) return 0;
    c->streaming = memmem(c->in, len, "\"stream\":true", 13) || memmem(c->in, len, "\"stream\": true", 14);
    memmove(c->in, c->in + len, c->in_len - len);
    c->in_len -= len;
    if (!c->streaming) {
        c->out_len = (size_t)snprintf(c->out, sizeof c->out,
                                      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                      "Content-Length: %zu\r\n\r\n%s",
                                      strlen(PLAIN), PLAIN);
        return 1;
    }
    c->left = events_per_stream;
    // Streams that begin together must not speak in one voice, or every interval is one burst.
    c->due = now_ns() + interval_ns * (serial++ % PHASES + 1) / PHASES;
    c->out_len = (size_t)snprintf(c->out, sizeof c->out,
                                  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                  "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n");
    return 1;
}

static void accept_all(int listening) {
    for (int fd; (fd = accept(listening, NULL, NULL)) >= 0;) {
        Conn *c = checked(calloc(1, sizeof *c));
        tune(fd);
        c->fd = fd;
        c->place = -1;
        watch(fd, c);
    }
}

static void answer(Conn *c, uint32_t happened) {
    if (happened & (EPOLLHUP | EPOLLERR)) return drop(c);
    if (happened & EPOLLIN) {
        ssize_t n = read(c->fd, c->in + c->in_len, sizeof c->in - c->in_len);
        if (n == 0 || (n < 0 && errno != EAGAIN)) return drop(c);
        if (n > 0) c->in_len += (size_t)n;
        if (!c->streaming && !c->out_len && begin_answer(c)) {
            int sent = send_out(c);
            if (sent < 0) return drop(c);
            if (sent && c->streaming) send_due(c);
            return;
        }
    }
    if (happened & EPOLLOUT) {
        int sent = send_out(c);
        if (sent < 0) return drop(c);
        if (!sent) return;
        if (!c->streaming || interval_ns) want(c, EPOLLIN);
        if (c->streaming) send_due(c);
    }
}

static int wait_ms(void) { // until the next event is due; what is below a millisecond is slept here
    if (!heap_len) return -1;
    int64_t left = (int64_t)(heap[0]->due - now_ns());
    if (left > 0 && left < 1000000) nanosleep(&(struct timespec){0, left}, NULL);
    return left <= 0 ? 0 : (int)(left / 1000000);
}

static int serve(int port) {
    int listening = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t at_len = sizeof at;
    memset(padding, 'x', sizeof padding);
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listening, (void *)&at, sizeof at) || listen(listening, 4096) ||
        getsockname(listening, (void *)&at, &at_len)) {
        perror("listen");
        return 1;
    }
    printf("{\"port\":%d}\n", ntohs(at.sin_port));
    fflush(stdout);
    tune(listening);
    watch(listening, NULL);
    struct epoll_event batch[BATCH];
    for (;;) {
        int n = epoll_wait(poller, batch, BATCH, wait_ms());
        for (int i = 0; i < n; i++) {
            if (batch[i].data.ptr) answer(batch[i].data.ptr, batch[i].events);
            else accept_all(listening);
        }
        while (heap_len && heap[0]->due <= now_ns()) {
            Conn *c = heap[0];
            heap_remove(c);
            send_due(c);
        }
    }
}

// --------------------------------------------------------------------------------------------------------------- load

typedef enum { HEAD, CHUNK_SIZE, CHUNK, CHUNK_END, LAST_LINE, LENGTH } Reading;

typedef struct {
    int fd;
    Reading reading;
    long need; // bytes left of the chunk or of the body
    uint64_t asked_at;
    int answered;
    char text[512]; // of the head, or of a chunk's size
    size_t text_len;
    char tail[32]; // the end of the piece before, where a time stamp or a blank line may have been cut
    size_t tail_len;
    int events;
    int stamped; // events with a send time so far
    uint64_t first_sent_at;
} Client;

typedef struct {
    uint64_t *at;
    size_t len, room;
} Times;

static Times latency, first_byte;
static uint64_t events_seen, answers, errors, incomplete;
static char request[1024];
static size_t request_size;
static struct sockaddr_in target;
static FILE *trace; // open while events are written down
static volatile sig_atomic_t stopped;
static int events_expected; // of each stream, [DONE] included; 0 = not checked

static void note(Times *times, uint64_t ns) {
    if (times->len == times->room) {
        times->room = times->room ? times->room * 2 : 65536;
        times->at = checked(realloc(times->at, times->room * sizeof *times->at));
    }
    times->at[times->len++] = ns;
}

static int by_size(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static double percentile_us(const Times *times, double share) { // of sorted times
    return times->len ? (double)times->at[(size_t)(share * (double)(times->len - 1))] / 1000.0 : 0;
}

static int dial(Client *c) {
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c->fd, (void *)&target, sizeof target)) {
        close(c->fd);
        return -1;
    }
    tune(c->fd);
    watch(c->fd, c);
    return 0;
}

static void ask(Client *c) {
    int fd = c->fd;
    *c = (Client){.fd = fd, .asked_at = now_ns()};
    if (write(fd, request, request_size) != (ssize_t)request_size) errors++;
}

static void note_event(Client *c, uint64_t sent_at, uint64_t now) {
    note(&latency, now - sent_at);
    if (!c->stamped) c->first_sent_at = sent_at;
    if (trace)
        fprintf(trace, "%d %llu %llu %llu\n", c->stamped, (unsigned long long)c->first_sent_at,
                (unsigned long long)sent_at, (unsigned long long)now);
    c->stamped++;
}

static void read_events(Client *c, const char *piece, size_t len, uint64_t now) {
    static char joined[sizeof c->tail + 262144];
    size_t old = c->tail_len, all = old + len;
    memcpy(joined, c->tail, old);
    memcpy(joined + old, piece, len);
    const char *end = joined + all;
    for (const char *p = joined + (old ? old - 1 : 0); (p = memmem(p, (size_t)(end - p), "\n\n", 2)); p += 2) c->events++;
    for (const char *p = joined; (p = memmem(p, (size_t)(end - p), "\"ts\":", 5));) {
        uint64_t sent_at = 0;
        for (p += 5; p < end && *p >= '0' && *p <= '9'; p++) sent_at = sent_at * 10 + (uint64_t)(*p - '0');
        if (p < end && p >= joined + old && now > sent_at) note_event(c, sent_at, now);
    }
    c->tail_len = all < sizeof c->tail ? all : sizeof c->tail;
    memcpy(c->tail, end - c->tail_len, c->tail_len);
}

static void end_answer(Client *c) {
    answers++;
    if (events_expected && c->events != events_expected) incomplete++;
}

static int read_head(Client *c, const char *p, size_t len, size_t *used) { // 1 complete, 0 not yet, -1 not readable
    size_t old = c->text_len, room = sizeof c->text - 1 - old, n = len < room ? len : room;
    memcpy(c->text + old, p, n);
    c->text_len += n;
    c->text[c->text_len] = 0;
    char *end = strstr(c->text, "\r\n\r\n");
    *used = end ? (size_t)(end - c->text) + 4 - old : n;
    if (!end) return c->text_len == sizeof c->text - 1 ? -1 : 0;
    end[2] = 0;
    if (strncmp(c->text + 9, "200", 3)) errors++;
    const char *length = strcasestr(c->text, "\r\ncontent-length:");
    c->text_len = 0;
    c->need = length ? strtol(length + 17, NULL, 10) : 0;
    c->reading = strcasestr(c->text, "chunked") ? CHUNK_SIZE : LENGTH;
    return c->reading == CHUNK_SIZE || length ? 1 : -1;
}

static int read_answer(Client *c, const char *p, size_t len, uint64_t now) { // 1 at its end, 0 not yet, -1 not readable
    while (len > 0) {
        size_t used = 1;
        if (c->reading == HEAD) {
            if (read_head(c, p, len, &used) < 0) return -1;
            if (c->reading == LENGTH && !c->need) return 1;
        } else if (c->reading == CHUNK || c->reading == LENGTH) {
            used = len < (size_t)c->need ? len : (size_t)c->need;
            if (!c->answered) note(&first_byte, now - c->asked_at);
            c->answered = 1;
            if (c->reading == CHUNK) {
                int had = c->events;
                read_events(c, p, used, now);
                events_seen += (uint64_t)(c->events - had);
            }
            c->need -= (long)used;
            if (!c->need && c->reading == LENGTH) return 1;
            if (!c->need) c->reading = CHUNK_END;
        } else if (*p != '\n') {
            if (c->reading == CHUNK_SIZE && c->text_len < 16) c->text[c->text_len++] = *p;
        } else if (c->reading == LAST_LINE) {
            return 1;
        } else if (c->reading == CHUNK_END) {
            c->reading = CHUNK_SIZE;
        } else {
            c->text[c->text_len] = 0;
            c->text_len = 0;
            c->need = strtol(c->text, NULL, 16);
            c->reading = c->need ? CHUNK : LAST_LINE;
        }
        p += used;
        len -= used;
    }
    return 0;
}

static void receive(Client *c) {
    static char buffer[262144];
    ssize_t n = read(c->fd, buffer, sizeof buffer);
    if (n < 0 && errno == EAGAIN) return;
    int state = n > 0 ? read_answer(c, buffer, (size_t)n, now_ns()) : -1;
    if (state > 0) {
        end_answer(c);
        ask(c);
    } else if (state < 0) {
        errors++;
        close(c->fd);
        if (!dial(c)) ask(c);
    }
}

static void report(double seconds) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu_s = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                   (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    qsort(latency.at, latency.len, sizeof *latency.at, by_size);
    qsort(first_byte.at, first_byte.len, sizeof *first_byte.at, by_size);
    printf("{\"seconds\":%.3f,\"answers\":%llu,\"events\":%llu,\"errors\":%llu,\"incomplete\":%llu,", seconds,
           (unsigned long long)answers, (unsigned long long)events_seen, (unsigned long long)errors,
           (unsigned long long)incomplete);
    printf("\"event_us\":{\"p50\":%.1f,\"p99\":%.1f,\"p99.9\":%.1f},", percentile_us(&latency, .5),
           percentile_us(&latency, .99), percentile_us(&latency, .999));
    printf("\"first_byte_us\":{\"p50\":%.1f,\"p99\":%.1f},\"load_cpu\":%.3f}\n", percentile_us(&first_byte, .5),
           percentile_us(&first_byte, .99), cpu_s / seconds);
}

static void begin_to_count(const char *trace_path) { // errors count from the start
    answers = events_seen = 0;
    latency.len = first_byte.len = 0;
    if (trace_path) trace = checked(fopen(trace_path, "w"));
    printf("{\"counting\":true}\n");
    fflush(stdout);
}

// The first questions are spread over `spread_s`, and only what comes after it is counted: streams that all begin at
// once also end at once, again and again. SIGTERM ends it early.
static void run(Client *clients, int streams, double spread_s, double seconds, const char *trace_path) {
    struct epoll_event batch[BATCH];
    uint64_t start = now_ns(), spread = (uint64_t)(spread_s * 1e9), began = start + spread;
    uint64_t end = began + (uint64_t)(seconds * 1e9), now = start;
    int asked = 0, counting = 0;
    for (; now < end && !stopped; now = now_ns()) {
        while (asked < streams && now >= start + spread * (uint64_t)asked / (uint64_t)streams) ask(&clients[asked++]);
        if (!counting && now >= began) {
            counting = 1;
            began = now;
            begin_to_count(trace_path);
        }
        int n = epoll_wait(poller, batch, BATCH, asked < streams || !counting ? 1 : 100);
        for (int i = 0; i < n; i++) receive(batch[i].data.ptr);
    }
    report((double)(now - began) / 1e9);
    if (trace) fclose(trace);
}

static void stop(int signal_number) {
    (void)signal_number;
    stopped = 1;
}

static int load(const char *host, int port, int streams, double spread_s, double seconds, int streamed,
                const char *trace_path) {
    const char *flag = streamed ? "\"stream\":true," : "";
    char body[256];
    int body_len = snprintf(body, sizeof body,
                            "{\"model\":\"sim\",%s\"messages\":[{\"role\":\"user\",\"content\":"
                            "\"In one word, the capital of France?\"}]}",
                            flag);
    request_size = (size_t)snprintf(request, sizeof request,
                                    "POST /v1/chat/completions HTTP/1.1\r\nHost: %s:%d\r\n"
                                    "Content-Type: application/json\r\nAuthorization: Bearer sk-bench\r\n"
                                    "Content-Length: %d\r\n\r\n%s",
                                    host, port, body_len, body);
    target = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, host, &target.sin_addr) != 1) {
        fprintf(stderr, "not an IPv4 address: %s\n", host);
        return 2;
    }
    Client *clients = checked(calloc((size_t)streams, sizeof *clients));
    for (int i = 0; i < streams; i++) {
        if (dial(&clients[i])) {
            perror("connect");
            return 1;
        }
    }
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = stop}, NULL); // not restarted: it ends the wait
    run(clients, streams, spread_s, seconds, trace_path);
    return 0;
}

static int number(int argc, char **argv, int place, int otherwise) {
    return argc > place ? atoi(argv[place]) : otherwise;
}

int main(int argc, char **argv) {
    struct rlimit files;
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGTERM); // end with whoever started it
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    poller = epoll_create1(0);
    if (argc >= 3 && !strcmp(argv[1], "serve")) {
        events_per_stream = number(argc, argv, 3, 100) + 1;
        interval_ns = (uint64_t)number(argc, argv, 4, 0) * 1000;
        pad = number(argc, argv, 5, 0);
        if (events_per_stream > 0 && pad >= 0 && pad < PAD_MAX) return serve(atoi(argv[2]));
    }
    if (argc >= 6 && !strcmp(argv[1], "load") && atoi(argv[4]) > 0) {
        events_expected = number(argc, argv, 7, 0);
        events_expected += events_expected > 0; // [DONE]
        double spread_s = argc > 8 ? atof(argv[8]) : 0;
        return load(argv[2], atoi(argv[3]), atoi(argv[4]), spread_s, atof(argv[5]), number(argc, argv, 6, 1),
                    argc > 9 ? argv[9] : NULL);
    }
    fprintf(stderr, "usage: llmbench serve PORT [events] [interval_us] [pad]\n"
                    "       llmbench load HOST PORT streams seconds [1|0] [events] [spread_s] [trace]\n");
    return 2;
}
