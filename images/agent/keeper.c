/*
 * A keeper: it outlives every trick of the command below it, and forks that command's leader ahead.
 *
 *     keeper UID GID        started by the agent as its own uid, without new privileges, in its second seccomp filter,
 *                           with CAP_SETUID and CAP_SETGID inheritable and its channel as descriptor 3
 *
 * The agent's uid keeps a command from signalling or tracing it, and as a subreaper it stays the parent of all that a
 * command leaves behind by double forks or setsid. When nothing of a command is left, it forks the leader of the next,
 * which waits for a plan and becomes the command.
 *
 * In C, for the way from a plan to its command is what every call takes: from a fork of the agent's Python it took half
 * a millisecond longer (pages to copy and to give back), and each keeper held 3 MB.
 *
 * A plan is one message with a command's standard streams, the leader's status pipe and perhaps a Landlock ruleset as
 * descriptors, and what does not fit in as many more as it takes:
 *     u32 how long the rest is, u32 flags, u32 arguments, u32 variables    (big-endian)
 *     the working directory, the arguments, the variables                  (each ended by a NUL)
 * On its status pipe a leader says its pid once it has the plan, then either nothing (it is the command now) or the step
 * that failed and its errno; u32 each, big-endian. To the agent a keeper says `struct news`.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHANNEL = 3, RULESET = 3, STATUS = 10 }; /* a leader that has its plan needs no channel any more */
enum { STREAMS = 3, MOST_DESCRIPTORS = STREAMS + 2, PIECE = 1 << 16, MOST = 2 << 20 };
enum { OURS = 1 }; /* a program of the agent's own, which lowers itself */
enum { NICE = 19 }; /* 150 busy loops moved a call's p50 from 1.8 to 6 ms at 19, to 485 ms at 0 (measured) */
enum step { OOM_SCORE, IDENTITY, WORKING_DIRECTORY, LANDLOCK, EXEC };
enum { ENDED, CLEAR, FULL };

struct news {
    int32_t kind;
    int32_t leader;
    int32_t status; /* of wait4; with FULL the errno */
    int32_t more;   /* whether anything of the command runs on */
    int64_t most_kb;
    double user_s, system_s, at; /* monotonic */
};

struct head {
    uint32_t rest, flags, arguments, variables;
};

struct plan {
    char *cwd, **argv, **env;
    uint32_t flags;
    int streams[STREAMS], status, ruleset;
};

static void say(int handle, uint32_t word) {
    word = htonl(word);
    if (write(handle, &word, sizeof word) != sizeof word) _exit(127); /* the agent is gone */
}

static void fail(const struct plan *plan, enum step step, int number) {
    say(plan->status, step);
    say(plan->status, (uint32_t)number);
    _exit(127);
}

/* --- the leader --------------------------------------------------------------------------------------------------- */

/* The strings of a plan, NULL at the end; NULL where they are not as many as was said: a NUL was in one of them. */
static char **strings(char **at, char *end, uint32_t count) {
    char **found = calloc((size_t)count + 1, sizeof *found);
    for (uint32_t i = 0; found && i < count; i++) {
        char *stop = *at < end ? memchr(*at, 0, (size_t)(end - *at)) : NULL;
        if (!stop) return NULL;
        found[i] = *at;
        *at = stop + 1;
    }
    return found;
}

/* False where its strings make no sense. Ends where the agent is gone. */
static int receive(struct plan *plan) {
    struct head head;
    static char first[PIECE];
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int))];
    } control;
    struct iovec parts[] = {{&head, sizeof head}, {first, sizeof first}};
    struct msghdr message = {
        .msg_iov = parts, .msg_iovlen = 2, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t got = recvmsg(CHANNEL, &message, MSG_CMSG_CLOEXEC);
    struct cmsghdr *sent = CMSG_FIRSTHDR(&message);
    if (got < (ssize_t)sizeof head || !sent || sent->cmsg_type != SCM_RIGHTS) _exit(127);
    size_t handles = (sent->cmsg_len - CMSG_LEN(0)) / sizeof(int), length = ntohl(head.rest);
    int given[MOST_DESCRIPTORS] = {-1, -1, -1, -1, -1};
    if (handles <= STREAMS || handles > MOST_DESCRIPTORS || length > MOST) _exit(127);
    memcpy(given, CMSG_DATA(sent), handles * sizeof(int));
    memcpy(plan->streams, given, sizeof plan->streams);
    plan->status = fcntl(given[STREAMS], F_DUPFD_CLOEXEC, STATUS);
    plan->ruleset = given[STREAMS + 1];
    plan->flags = ntohl(head.flags);

    char *body = malloc(length + 1);
    size_t have = (size_t)got - sizeof head;
    if (!body || plan->status < 0 || have > length) _exit(127);
    memcpy(body, first, have);
    while (have < length) {
        got = recv(CHANNEL, body + have, length - have, 0);
        if (got <= 0) _exit(127);
        have += (size_t)got;
    }
    say(plan->status, (uint32_t)getpid());
    char *at = body, *end = body + length;
    char **cwd = strings(&at, end, 1);
    plan->cwd = cwd ? cwd[0] : NULL;
    plan->argv = plan->cwd ? strings(&at, end, ntohl(head.arguments)) : NULL;
    plan->env = plan->argv ? strings(&at, end, ntohl(head.variables)) : NULL;
    return plan->env && at == end && plan->argv[0];
}

