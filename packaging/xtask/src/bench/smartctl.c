/* A smartctl that knows the drives of the benchmark: it prints the recorded answer for the device that its last
 * argument names. With a file "slow" beside the answers it takes as long as a drive that thinks. It starts nothing and
 * reads two files, so that what is measured is who calls it. ANSWERS comes from the compiler's command line. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const unsigned SLOW_S = 2;

int main(int argc, char **argv) {
    const char *last = argc > 1 ? argv[argc - 1] : "";
    const char *slash = strrchr(last, '/');
    char path[4096], buffer[65536];
    snprintf(path, sizeof path, "%s/%s", ANSWERS, slash ? slash + 1 : "version");
    if (slash && access(ANSWERS "/slow", F_OK) == 0) sleep(SLOW_S);
    int file = open(path, O_RDONLY);
    if (file < 0) return 2;
    for (ssize_t got; (got = read(file, buffer, sizeof buffer)) > 0;)
        if (write(1, buffer, (size_t)got) != got) return 1;
    return 0;
}
