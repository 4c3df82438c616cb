// llmbench: a lean SSE backend and load client for measuring LLM proxies. Linux only (epoll).
//   llmbench serve PORT                                an OpenAI-shaped backend; port 0 picks a free one
//   llmbench load HOST PORT streams=N seconds=S ...    closed-loop clients; prints two lines of JSON
#define _GNU_SOURCE
#include "llmbench.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

int poller;

uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

void tune(int fd) {
    int on = 1;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void watch(int fd, void *owner) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = owner};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

void *checked(void *memory) {
    if (memory) return memory;
    perror("memory or file");
    exit(1);
}

static int set(Load *wanted, const char *word) { // 0 when nothing is called so
    const char *value = strchr(word, '=');
    if (!value++) return 0;
    struct {
        const char *name;
        int *place;
    } numbers[] = {
        {"streams=", &wanted->streams},          {"stream=", &wanted->streamed},
        {"events=", &wanted->answer.events},     {"interval_us=", &wanted->answer.interval_us},
        {"size=", &wanted->answer.size},         {"idle_ms=", &wanted->answer.idle_ms},
        {"pair=", &wanted->pair},
    };
    size_t name_len = (size_t)(value - word);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (strlen(numbers[i].name) != name_len || strncmp(word, numbers[i].name, name_len)) continue;
        *numbers[i].place = atoi(value);
        return 1;
    }
    if (!strncmp(word, "seconds=", name_len)) wanted->seconds = atof(value);
    else if (!strncmp(word, "spread_s=", name_len)) wanted->spread_s = atof(value);
    else if (!strncmp(word, "trace=", name_len)) wanted->trace = value;
    else return 0;
    return 1;
}

static int usage(void) {
    fprintf(stderr, "usage: llmbench serve PORT\n"
                    "       llmbench load HOST PORT [streams=1] [seconds=1] [stream=1|0] [events=100]\n"
                    "                [interval_us=20000] [size=BYTES] [idle_ms=0] [spread_s=0] [pair=PORT]\n"
                    "                [trace=FILE]\n");
    return 2;
}

int main(int argc, char **argv) {
    struct rlimit files;
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGTERM); // end with whoever started it
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    poller = epoll_create1(0);
    if (argc == 3 && !strcmp(argv[1], "serve")) return serve(atoi(argv[2]));
    if (argc < 4 || strcmp(argv[1], "load")) return usage();
    Load wanted = {.host = argv[2],
                   .port = atoi(argv[3]),
                   .streams = 1,
                   .seconds = 1,
                   .streamed = 1,
                   .answer = {.events = 100, .interval_us = 20000}};
    for (int i = 4; i < argc; i++)
        if (!set(&wanted, argv[i])) return usage();
    const Answer *answer = &wanted.answer;
    if (wanted.streams < 1 || answer->events < 1 || answer->interval_us < 0 || answer->idle_ms < 0) return usage();
    return answer->size < 0 || answer->size > SIZE_MAX_BYTES ? usage() : load(&wanted);
}
