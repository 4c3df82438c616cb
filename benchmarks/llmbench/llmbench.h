// What the backend and the load share.
#ifndef LLMBENCH_H
#define LLMBENCH_H

#include <stddef.h>
#include <stdint.h>

// What a backend streams. The load asks for it in a header of each request, so one backend serves every load.
typedef struct {
    int events;       // and [DONE] besides
    int interval_us;  // from one event to the next; 0 = as fast as it can
    int size;         // of an event in bytes, its blank line included; 0 = a plain chunk of OpenAI's, about 170
    int idle_ms;      // silence after the first event
} Answer;

#define ANSWER_HEADER "X-Llmbench:"

typedef struct {
    const char *host;
    int port, streams;
    double seconds;
    int streamed;
    Answer answer;
    double spread_s;   // over which the streams begin; only what comes later is counted
    int pair;          // a second port: each stream asks there and here in turn
    const char *trace; // a file with a line per event
} Load;

enum { BATCH = 512, SIZE_MAX_BYTES = 4 << 20 };

extern int poller;

uint64_t now_ns(void);
void tune(int fd);
void watch(int fd, void *owner);
void *checked(void *memory);

int serve(int port);
int load(const Load *wanted);

#endif
