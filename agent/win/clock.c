/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock_gettime for common/clock.c. The compiler's own stands in a thread library that imports
 * functions Server 2003 does not have; these two clocks need none of it.
 */
#include "agent/win/system.h"

#include <pthread_time.h>

/* 100 ns from 1601 to 1970. */
#define EPOCH_TICKS 116444736000000000ll

static void read_wall(struct timespec *now)
{
    FILETIME file_time;
    GetSystemTimeAsFileTime(&file_time);
    long long ticks =
        (long long)((unsigned long long)file_time.dwHighDateTime << 32 | file_time.dwLowDateTime) -
        EPOCH_TICKS;
    now->tv_sec = (time_t)(ticks / 10000000);
    now->tv_nsec = (long)(ticks % 10000000 * 100);
}

static void read_mono(struct timespec *now)
{
    LARGE_INTEGER count, per_second;
    QueryPerformanceFrequency(&per_second); /* never fails since XP; constant since boot */
    QueryPerformanceCounter(&count);
    now->tv_sec = (time_t)(count.QuadPart / per_second.QuadPart);
    now->tv_nsec =
        (long)(count.QuadPart % per_second.QuadPart * 1000000000ll / per_second.QuadPart);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (clock == CLOCK_REALTIME)
        read_wall(now);
    else
        read_mono(now);
    return 0;
}
