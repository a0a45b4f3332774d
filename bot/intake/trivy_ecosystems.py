"""Maps Trivy's package types to the ecosystem names of the OSV schema.

A type that OSV does not name keeps Trivy's name, so that no finding is lost.
"""

import re
from pathlib import PurePosixPath
from typing import Final

ECOSYSTEMS: Final = {
    trivy: osv
    for osv, names in {
        "AlmaLinux": "alma",
        "Alpine": "alpine",
        "Amazon Linux": "amazon",
        "Azure Linux": "azurelinux cbl-mariner",
        "Bitnami": "bitnami",
        "Chainguard": "chainguard",
        "CentOS": "centos",
        "CentOS Stream": "centos-stream",
        "ConanCenter": "conan",
        "CocoaPods": "cocoapods",
        "Conda": "conda-pkg conda-environment",
        "Debian": "debian",
        "Echo": "echo",
        "Fedora": "fedora",
        "Go": "gobinary gomod golang",
        "Hex": "hex",
        "Julia": "julia",
        "Kubernetes": "kubernetes",
        "Maven": "jar pom gradle sbt maven",
        "MinimOS": "minimos",
        "NuGet": "nuget dotnet-core packages-props",
        "Oracle Linux": "oracle",
        "Packagist": "composer composer-vendor",
        "Photon OS": "photon",
        "Pub": "pub",
        "PyPI": "pip pipenv poetry uv pylock python-pkg pypi",
        "Red Hat": "redhat",
        "Rocky Linux": "rocky",
        "RubyGems": "bundler gemspec gem",
        "SUSE": "sles slem",
        "SwiftURL": "swift",
        "Ubuntu": "ubuntu",
        "Wolfi": "wolfi",
        "crates.io": "cargo rustbinary",
        "npm": "npm node-pkg yarn pnpm bun javascript",
        "openSUSE": "opensuse opensuse-leap opensuse-tumbleweed opensuse.leap opensuse.tumbleweed",
    }.items()
    for trivy in names.split()
}

LOCK_FILES: Final = {
    "Cargo.lock": "crates.io",
    "Gemfile.lock": "RubyGems",
    "Pipfile.lock": "PyPI",
    "composer.lock": "Packagist",
    "go.mod": "Go",
    "go.sum": "Go",
    "package-lock.json": "npm",
    "packages.lock.json": "NuGet",
    "poetry.lock": "PyPI",
    "pom.xml": "Maven",
    "requirements.txt": "PyPI",
    "yarn.lock": "npm",
}

OS_IN_TARGET: Final = re.compile(r"\(([a-z][a-z.-]*) [^()]*\)$")
"""`registry/image:tag (alpine 3.14.0)`."""


def ecosystem(kind: str, purl: str, target: str) -> str:
    """The ecosystem of `Result.Type`; without a type, of the package URL or, in the oldest reports, of the target."""
    if kind:
        return ECOSYSTEMS.get(kind.lower(), kind)
    if purl.startswith("pkg:"):
        name = purl.removeprefix("pkg:").partition("/")[0].lower()
        return ECOSYSTEMS.get(name, name)
    if match := OS_IN_TARGET.search(target):
        return ECOSYSTEMS.get(match[1], match[1])
    return LOCK_FILES.get(PurePosixPath(target).name, "generic")
