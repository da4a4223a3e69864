#!/usr/bin/env python3
"""A Slurm of our own on this machine, for tests: one controller and a few nodes that all listen on the loopback.

    scripts/local_slurm.py up FOLDER [--nodes 3] [--cpus 1]   prints the folder of Slurm's commands
    scripts/local_slurm.py stop-node FOLDER 2                 kills the daemon of node n2 and all that runs there
    scripts/local_slurm.py start-node FOLDER 2
    scripts/local_slurm.py down FOLDER

Packages of Debian or Ubuntu are unpacked into FOLDER; nothing is installed and nothing outside FOLDER is written. It needs root,
because a daemon of Slurm changes users. Ends with status 3 where such a Slurm cannot be had here.
"""
import argparse
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

PACKAGES = ["libhwloc15", "liblua5.1-0", "libmunge2", "munge", "slurm-wlm-basic-plugins", "slurm-client", "slurmctld", "slurmd"]


def lack(why):
    print(f"no Slurm here: {why}", file=sys.stderr)
    sys.exit(3)


class Cluster:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder).resolve()
        self.root = self.folder / "root"
        self.run = self.folder / "run"
        self.conf = self.run / "slurm.conf"
        self.bin = self.folder / "bin"

    def libraries(self):
        found = sorted(self.root.glob("usr/lib/*-linux-gnu"))
        if not found:
            lack("the packages hold no libraries")
        return found[0]

    def environment(self):
        library = self.libraries()
        return dict(os.environ, LD_LIBRARY_PATH=f"{library}:{library}/slurm-wlm", SLURM_CONF=str(self.conf))

    def daemon(self, name, *arguments):
        program = next((path for path in (self.root / "usr/sbin" / f"{name}-wlm", self.root / "usr/sbin" / name) if path.exists()), None)
        if program is None:
            lack(f"the packages hold no {name}")
        subprocess.run([program, *arguments], env=self.environment(), check=True, stdin=subprocess.DEVNULL)

    def unpack(self):
        if (self.root / "usr/bin/sbatch").exists():
            return
        if not shutil.which("apt-get") or not shutil.which("dpkg"):
            lack("no apt-get")
        debs = self.folder / "debs"
        debs.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run(["apt-get", "download", *PACKAGES], cwd=debs, check=True, timeout=120, capture_output=True)
        except (subprocess.SubprocessError, OSError):
            lack("its packages cannot be downloaded")
        for deb in debs.glob("*.deb"):
            subprocess.run(["dpkg", "-x", deb, self.root], check=True)
        shutil.rmtree(debs)

    def configure(self, nodes, cpus):
        for name in ("state", "log", "munge"):
            (self.run / name).mkdir(parents=True, exist_ok=True)
        (self.run / "munge").chmod(0o700)
        host, plugins, first = socket.gethostname().split(".")[0], self.libraries() / "slurm-wlm", free_port(nodes + 1)
        lines = {
            "ClusterName": "tests", "SlurmctldHost": f"{host}(127.0.0.1)", "SlurmUser": "root", "SlurmdUser": "root",
            "AuthType": "auth/munge", "CredType": "cred/munge", "AuthInfo": f"socket={self.run}/munge/socket",
            "PluginDir": plugins, "CommunicationParameters": "NoCtldInAddrAny,NoInAddrAny", "SlurmctldPort": first,
            "MpiDefault": "none", "ProctrackType": "proctrack/linuxproc", "TaskPlugin": "task/none",
            "JobAcctGatherType": "jobacct_gather/none", "AccountingStorageType": "accounting_storage/none",
            "SelectType": "select/cons_tres", "SelectTypeParameters": "CR_Core", "SchedulerType": "sched/backfill",
            "SchedulerParameters": "sched_interval=2,bf_interval=2,batch_sched_delay=0,defer_batch", "SwitchType": "switch/none",
            "ReturnToService": 2, "MinJobAge": 600, "KillWait": 5, "SlurmdTimeout": 8, "OverTimeLimit": 0, "MaxArraySize": 1001,
            "StateSaveLocation": self.run / "state", "SlurmctldPidFile": self.run / "slurmctld.pid",
            "SlurmctldLogFile": self.run / "log/slurmctld.log", "SlurmdPidFile": f"{self.run}/slurmd-%n.pid",
            "SlurmdSpoolDir": f"{self.run}/spool-%n", "SlurmdLogFile": f"{self.run}/log/slurmd-%n.log",
            "SlurmdParameters": "config_overrides",
        }
        text = "".join(f"{key}={value}\n" for key, value in lines.items())
        text += f"NodeName=n[1-{nodes}] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first + 1}-{first + nodes}] CPUs={cpus} RealMemory=2000 State=UNKNOWN\n"
        text += f"PartitionName=main Nodes=n[1-{nodes}] Default=YES MaxTime=INFINITE State=UP\n"
        self.conf.write_text(text)
        # Commands that find their own libraries and settings.
        self.bin.mkdir(exist_ok=True)
        for name in ("sbatch", "squeue", "scancel", "scontrol", "sacct", "sinfo"):
            library = self.libraries()
            script = f"#!/bin/sh\nLD_LIBRARY_PATH={library}:{library}/slurm-wlm SLURM_CONF={self.conf} exec {self.root}/usr/bin/{name} \"$@\"\n"
            (self.bin / name).write_text(script)
            (self.bin / name).chmod(0o755)

    def up(self, nodes, cpus):
        if os.geteuid() != 0:
            lack("not root")
        self.unpack()
        self.configure(nodes, cpus)
        munge = self.run / "munge"
        if not (munge / "key").exists():
            self.daemon("mungekey", "--create", f"--keyfile={munge}/key")
        self.daemon("munged", "--force", f"--key-file={munge}/key", f"--socket={munge}/socket", f"--pid-file={self.run}/munged.pid",
                    f"--log-file={self.run}/log/munged.log", f"--seed-file={munge}/seed", "--num-threads=2")
        self.daemon("slurmctld", "-c", "-f", self.conf)
        for number in range(1, nodes + 1):
            self.start_node(number)
        for _ in range(120):
            answer = subprocess.run([self.bin / "sinfo", "-h", "-o", "%T %D"], capture_output=True, text=True)
            if answer.stdout.split() == ["idle", str(nodes)]:
                print(self.bin)
                return
            time.sleep(0.5)
        lack(f"its nodes do not come up: {answer.stdout} {answer.stderr}")

    def start_node(self, number):
        (self.run / f"spool-n{number}").mkdir(exist_ok=True)
        stepd = next(path for path in (self.root / "usr/sbin/slurmstepd-wlm", self.root / "usr/sbin/slurmstepd") if path.exists())
        self.daemon("slurmd", "-N", f"n{number}", "-f", self.conf, "-d", stepd)

    def stop_node(self, number):
        """Kills a node as a power cut does: its daemon first, then every process of its jobs."""
        kill(self.run / f"slurmd-n{number}.pid")
        doomed = []
        for entry in pathlib.Path("/proc").glob("[0-9]*/environ"):
            try:
                variables = entry.read_bytes().split(b"\0")
            except OSError:
                continue
            if f"SLURMD_NODENAME=n{number}".encode() in variables and f"SLURM_CONF={self.conf}".encode() in variables:
                doomed.append(int(entry.parent.name))
        for process in doomed:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def down(self):
        for path in sorted(self.run.glob("*.pid")):
            kill(path)


def kill(path):
    try:
        os.kill(int(path.read_text()), signal.SIGKILL)
    except (OSError, ValueError):
        pass


def free_port(count):
    """The first of so many neighbouring ports that nobody listens on."""
    for first in range(16900 + os.getpid() % 1000 * 16, 60000, 16):
        try:
            for port in range(first, first + count):
                with socket.socket() as one:
                    one.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
    lack("no free ports")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["up", "down", "stop-node", "start-node"])
    parser.add_argument("folder")
    parser.add_argument("number", nargs="?", type=int)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--cpus", type=int, default=1)
    words = parser.parse_args()
    cluster = Cluster(words.folder)
    if words.what == "up":
        cluster.up(words.nodes, words.cpus)
    elif words.what == "down":
        cluster.down()
    elif words.what == "stop-node":
        cluster.stop_node(words.number)
    else:
        cluster.start_node(words.number)


if __name__ == "__main__":
    main()
