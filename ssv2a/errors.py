"""Errors of the library, one small tree.

Every message says what was wrong, what was expected, what was found and what to do.

    Ssv2aError
    ├── MediaError            a file cannot be read or written as media
    │   ├── FfmpegMissing     no ffmpeg or ffprobe of version 5 or newer
    │   ├── FfmpegFailed      ffmpeg or ffprobe ended with an error
    │   ├── FfmpegTimeout     ffmpeg or ffprobe did not end in time and was killed
    │   └── FramesUnreadable  no decoder could read the frames
    ├── BundleError           a bundle is missing, incomplete or altered
    ├── InstallFailed         released weights could not be fetched; trying again later can help
    ├── ConfigurationError    a value of a model configuration is impossible
    ├── WeightsError          a checkpoint does not fit its network
    ├── InputError            an image, text or sound cannot be used as a source
    ├── TrainingError         training cannot start or go on
    └── EvaluationError       what is to be measured, or what it is measured with, cannot be used
"""

from __future__ import annotations


class Ssv2aError(Exception):
    """Base of every error this library raises on purpose."""


class MediaError(Ssv2aError):
    """A file cannot be read or written as media."""


class FfmpegMissing(MediaError):
    """No usable ffmpeg or ffprobe was found."""


class FfmpegFailed(MediaError):
    """ffmpeg or ffprobe ended with an error.

    Attributes:
        returncode: the exit status of the process.
        stderr_tail: its last lines on standard error.
    """

    def __init__(self, message: str, returncode: int = 1, stderr_tail: str = "") -> None:
        super().__init__(message)
        self.returncode = returncode
        self.stderr_tail = stderr_tail


class FfmpegTimeout(MediaError):
    """ffmpeg or ffprobe did not end in time and was killed."""


class FramesUnreadable(MediaError):
    """No decoder could read the frames that were asked for."""


class BundleError(Ssv2aError):
    """A bundle is missing, incomplete or altered."""


class InstallFailed(Ssv2aError):
    """Released weights could not be fetched or put in place; trying again later can help."""


class ConfigurationError(Ssv2aError):
    """A value of a model configuration is impossible."""


class WeightsError(Ssv2aError):
    """A checkpoint does not fit its network."""


class InputError(Ssv2aError):
    """An image, text or sound cannot be used as a source."""


class TrainingError(Ssv2aError):
    """Training cannot start or go on."""


class EvaluationError(Ssv2aError):
    """What is to be measured, or what it is measured with, cannot be used."""
