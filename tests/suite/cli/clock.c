/* Preloaded into a program: its wall clock starts at FAKE_UNIX_S and runs on from there. Other clocks stay. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long long start_real, start_fake;
static int ready;

static void real(clockid_t id, struct timespec *t) { syscall(SYS_clock_gettime, id, t); }

__attribute__((constructor)) static void begin(void) {
    const char *text = getenv("FAKE_UNIX_S");
    struct timespec t;
    if (!text) return;
    real(CLOCK_REALTIME, &t);
    start_real = t.tv_sec;
    start_fake = atoll(text);
    ready = 1;
}

int clock_gettime(clockid_t id, struct timespec *t) {
    real(id, t);
    if (ready && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) t->tv_sec = start_fake + (t->tv_sec - start_real);
    return 0;
}

time_t time(time_t *out) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (out) *out = t.tv_sec;
    return t.tv_sec;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    struct timespec t;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &t);
    out->tv_sec = t.tv_sec;
    out->tv_usec = t.tv_nsec / 1000;
    return 0;
}
