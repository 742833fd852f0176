"""A reader that was taken over: confined as the real one is, it then asks the kernel for what it
must not have.

`python -m tests.ingest.formats.taken_over <uid> <folder> <attacks> [<fence> …]` is a service with
that user, which holds a secret in its environment, and starts the reader; `folder` has a file
`data` of that user. `attacks` are names, parted by `;`, or `all`. Fences that are named are
left out. Prints in JSON what each attack got: the name of an error, or the kernel's answer.
"""

import ctypes
import errno
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from io import BytesIO

from services.ingest.formats import beforehand, child, documents, landlock, sandbox, seccomp
from services.ingest.formats.frames import HEAD, head
from services.ingest.formats.model import Unreadable

SECRET = "VALISE_DATABASE_PASSWORD=none-of-your-business"
AT = platform.machine() == "aarch64"
CWD = -100

Attack = Callable[[], object]


def call(x86: int | None, arm: int | None, *arguments: int | bytes | None) -> int:
    """A call of the kernel by its number, past libc. Raises OSError."""
    number = arm if AT else x86
    if number is None:
        raise OSError(errno.EPERM, "this machine has no such call")
    calls = ctypes.CDLL(None, use_errno=True).syscall
    calls.restype = ctypes.c_long
    given = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    got = int(calls(ctypes.c_long(number), *given))
    if got < 0:
        raise OSError(ctypes.get_errno(), "")
    return got


def opened(path: str, flags: int) -> int:
    return call(257, 56, CWD, path.encode(), flags, 0o600)


