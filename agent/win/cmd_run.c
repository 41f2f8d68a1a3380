/* SPDX-License-Identifier: Apache-2.0 */
/* `run`: the agent on a console. */
#include "agent/win/cli.h"
#include "agent/win/system.h"

#define LEAVE_MAX_MS 5000 /* what Windows grants when a console window is closed */

static struct {
    struct runner *runner;
    HANDLE done;
} console;

/* On a thread of the system's. The process ends when this returns from CLOSE, LOGOFF or SHUTDOWN.
 */
static BOOL WINAPI on_control(DWORD event)
{
    runner_stop(console.runner);
    if (event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT)
        WaitForSingleObject(console.done, LEAVE_MAX_MS);
    return TRUE;
}

enum status cmd_run(struct cli *cli, struct err *err)
{
    enum runner_mode mode = cli->flags[0] != NULL ? RUNNER_ONCE : RUNNER_CONSOLE;
    console.done = CreateEventW(NULL, TRUE, FALSE, NULL);
    enum status st = runner_open(&cli->settings, mode, &console.runner, err);
    if (st != ST_OK)
        return st;
    SetConsoleCtrlHandler(on_control, TRUE);
    st = runner_run(console.runner, err);
    SetConsoleCtrlHandler(on_control, FALSE);
    runner_close(console.runner);
    SetEvent(console.done);
    return st;
}