static int is_file(const char *path) {
    struct stat found;
    return stat(path, &found) == 0 && S_ISREG(found.st_mode);
}

static const char *variable(char **env, const char *name, const char *otherwise) {
    size_t length = strlen(name);
    for (; *env; env++)
        if (strncmp(*env, name, length) == 0 && (*env)[length] == '=') return *env + length + 1;
    return otherwise;
}

/* The program as PATH has it: the first that may be executed, else the first that is there, so that errno tells why. */
static const char *program(const struct plan *plan) {
    const char *name = plan->argv[0], *place = variable(plan->env, "PATH", "/bin:/usr/bin");
    char *there = NULL;
    if (strchr(name, '/')) return name;
    for (;;) {
        size_t length = strcspn(place, ":");
        char *path = NULL;
        if (asprintf(&path, "%.*s/%s", length ? (int)length : 1, length ? place : ".", name) < 0) return NULL;
        if (is_file(path)) {
            if (access(path, X_OK) == 0) return path;
            if (!there) there = path;
        }
        if (!place[length]) break;
        place += length + 1;
    }
    if (!there) errno = ENOENT;
    return there;
}

/* Where memory ends. Not before there is a plan: what only waits would be killed for what another took. */
static int be_the_first_to_go(void) {
    static const char score[] = "500"; /* unmapped memfds charge the cgroup, no process: without it PID 1 might go */
    int handle = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (handle < 0 || write(handle, score, sizeof score - 1) < 0) return -1;
    return close(handle);
}

static int no_capability(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
    return (int)syscall(SYS_capset, &header, none);
}

static void take_streams(const struct plan *plan) {
    for (int i = 0; i < STREAMS; i++)
        if (dup2(plan->streams[i], i) < 0) fail(plan, IDENTITY, errno);
}

static void become(const struct plan *plan, uid_t uid) {
    if (plan->flags & OURS) {
        take_streams(plan);
        if (plan->ruleset >= 0 && dup2(plan->ruleset, RULESET) < 0) fail(plan, LANDLOCK, errno);
        execve(plan->argv[0], plan->argv, plan->env);
        fail(plan, EXEC, errno);
    }
    if (be_the_first_to_go() < 0) fail(plan, OOM_SCORE, errno);
    take_streams(plan);
    if (setpriority(PRIO_PROCESS, 0, NICE) < 0 || setresuid(uid, uid, uid) < 0 || no_capability() < 0)
        fail(plan, IDENTITY, errno);
    if (chdir(plan->cwd) < 0) fail(plan, WORKING_DIRECTORY, errno);
    if (plan->ruleset >= 0 && syscall(SYS_landlock_restrict_self, plan->ruleset, 0) < 0) fail(plan, LANDLOCK, errno);
    const char *path = program(plan);
    if (path) execve(path, plan->argv, plan->env);
    fail(plan, EXEC, errno);
}

static void lead(uid_t uid, gid_t gid) {
    struct plan plan;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* without its keeper it takes no plan; a new uid clears it */
    int failed = setsid() < 0 || setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ? errno : 0;
    umask(022);
    int makes_sense = receive(&plan);
    if (failed) fail(&plan, IDENTITY, failed);
    if (!makes_sense) fail(&plan, EXEC, EINVAL);
    become(&plan, uid);
}

/* --- the keeper --------------------------------------------------------------------------------------------------- */

static double seconds(struct timeval time) {
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void tell(const struct news *news) {
    if (send(CHANNEL, news, sizeof *news, MSG_NOSIGNAL) < 0) _exit(0); /* the agent is done with it */
}

static int has_children(void) {
    siginfo_t any;
    return waitid(P_ALL, 0, &any, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* Tell of the leader's end, then stay until nothing is left below. */
static void reap(pid_t leader) {
    struct news news = {.kind = ENDED, .leader = leader};
    for (;;) {
        int status;
        struct rusage used;
        struct timespec now;
        pid_t pid = wait4(-1, &status, 0, &used);
        if (pid < 0) {
            news.kind = CLEAR;
            tell(&news);
            return;
        }
        news.user_s += seconds(used.ru_utime);
        news.system_s += seconds(used.ru_stime);
        if (used.ru_maxrss > news.most_kb) news.most_kb = used.ru_maxrss;
        if (pid != leader) continue;
        clock_gettime(CLOCK_MONOTONIC, &now);
        news.at = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
        news.status = status;
        news.more = has_children();
        tell(&news);
        if (!news.more) return;
    }
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    uid_t uid = (uid_t)atoi(argv[1]);
    gid_t gid = (gid_t)atoi(argv[2]);
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    fcntl(CHANNEL, F_SETFD, FD_CLOEXEC);
    for (;;) {
        pid_t leader = fork();
        if (leader == 0) lead(uid, gid);
        if (leader < 0) {
            struct news full = {.kind = FULL, .status = errno};
            tell(&full);
            return 0;
        }
        reap(leader);
    }
}