def attacks(parent: int, folder: str) -> dict[str, Attack]:
    """The attacks by their names, on the service (the parent) and a folder of its files."""
    me = os.getpid()
    data, new = f"{folder}/data", f"{folder}/new"
    path, other, room = data.encode(), new.encode(), ctypes.create_string_buffer(512).raw

    def kinship(number: int, arm: int) -> Attack:
        def begin() -> int:
            got = call(number, arm, 17, 0, 0, 0, 0)
            if os.getpid() != me:
                os._exit(0)
            return got

        return begin

    return {
        "environment of the service": lambda: SECRET in _read(opened(f"/proc/{parent}/environ", 0)),
        "memory of the service": lambda: opened(f"/proc/{parent}/mem", os.O_RDONLY),
        "memory of the service, to write": lambda: opened(f"/proc/{parent}/mem", os.O_RDWR),
        "files of the service": lambda: opened(f"/proc/{parent}/fd/1", os.O_WRONLY),
        "data": lambda: _read(opened(data, os.O_RDONLY)),
        "data, to write": lambda: opened(data, os.O_WRONLY),
        "data, to append": lambda: opened(data, os.O_WRONLY | os.O_APPEND),
        "data, cut by opening": lambda: opened(data, os.O_WRONLY | os.O_TRUNC),
        "data, cut by opening for reading": lambda: opened(data, os.O_RDONLY | os.O_TRUNC),
        "data, by its place alone": lambda: opened(data, os.O_PATH),
        "a folder": lambda: opened(folder, os.O_RDONLY | os.O_DIRECTORY),
        "a new file": lambda: opened(new, os.O_WRONLY | os.O_CREAT),
        "a file without a name": lambda: opened(folder, os.O_RDWR | 0o20200000),
        "open": lambda: call(2, None, path, 0, 0),
        "creat": lambda: call(85, None, path, 0o600),
        "openat2": lambda: call(437, 437, CWD, path, room, 24),
        "open_by_handle_at": lambda: call(304, 265, 0, room, 0),
        "name_to_handle_at": lambda: call(303, 264, CWD, path, room, room, 0),
        "open_tree": lambda: call(428, 428, CWD, path, 0),
        "stat": lambda: call(262, 79, CWD, path, room, 0),
        "statx": lambda: call(332, 291, CWD, path, 0, 0x7FF, room),
        "access": lambda: call(269, 48, CWD, path, 0),
        "readlink": lambda: call(267, 78, CWD, b"/proc/self/exe", room, 100),
        "truncate": lambda: call(76, 45, path, 0),
        "ftruncate": lambda: call(77, 46, 1, 0),
        "fallocate": lambda: call(285, 47, 1, 0, 0, 1),
        "mkdir": lambda: call(258, 34, CWD, other, 0o700),
        "mknod": lambda: call(259, 33, CWD, other, 0o10600, 0),
        "unlink": lambda: call(263, 35, CWD, path, 0),
        "rename": lambda: call(316, 276, CWD, path, CWD, other, 0),
        "link": lambda: call(265, 37, CWD, path, CWD, other, 0),
        "symlink": lambda: call(266, 36, path, CWD, other),
        "chmod": lambda: call(268, 53, CWD, path, 0o777),
        "chown": lambda: call(260, 54, CWD, path, 1, 1, 0),
        "utime": lambda: call(280, 88, CWD, path, None, 0),
        "setxattr": lambda: call(188, 5, path, b"user.a", b"b", 1, 0),
        "chdir": lambda: call(80, 49, folder.encode()),
        "chroot": lambda: call(161, 51, folder.encode()),
        "mount": lambda: call(165, 40, None, b"/", None, 0x44000, None),
        "kill": lambda: call(62, 129, parent, 0),
        "kill all": lambda: call(62, 129, -1, 0),
        "tkill": lambda: call(200, 130, parent, 0),
        "tgkill": lambda: call(234, 131, parent, parent, 0),
        "rt_sigqueueinfo": lambda: call(129, 138, parent, 0, room),
        "pidfd_open": lambda: call(434, 434, parent, 0),
        "pidfd_getfd": lambda: call(438, 438, 0, 0, 0),
        "pidfd_send_signal": lambda: call(424, 424, 0, 0, None, 0),
        "signals by F_SETOWN": lambda: call(72, 25, 1, 8, parent),
        "signals by ioctl": lambda: call(16, 29, 1, 0x8901, parent.to_bytes(4, sys.byteorder)),
        "ptrace": lambda: call(101, 117, 0x4206, parent, 0, 0),
        "process_vm_readv": lambda: call(310, 270, parent, room, 0, room, 0, 0),
        "process_vm_writev": lambda: call(311, 271, parent, room, 0, room, 0, 0),
        "process_madvise": lambda: call(440, 440, 0, room, 0, 0, 0),
        "kcmp": lambda: call(312, 272, parent, me, 0, 0, 0),
        "limits of the service": lambda: call(302, 261, parent, 7, None, room),
        "its own limits": lambda: call(302, 261, 0, 9, None, room),
        "priority of the service": lambda: call(141, 140, 0, parent, 19),
        "cores of the service": lambda: call(203, 122, parent, 8, room),
        "ioprio_set": lambda: call(251, 30, 1, parent, 0),
        "fork": kinship(56, 220),
        "vfork": lambda: call(58, None),
        "clone3": lambda: call(435, 435, room, 88),
        "execve": lambda: call(59, 221, b"/bin/true", None, None),
        "execveat": lambda: call(322, 281, CWD, b"/bin/true", None, None, 0),
        "unshare": lambda: call(272, 97, 0x10000000),
        "setns": lambda: call(308, 268, 0, 0),
        "socket": lambda: call(41, 198, 2, 1, 0),
        "unix socket": lambda: call(41, 198, 1, 1, 0),
        "netlink": lambda: call(41, 198, 16, 3, 0),
        "socketpair": lambda: call(53, 199, 1, 1, 0, room),
        "connect": lambda: call(42, 203, 0, room, 16),
        "sendmsg": lambda: call(46, 211, 0, room, 0),
        "recvmsg": lambda: call(47, 212, 0, room, 0),
        "memfd_create": lambda: call(319, 279, b"a", 0),
        "memfd_secret": lambda: call(447, 447, 0),
        "shmget": lambda: call(29, 194, 0, 4096, 0o1600),
        "msgget": lambda: call(68, 186, 0, 0o1600),
        "semget": lambda: call(64, 190, 0, 1, 0o1600),
        "mq_open": lambda: call(240, 180, b"a", 0o102, 0o600, None),
        "add_key": lambda: call(248, 217, b"user", b"a", b"b", 1, -3),
        "keyctl": lambda: call(250, 219, 0, -3, 1),
        "bpf": lambda: call(321, 280, 0, room, 72),
        "perf_event_open": lambda: call(298, 241, room, 0, -1, -1, 0),
        "userfaultfd": lambda: call(323, 282, 1),
        "io_uring_setup": lambda: call(425, 425, 1, room),
        "io_setup": lambda: call(206, 0, 1, room),
        "inotify_init1": lambda: call(294, 26, 0),
        "fanotify_init": lambda: call(300, 262, 0, 0),
        "epoll_create1": lambda: call(291, 20, 0),
        "eventfd": lambda: call(290, 19, 0, 0),
        "timer_create": lambda: call(222, 107, 0, None, room),
        "pipe": lambda: call(293, 59, room, 0),
        "dup": lambda: call(32, 23, 0),
        "prctl": lambda: call(157, 167, 4, 1, 0, 0, 0),
        "seccomp": lambda: call(317, 277, 2, 0, room),
        "setuid": lambda: call(105, 146, 0),
        "setgroups": lambda: call(116, 159, 0, None),
        "capset": lambda: call(126, 91, room, room),
        "personality": lambda: call(135, 92, 0x0040000),
        "setsid": lambda: call(112, 157),
        "setpgid": lambda: call(109, 154, 0, 0),
        "reboot": lambda: call(169, 142, 0, 0, 0, None),
        "syslog": lambda: call(103, 116, 10, None, 0),
        "init_module": lambda: call(175, 105, None, 0, b""),
        "memory that can be run": lambda: call(9, 222, 0, 4096, 7, 0x22, -1, 0),
        "memory made to be run": lambda: call(10, 226, 0x10000, 4096, 5),
        "pkey_mprotect": lambda: call(329, 288, 0x10000, 4096, 5, -1),
        "a call of the other set (x32)": lambda: call(0x40000000 | 39, None),
        "a call of a kernel to come": lambda: call(999, 999),
    }


