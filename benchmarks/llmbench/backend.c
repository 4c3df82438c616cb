// The backend: streams events in time, or answers with one JSON object.
#define _GNU_SOURCE
#include "llmbench.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PHASES = 16, CHUNK_HEAD = 16, ROOM = 1024 };

typedef struct {
    int fd;
    char in[65536];
    size_t in_len;
    int streaming;
    Answer answer;
    int left;     // events of this answer that are still to come, [DONE] included
    uint64_t due; // when the next one is
    int place;    // in the heap, -1 outside
    char *out;
    size_t out_room, out_len, out_sent;
} Conn;

static char padding[SIZE_MAX_BYTES];

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
    free(c->out);
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

static int write_event(const Conn *c, char *text, size_t room) { // its length
    char stamp[24];
    int stamp_len = snprintf(stamp, sizeof stamp, "%llu", (unsigned long long)now_ns());
    static const char chunk[] = "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\","
                                "\"created\":1700000000,\"model\":\"sim\",\"choices\":[{\"index\":0,\"delta\":"
                                "{\"content\":\" token%.*s\"},\"finish_reason\":null}],\"ts\":%s}\n\n";
    static const char small[] = "data: {\"pad\":\"%.*s\",\"ts\":%s}\n\n"; // where the chunk does not fit
    const int bare = (int)sizeof chunk - 7 + stamp_len; // 7: %.*s, %s and the end of the text
    const int plain = !c->answer.size || c->answer.size >= bare;
    int pad = c->answer.size - (plain ? bare : (int)sizeof small - 7 + stamp_len);
    if (pad < 0) pad = 0;
    return plain ? snprintf(text, room, chunk, pad, padding, stamp) : snprintf(text, room, small, pad, padding, stamp);
}

static int send_event(Conn *c) {
    char head[CHUNK_HEAD], *text = c->out + CHUNK_HEAD;
    size_t room = c->out_room - CHUNK_HEAD;
    int len = c->left > 1 ? write_event(c, text, room) : snprintf(text, room, "data: [DONE]\n\n");
    c->left--;
    int head_len = snprintf(head, sizeof head, "%x\r\n", (unsigned)len);
    c->out_sent = CHUNK_HEAD - (size_t)head_len;
    memcpy(c->out + c->out_sent, head, (size_t)head_len);
    int end_len = snprintf(text + len, room - (size_t)len, "\r\n%s", c->left ? "" : "0\r\n\r\n");
    c->out_len = CHUNK_HEAD + (size_t)(len + end_len);
    return send_out(c);
}

static void send_due(Conn *c) {
    while (c->streaming && c->left > 0) {
        if (c->answer.interval_us) {
            if (now_ns() < c->due) {
                if (c->place < 0) heap_add(c);
                return;
            }
            heap_remove(c);
            int first = c->left > c->answer.events;
            c->due += (uint64_t)c->answer.interval_us * 1000 + (first ? (uint64_t)c->answer.idle_ms * 1000000 : 0);
        }
        int sent = send_event(c);
        if (sent < 0) drop(c);
        if (sent <= 0) return;
        if (!c->answer.interval_us && c->left && c->left % 16 == 0) { // be fair between connections
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

static Answer wanted_answer(const char *head, size_t len) {
    Answer answer = {.events = 100, .interval_us = 20000};
    const char *at = memmem(head, len, ANSWER_HEADER, strlen(ANSWER_HEADER));
    char numbers[64] = "";
    if (at) {
        size_t left = len - (size_t)(at - head) - strlen(ANSWER_HEADER);
        memcpy(numbers, at + strlen(ANSWER_HEADER), left < sizeof numbers ? left : sizeof numbers - 1);
    }
    sscanf(numbers, "%d %d %d %d", &answer.events, &answer.interval_us, &answer.size, &answer.idle_ms);
    if (answer.size < 0 || answer.size > SIZE_MAX_BYTES) answer.size = 0;
    return answer;
}

static int begin_answer(Conn *c) { // 1 when there was a request
    static unsigned serial;
    size_t len = request_len(c);
    if (!len) return 0;
    c->streaming = memmem(c->in, len, "\"stream\":true", 13) || memmem(c->in, len, "\"stream\": true", 14);
    c->answer = wanted_answer(c->in, len);
    memmove(c->in, c->in + len, c->in_len - len);
    c->in_len -= len;
    size_t room = ROOM + (size_t)c->answer.size;
    if (c->out_room < room) c->out = checked(realloc(c->out, c->out_room = room));
    if (!c->streaming) {
        c->out_len = (size_t)snprintf(c->out, c->out_room,
                                      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                      "Content-Length: %zu\r\n\r\n%s",
                                      strlen(PLAIN), PLAIN);
        return 1;
    }
    c->left = c->answer.events + 1;
    // Streams that begin together must not speak in one voice, or every interval is one burst.
    c->due = now_ns() + (uint64_t)c->answer.interval_us * 1000 * (serial++ % PHASES + 1) / PHASES;
    c->out_len = (size_t)snprintf(c->out, c->out_room,
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
        if (!c->streaming || c->answer.interval_us) want(c, EPOLLIN);
        if (c->streaming) send_due(c);
    }
}

static int wait_ms(void) { // until the next event is due; what is below a millisecond is waited here
    if (!heap_len) return -1;
    int64_t left = (int64_t)(heap[0]->due - now_ns());
    struct pollfd waiting = {.fd = poller, .events = POLLIN};
    if (left > 0 && left < 1000000) ppoll(&waiting, 1, &(struct timespec){0, left}, NULL);
    return left <= 0 ? 0 : (int)(left / 1000000);
}

int serve(int port) {
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

