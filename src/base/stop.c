#include "c3d/base.h"

#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECOND_SIGNAL_AFTER_S 5

static volatile sig_atomic_t stop_flag;
static volatile time_t first_termination;

static void on_signal(int number)
{
    stop_flag = 1;
    if (number == SIGUSR1) return;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* async-signal-safe, as _exit is */
    if (first_termination == 0)
        first_termination = now.tv_sec;
    else if (now.tv_sec - first_termination > SECOND_SIGNAL_AFTER_S)
        _exit(128 + number);
}

void c3d_stop_install(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGUSR1, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

bool c3d_stop_requested(void)
{
    return stop_flag != 0;
}

void c3d_stop_request(void)
{
    stop_flag = 1;
}
