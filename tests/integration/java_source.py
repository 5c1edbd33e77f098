"""Runs a Java source file of this folder with the jars of Kafka and of the registry's Avro."""

import subprocess
from pathlib import Path

import pytest

from local import kafka, registry


def run_java(source: str, *arguments: str, stdin: str) -> str:
    """What the program prints. Skips the test where no Java can run a source file.

    It is Debian's Java, which Maven brings: the one that runs the servers has no compiler.
    """
    probe = subprocess.run(["/usr/bin/java", "--list-modules"], capture_output=True, text=True, check=False)
    if "jdk.compiler" not in probe.stdout:
        pytest.skip("/usr/bin/java cannot run a source file: it has no module jdk.compiler")
    # One Avro alone: the registry's folder has other versions of what Kafka brings.
    avro = (registry.FOLDER / "lib" / "main").glob("org.apache.avro.avro-*.jar")
    jars = ":".join([f"{kafka.JARS}/*", *map(str, avro)])
    command = ["/usr/bin/java", "-cp", jars, str(Path(__file__).with_name(source)), *arguments]
    return subprocess.run(command, input=stdin, text=True, check=True, stdout=subprocess.PIPE).stdout
