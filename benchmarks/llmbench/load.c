// The load: clients that ask, read the answer to its end, and ask again.
#define _GNU_SOURCE
#include "llmbench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

typedef enum { HEAD, CHUNK_SIZE, CHUNK, CHUNK_END, LAST_LINE, LENGTH } Reading;

typedef struct Client {
    int fd;
    const struct sockaddr_in *target;
    struct Client *partner; // asks next, where two ports are compared
    Reading reading;
    long need; // bytes left of the chunk or of the body
    uint64_t asked_at, answered_ns; // the answer's first byte, after the question
    char text[512]; // of the head, or of a chunk's size
    size_t text_len;
    char tail[32]; // the end of the piece before, where a time stamp or a blank line may have been cut
    size_t tail_len;
    int events;
    int stamped; // events with a send time so far
    uint64_t first_sent_at;
} Client;

typedef struct {
    int64_t *ns;
    size_t len, room;
} Times;

static Times latency, first_byte, added;
static uint64_t asked, events_seen, answers, errors, incomplete;
static char request[1024];
static size_t request_size;
static struct sockaddr_in targets[2];
static FILE *trace; // open while events are written down
static volatile sig_atomic_t stopped;
static int events_expected; // of each stream, [DONE] included; 0 = there are none

static void note(Times *times, int64_t ns) {
    if (times->len == times->room) {
        times->room = times->room ? times->room * 2 : 65536;
        times->ns = checked(realloc(times->ns, times->room * sizeof *times->ns));
    }
    times->ns[times->len++] = ns;
}

static int by_size(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double percentile_us(const Times *times, double share) { // of sorted times
    return times->len ? (double)times->ns[(size_t)(share * (double)(times->len - 1))] / 1000.0 : 0;
}

static int dial(Client *c) {
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c->fd, (const void *)c->target, sizeof *c->target)) {
        close(c->fd);
        return -1;
    }
    tune(c->fd);
    watch(c->fd, c);
    return 0;
}

static void ask(Client *c) {
    *c = (Client){.fd = c->fd, .target = c->target, .partner = c->partner, .asked_at = now_ns()};
    asked++;
    if (write(c->fd, request, request_size) != (ssize_t)request_size) errors++;
}

static void note_event(Client *c, uint64_t sent_at, uint64_t now) {
    note(&latency, (int64_t)(now - sent_at));
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
    for (const char *p = joined + (old ? old - 1 : 0); (p = memmem(p, (size_t)(end - p), "\n\n", 2)); p += 2)
        c->events++;
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
    if (c->events != events_expected) incomplete++;
    if (c->partner && c->target == &targets[1] && c->partner->answered_ns)
        note(&added, (int64_t)c->answered_ns - (int64_t)c->partner->answered_ns);
    ask(c->partner ? c->partner : c);
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
    uint64_t now = now_ns();
    if (n > 0 && !c->answered_ns) note(&first_byte, (int64_t)(c->answered_ns = now - c->asked_at));
    int state = n > 0 ? read_answer(c, buffer, (size_t)n, now) : -1;
    if (state > 0) {
        end_answer(c);
    } else if (state < 0) {
        errors++;
        close(c->fd);
        if (!dial(c)) ask(c);
    }
}

static void print_times(const char *name, Times *times) {
    qsort(times->ns, times->len, sizeof *times->ns, by_size);
    printf("\"%s\":{\"p50\":%.1f,\"p99\":%.1f,\"p99.9\":%.1f},", name, percentile_us(times, .5),
           percentile_us(times, .99), percentile_us(times, .999));
}

