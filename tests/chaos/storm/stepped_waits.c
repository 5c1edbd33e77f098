/* libfaketime shifts what a program reads of the clock, and what pthread_cond_timedwait waits for, but not the C11 call
 * of the same meaning, by which librdkafka waits: its waits would last as much longer as the clock is ahead. glibc's
 * cnd_t and mtx_t are its pthread_cond_t and pthread_mutex_t. */
#include <errno.h>
#include <pthread.h>
#include <threads.h>

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
