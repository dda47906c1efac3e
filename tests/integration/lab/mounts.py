"""What the engines' storage drivers can work on."""

import subprocess


def on_overlay(path):
    """overlay cannot be stacked on overlay, as within most containers."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", path], text=True,
                          capture_output=True, check=True).stdout.strip()
    return kind == "overlayfs"