static void report(const Client *clients, int count, double seconds) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu_s = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                   (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    int open = 0; // streams that have begun and are not at their end
    for (int i = 0; i < count; i++) open += clients[i].events > 0 && clients[i].events < events_expected;
    printf("{\"seconds\":%.3f,\"asked\":%llu,\"answers\":%llu,\"events\":%llu,\"errors\":%llu,\"incomplete\":%llu,"
           "\"open\":%d,",
           seconds, (unsigned long long)asked, (unsigned long long)answers, (unsigned long long)events_seen,
           (unsigned long long)errors, (unsigned long long)incomplete, open);
    print_times("event_us", &latency);
    print_times("first_byte_us", &first_byte);
    print_times("added_us", &added);
    printf("\"load_cpu_s\":%.3f}\n", cpu_s);
}

static void begin_to_count(const char *trace_path) { // errors count from the start
    asked = answers = events_seen = 0;
    latency.len = first_byte.len = added.len = 0;
    if (trace_path) trace = checked(fopen(trace_path, "w"));
    printf("{\"counting\":true}\n");
    fflush(stdout);
}

// The first questions are spread over `spread_s`, and only what comes after it is counted: streams that all begin at
// once also end at once, again and again. SIGTERM ends it early.
static void run(Client *clients, const Load *wanted) {
    struct epoll_event batch[BATCH];
    uint64_t start = now_ns(), spread = (uint64_t)(wanted->spread_s * 1e9), began = start + spread;
    uint64_t end = began + (uint64_t)(wanted->seconds * 1e9), now = start;
    uint64_t streams = (uint64_t)wanted->streams, begun = 0;
    int counting = 0;
    for (; now < end && !stopped; now = now_ns()) {
        while (begun < streams && now >= start + spread * begun / streams) ask(&clients[begun++]);
        if (!counting && now >= began) {
            counting = 1;
            began = now;
            begin_to_count(wanted->trace);
        }
        int n = epoll_wait(poller, batch, BATCH, begun < streams || !counting ? 1 : 100);
        for (int i = 0; i < n; i++) receive(batch[i].data.ptr);
    }
    report(clients, wanted->streams, (double)(now - began) / 1e9);
    if (trace) fclose(trace);
}

static void stop(int signal_number) {
    (void)signal_number;
    stopped = 1;
}

static void write_request(const Load *wanted) {
    const Answer *answer = &wanted->answer;
    char body[256];
    int body_len = snprintf(body, sizeof body,
                            "{\"model\":\"sim\",%s\"messages\":[{\"role\":\"user\",\"content\":"
                            "\"In one word, the capital of France?\"}]}",
                            wanted->streamed ? "\"stream\":true," : "");
    request_size = (size_t)snprintf(request, sizeof request,
                                    "POST /v1/chat/completions HTTP/1.1\r\nHost: %s:%d\r\n"
                                    "Content-Type: application/json\r\nAuthorization: Bearer sk-bench\r\n"
                                    ANSWER_HEADER " %d %d %d %d\r\nContent-Length: %d\r\n\r\n%s",
                                    wanted->host, wanted->port, answer->events, answer->interval_us, answer->size,
                                    answer->idle_ms, body_len, body);
}

int load(const Load *wanted) {
    size_t streams = (size_t)wanted->streams, count = wanted->pair ? 2 * streams : streams;
    const int ports[] = {wanted->pair ? wanted->pair : wanted->port, wanted->port};
    for (int i = 0; i < 2; i++) {
        targets[i] = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)ports[i])};
        if (inet_pton(AF_INET, wanted->host, &targets[i].sin_addr) == 1) continue;
        fprintf(stderr, "not an IPv4 address: %s\n", wanted->host);
        return 2;
    }
    events_expected = wanted->streamed ? wanted->answer.events + 1 : 0;
    write_request(wanted);
    Client *clients = checked(calloc(count, sizeof *clients));
    for (size_t i = 0; i < count; i++) {
        Client *partner = wanted->pair ? &clients[(i + streams) % count] : NULL;
        clients[i] = (Client){.target = &targets[i >= streams], .partner = partner};
        if (dial(&clients[i])) {
            perror("connect");
            return 1;
        }
    }
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = stop}, NULL); // not restarted: it ends the wait
    run(clients, wanted);
    return 0;
}
