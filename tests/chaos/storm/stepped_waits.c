/* What libfaketime makes of a program's waits when the clock steps, and should not. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

/* It shifts what a program reads of the clock, and what pthread_cond_timedwait waits for, but not the C11 call of the
 * same meaning, by which librdkafka waits: its waits would last as much longer as the clock is ahead. glibc's cnd_t and
 * mtx_t are its pthread_cond_t and pthread_mutex_t. */
int cnd_timedwait(cnd_t *condition, mtx_t *mutex, const struct timespec *until)
{
    switch (pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until)) {
    case 0:
        return thrd_success;
    case ETIMEDOUT:
        return thrd_timedout;
    default:
        return thrd_error;
    }
}

/* It shifts a wait that ends at a time of the monotonic clock too, which no step moves: Python's time.sleep would fail,
 * with a time before that clock began. Nothing here waits for a time of the other clock by this call. */
int clock_nanosleep(clockid_t clock, int flags, const struct timespec *until, struct timespec *rest)
{
    return syscall(SYS_clock_nanosleep, clock, flags, until, rest) == 0 ? 0 : errno;
}