def _read(descriptor: int) -> str:
    return os.read(descriptor, 100_000).decode("utf-8", "replace")


def _tried(attack: Attack) -> object:
    try:
        return attack()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error.errno))


def _attacked(data: bytes, *_: object) -> Iterator[Unreadable]:
    """In place of the documents in a file: what the attacks that it names got."""
    request = json.loads(data)
    known = attacks(request["service"], request["folder"])
    chosen = known if request["attacks"] == ["all"] else request["attacks"]
    got = {name: _tried(known[name]) for name in chosen}
    yield Unreadable("attacks", 422, json.dumps(got))


def _leave_out(fences: list[str]) -> None:
    if "rights" in fences:
        sandbox._become_nobody = lambda: None
    if "landlock" in fences:
        landlock.shut_in = lambda: False
    if "seccomp" in fences:
        seccomp.allow_only_reading = lambda: False
    if "inspection" in fences:
        sandbox.refuse_inspection = lambda: True


def _become(uid: int) -> None:
    """A service of that user which has gone to no length to hide."""
    if uid != os.getuid():
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)


def main(uid: int, folder: str, chosen: list[str], without: list[str]) -> None:
    """The service: start the reader as a fork, since that user may not be able to start Python."""
    documents.parts = _attacked
    beforehand.load()
    _leave_out(without)
    _become(uid)
    plan = json.dumps({"service": os.getpid(), "folder": folder, "attacks": chosen}).encode()
    said = {"name": "a", "media_type": None, "start": 0, "memory": 640 << 20, "seconds": 60}
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        os.dup2(writing, 1)
        child.main(BytesIO(head(said, len(plan)) + plan), sys.stdout.buffer)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answers:
        told = answers.read()
    os.waitpid(process, 0)
    while told:
        length, size = HEAD.unpack(told[: HEAD.size])
        message = json.loads(told[HEAD.size : HEAD.size + length])
        told = told[HEAD.size + length + size :]
        if "detail" in message:
            sys.stdout.write(message["detail"])
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3].split(";"), sys.argv[4:])
