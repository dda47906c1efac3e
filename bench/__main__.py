"""Measures Private Registry beside nginx and docker-registry, in one run.

Servers take turns (A B C A B C ...), so that a busy minute of the machine
hurts all of them; what is printed are medians, and in brackets the least and
the most of the rounds. Ratios are taken round by round.
"""

import argparse
import http.client
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import rows
import servers
import table
from content import Image, check

HERE = Path(__file__).resolve().parent


def main():
    chosen = arguments()
    lacking = [s for s in (kind.missing() for kind in servers.ALL) if s]
    for sentence in lacking:
        print(sentence, "It is left out.", file=sys.stderr)
    for tool in ("wrk", "cc", "openssl"):
        if not shutil.which(tool):
            sys.exit(f"{tool} is missing; bench/run installs it.")
    kinds = [kind for kind in servers.ALL if not kind.missing()]
    facts = machine(kinds)
    print("\n".join(facts))
    home = Path(tempfile.mkdtemp(
        prefix="bench.", dir=os.environ.get("TMPDIR", "/var/tmp")))
    try:
        measured = run(home, kinds, chosen)
    finally:
        shutil.rmtree(home)
    save(facts, measured)


def arguments():
    names = [row.name for row in rows.ALL]
    parser = argparse.ArgumentParser(
        prog="bench/run", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", nargs="*", help="one of: " + ", ".join(names))
    wanted = parser.parse_args().row
    for name in wanted:
        if name not in names:
            parser.error(f"no row {name!r}; there are {', '.join(names)}")
    return [row for row in rows.ALL if not wanted or row.name in wanted]


def machine(kinds):
    model = re.search(r"model name\s*: (.*)",
                      Path("/proc/cpuinfo").read_text())
    return [", ".join(kind.version() for kind in kinds),
            f"{os.cpu_count()} cores, {model[1] if model else '?'}, "
            f"Linux {platform.release()}, load {os.getloadavg()[0]:.1f}"]


def run(home, kinds, chosen):
    certificate, key = home / "certificate.pem", home / "key.pem"
    command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
            "/CN=bench", "-out", certificate, "-keyout", key)
    for name in ("load", "push"):
        command("cc", "-O2", "-D_GNU_SOURCE", "-o", home / name,
                HERE / (name + ".c"), "-lssl", "-lcrypto", "-pthread")
    bench = rows.Bench(Image(), home / "load", home / "push")
    made = {}

    def servers_for(row):
        """Those that are filled alike are made once."""
        place = (row.fill or common_fill).__name__
        if place not in made:
            (home / place).mkdir()
            spread(home / place)
            made[place] = [kind(home / place / kind.name, certificate, key)
                           for kind in kinds]
            for server in made[place]:
                fill(bench, server, row.fill or common_fill)
        return [server for server in made[place]
                if (server.pushable or not row.pushes) and
                (server.name == table.OURS or not row.ours)]

    try:
        measured = []
        for row in chosen:
            measured.append((row, run_row(bench, row, servers_for(row))))
            print(table.block(*measured[-1]), flush=True)
        return measured
    finally:
        for server in sum(made.values(), []):
            server.stop()


def spread(directory):
    """What is below has groups of the disk of its own, where ext4 has groups.

    Without a journal ext4 passes over what was deleted lately when it makes a
    file: nobody shall pay for what another one deletes.
    """
    subprocess.run(["chattr", "+T", directory], capture_output=True,
                   check=False)


def fill(bench, server, how):
    server.start()
    how(bench, server)
    server.stop()


def common_fill(bench, server):
    server.fill(bench.image)
    connection = http.client.HTTPConnection(servers.HOST, server.port)
    check(connection, bench.image)
    connection.close()


def run_row(bench, row, takers):
    """[{server: [value a round]}], one for each figure of the row."""
    results = [{kind.name: [] for kind in servers.ALL} for _ in row.figures]
    for server in takers:
        server.start(row.tls)
    for _ in range(row.rounds):
        for server in takers:
            if row.fresh:
                server.stop()
                server.start(row.tls)
            if row.warm:
                row.warm(bench, server)
            for figure, value in zip(results, row.measure(bench, server)):
                figure[server.name].append(value)
            server.process.check()
    for server in takers:
        server.stop()
    return results


def command(*argv):
    done = subprocess.run([str(word) for word in argv], capture_output=True,
                          text=True, check=False)
    if done.returncode:
        sys.exit(f"{argv[0]} failed:\n{done.stderr}")


def save(facts, measured):
    stem = HERE / "results" / time.strftime("%Y-%m-%d-%H%M%S")
    stem.parent.mkdir(exist_ok=True)
    stem.with_suffix(".json").write_text(json.dumps({
        "facts": facts,
        "rows": {row.name: {figure.unit: values for figure, values
                            in zip(row.figures, results)}
                 for row, results in measured}}, indent=1) + "\n")
    stem.with_suffix(".md").write_text(
        "\n\n".join(facts) + "\n\n" + table.markdown(measured))
    print(f"\nSaved as {os.path.relpath(stem)}.json and .md")


if __name__ == "__main__":
    main()
