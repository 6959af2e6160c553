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
 * On its status pipe a leader says its pid once it has the plan, then either nothing (it is the command now) or, in one
 * write, the step that failed and its errno; u32 each, big-endian. To the agent a keeper says `struct news`.
 *
 * Whatever fails here ends in a command that is not run, and in a word about it: where there is no plan yet, FULL and the
 * keeper's own end.
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
/* OURS: a program of the agent's own, which lowers itself. RULED: a ruleset belongs to it, and without it nothing runs. */
enum { OURS = 1, RULED = 2 };
enum { NICE = 19 }; /* 150 busy loops moved a call's p50 from 1.8 to 6 ms at 19, to 485 ms at 0 (measured) */
enum { TRIES = 500, REST_NS = 10000000 }; /* five seconds in which the kernel may find memory for a message */
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

static void tell(const struct news *news) {
    const struct timespec rest = {.tv_nsec = REST_NS};
    for (int i = 0; send(CHANNEL, news, sizeof *news, MSG_NOSIGNAL) < 0; i++) {
        if ((errno != ENOMEM && errno != ENOBUFS && errno != EINTR) || i == TRIES) _exit(0); /* the agent is done with it */
        nanosleep(&rest, NULL);
    }
}

/* Where there is no plan whose status pipe could say so. The keeper ends as well, else it would try for ever. */
static void give_up(int number) {
    const struct news full = {.kind = FULL, .status = number};
    tell(&full);
    shutdown(CHANNEL, SHUT_RDWR);
    _exit(127);
}

/* At once, for who reads may come between two writes. */
static void say(int handle, const uint32_t *words, size_t count) {
    size_t size = count * sizeof *words;
    if (write(handle, words, size) != (ssize_t)size) kill(getpid(), SIGKILL); /* no exit code was anybody's */
}

static void fail(const struct plan *plan, enum step step, int number) {
    const uint32_t words[] = {htonl(step), htonl((uint32_t)number)};
    say(plan->status, words, 2);
    _exit(127);
}

/* --- the leader --------------------------------------------------------------------------------------------------- */

/* The strings of a plan, NULL at the end; NULL where they are not as many as was said: a NUL was in one of them. */
static char **strings(char **at, char *end, uint32_t count) {
    char **found = count <= (size_t)(end - *at) ? calloc((size_t)count + 1, sizeof *found) : NULL;
    for (uint32_t i = 0; found && i < count; i++) {
        char *stop = *at < end ? memchr(*at, 0, (size_t)(end - *at)) : NULL;
        if (!stop) return NULL;
        found[i] = *at;
        *at = stop + 1;
    }
    return found;
}

/* 0 or why not: EINVAL where it makes no sense. Gives up where not even its status pipe came. */
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
    if (got == 0) _exit(127); /* the agent is gone */
    struct cmsghdr *sent = got < 0 ? NULL : CMSG_FIRSTHDR(&message);
    int given[MOST_DESCRIPTORS] = {-1, -1, -1, -1, -1};
    size_t handles = 0;
    if (sent && sent->cmsg_level == SOL_SOCKET && sent->cmsg_type == SCM_RIGHTS && sent->cmsg_len >= CMSG_LEN(0))
        handles = (sent->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    if (handles > STREAMS && handles <= MOST_DESCRIPTORS) memcpy(given, CMSG_DATA(sent), handles * sizeof(int));
    plan->status = given[STREAMS] < 0 ? -1 : fcntl(given[STREAMS], F_DUPFD_CLOEXEC, STATUS);
    if (plan->status < 0) give_up(got >= 0 && given[STREAMS] < 0 ? EINVAL : errno);

    const uint32_t pid[] = {htonl((uint32_t)getpid())};
    say(plan->status, pid, 1);
    memcpy(plan->streams, given, sizeof plan->streams);
    plan->ruleset = given[STREAMS + 1];
    if (got < (ssize_t)sizeof head || message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) return EINVAL;
    plan->flags = ntohl(head.flags);
    if (!(plan->flags & RULED) != (plan->ruleset < 0)) return EINVAL;
    size_t length = ntohl(head.rest), have = (size_t)got - sizeof head;
    if (length > MOST || have > length) return EINVAL;

    char *body = malloc(length + 1);
    if (!body) return ENOMEM;
    memcpy(body, first, have);
    while (have < length) {
        got = recv(CHANNEL, body + have, length - have, 0);
        if (got <= 0) return got ? errno : EINVAL;
        have += (size_t)got;
    }
    char *at = body, *end = body + length;
    char **cwd = strings(&at, end, 1);
    plan->cwd = cwd ? cwd[0] : NULL;
    plan->argv = plan->cwd ? strings(&at, end, ntohl(head.arguments)) : NULL;
    plan->env = plan->argv ? strings(&at, end, ntohl(head.variables)) : NULL;
    return plan->env && at == end && plan->argv[0] ? 0 : EINVAL;
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
    if (handle < 0 || write(handle, score, sizeof score - 1) != sizeof score - 1) return -1;
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

static void lead(pid_t keeper, uid_t uid, gid_t gid) {
    struct plan plan;
    int failed = prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? errno : 0; /* without its keeper it takes no plan; a new uid clears it */
    if (getppid() != keeper) _exit(127); /* which ended before that */
    if (setsid() < 0 || setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0) failed = errno;
    umask(022);
    int missing = receive(&plan);
    if (failed) fail(&plan, IDENTITY, failed);
    if (missing) fail(&plan, EXEC, missing);
    become(&plan, uid);
}

/* --- the keeper --------------------------------------------------------------------------------------------------- */

static double seconds(struct timeval time) {
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
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
        if (pid < 0 && errno == EINTR) continue;
        if (pid < 0) {
            if (errno != ECHILD) give_up(errno); /* what runs on is ended by the agent */
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
        leader = 0; /* another that comes to bear its number is not it */
    }
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    uid_t uid = (uid_t)atoi(argv[1]);
    gid_t gid = (gid_t)atoi(argv[2]);
    pid_t keeper = getpid();
    if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || fcntl(CHANNEL, F_SETFD, FD_CLOEXEC) < 0)
        give_up(errno);
    for (;;) {
        pid_t leader = fork();
        if (leader == 0) lead(keeper, uid, gid);
        if (leader < 0) give_up(errno);
        reap(leader);
    }
}
