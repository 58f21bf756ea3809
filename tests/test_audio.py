"""Sound on the picture's clock, to the sample."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from media_fixtures import make_clip, noise, offset_of, trim_clip, write_wav

from ssv2a.errors import FfmpegFailed, MediaError
from ssv2a.media import audio, ffmpeg
from ssv2a.media.timeline import picture_timeline

F = Fraction


def decode(path, **how):
    return np.concatenate(list(audio.blocks(path, **how)), axis=1)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".avi", ".ts"])
@pytest.mark.parametrize("delay", [F(0), F(1, 2), F(-1, 4)], ids=["together", "sound late", "sound early"])
def test_sample_0_is_the_first_frame(tmp_path, suffix, delay):
    if suffix == ".avi" and delay:
        pytest.skip("AVI holds no start times")
    clip = make_clip(tmp_path / f"a{suffix}", seconds=2, audio="mono", audio_delay=delay)
    origin = picture_timeline(clip).start
    got = decode(clip, channels=1, origin=origin, seconds=F(2))
    assert got.shape == (1, 96000)
    assert got.dtype == np.float32
    bar = 0 if suffix in (".mp4", ".mov", ".avi") and not delay else 48  # edit lists and Matroska tick in ms
    assert abs(offset_of(got[0], noise(2, 1)[0]) - round(delay * 48000)) <= bar
    if delay > 0:
        assert np.abs(got[0, : round(delay * 48000) - 1100]).max() == 0


def test_edit_list_hides_sound_with_the_picture(tmp_path):
    whole = make_clip(tmp_path / "a.mp4", seconds=3, audio="stereo")
    clip = trim_clip(whole, tmp_path / "b.mp4", 1.3)
    got = decode(clip, origin=picture_timeline(clip).start, seconds=F(1))
    assert offset_of(got[0], noise(3)[0]) == -round(F("1.3") * 48000)


def test_pcm_is_bit_exact_in_all_six_channels(tmp_path):
    clip = make_clip(tmp_path / "a.mov", seconds=1, audio="5.1")
    expected = np.round(noise(1, 6) * 32768) / 32768
    assert np.array_equal(decode(clip, channels=6), expected.astype(np.float32))


@pytest.mark.parametrize("layout", ["quad", "3.1", "3.0", "6.1", "5.1(side)"])
def test_channels_of_any_layout_stay_what_they_are(tmp_path, layout):
    """By its number of channels alone ffmpeg would mix quad into 4.0, and 3.1 without its LFE."""
    count = {"quad": 4, "3.1": 4, "3.0": 3, "6.1": 7, "5.1(side)": 6}[layout]
    expected = np.round(noise(1, count) * 2**15) / 2**15
    raw = expected.T.astype("<f4").tobytes()
    named = f"channelmap=map={'|'.join(map(str, range(count)))}:channel_layout={layout}"
    source = ["-f", "f32le", "-ar", "48000", "-ac", str(count), "-i", "pipe:0", "-af", named, "-c:a", "flac"]
    ffmpeg.run([*source, ffmpeg.url(tmp_path / "a.mka")], timeout=30, stdin=raw)
    got = decode(tmp_path / "a.mka", channels=count, layout=layout)
    np.testing.assert_array_equal(got, expected.astype(np.float32))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".ts"])
def test_starting_late_gives_the_same_samples(tmp_path, suffix):
    clip = make_clip(tmp_path / f"a{suffix}", seconds=8, audio="mono")
    origin = picture_timeline(clip).start
    whole = decode(clip, channels=1, origin=origin)
    part = decode(clip, channels=1, origin=origin, start=F(6), seconds=F(1))
    same = whole[:, 6 * 48000 : 7 * 48000]
    assert offset_of(part[0], same[0]) == 0
    if suffix in (".mkv", ".avi"):
        assert np.array_equal(part, same)
    else:  # AAC decoders fill bands with noise that depends on where they started
        assert np.corrcoef(part, same)[0, 1] > 0.98


@settings(max_examples=10, deadline=None)
@given(
    start=st.fractions(-1, 3, max_denominator=1001),
    seconds=st.fractions(F(1, 1000), 3, max_denominator=1001),
    block=st.integers(100, 60000),
)
def test_length_is_exact_and_outside_is_silence(tmp_path_factory, start, seconds, block):
    wav = tmp_path_factory.getbasetemp() / "length.wav"
    if not wav.exists():
        write_wav(wav, noise(1))
    parts = list(audio.blocks(wav, start=start, seconds=seconds, block=block))
    assert all(part.shape[1] == block for part in parts[:-1])
    got = np.concatenate(parts, axis=1)
    first = round(start * 48000)
    expected = np.zeros((2, round(seconds * 48000)), np.float32)
    inside = np.arange(expected.shape[1]) + first
    hit = (inside >= 0) & (inside < 48000)
    expected[:, hit] = noise(1)[:, inside[hit]]
    assert np.array_equal(got, expected)


def test_other_rates_and_stream_choice(tmp_path):
    low = tmp_path / "low.wav"
    tone = np.sin(2 * np.pi * 1000 * np.arange(22050) / 22050).astype(np.float32)
    soundfile.write(low, 0.5 * tone, 22050, subtype="FLOAT")
    got = decode(low, channels=1, seconds=F(1), stream=0)
    spectrum = np.abs(np.fft.rfft(got[0] * np.hanning(48000)))
    assert np.argmax(spectrum) == 1000
    with pytest.raises(FfmpegFailed):
        decode(low, stream=3)


def test_wav_round_trip_block_by_block(tmp_path):
    waveform = noise(1)
    path = tmp_path / "a.wav"
    with audio.WavWriter(path, channels=2) as writer:
        for start in range(0, 48000, 7000):
            writer.write(waveform[:, start : start + 7000])
        assert writer.n_samples == 48000
        with pytest.raises(MediaError, match=r"\[2, n\] was expected, got \[3, 5\]"):
            writer.write(np.zeros((3, 5), np.float32))
    blocks = list(audio.read_wav_blocks(path, 10_000))
    assert [block.shape[1] for block in blocks] == [10_000] * 4 + [8_000]
    assert np.array_equal(np.concatenate(blocks, axis=1), waveform)
    assert np.array_equal(decode(path), waveform)  # ffmpeg reads the RF64 header too


def test_24_bit_wav_clips_and_rounds(tmp_path):
    path = tmp_path / "a.wav"
    with audio.WavWriter(path, channels=1, subtype="PCM_24") as writer:
        writer.write(np.array([[0.25, 1.5, -1.5, 1e-7]], np.float32))
    got = next(audio.read_wav_blocks(path))
    assert np.abs(got - [[0.25, 1, -1, 0]]).max() <= 2**-23


def test_read_wav_of_a_text_file(tmp_path):
    path = tmp_path / "a.wav"
    path.write_text("no sound")
    with pytest.raises(MediaError, match="WAV"):
        next(audio.read_wav_blocks(path))


class TestLoudness:
    def test_reference_tone(self, tmp_path):
        """EBU Tech 3341, case 1: a stereo 1 kHz sine at −23 dBFS per channel is −23 LUFS."""
        tone = 10 ** (-23 / 20) * np.sin(2 * np.pi * 1000 * np.arange(20 * 48000) / 48000)
        path = write_wav(tmp_path / "a.wav", np.stack([tone, tone]).astype(np.float32))
        integrated, peak = audio.loudness(path)
        assert integrated == pytest.approx(-23.0, abs=0.1)
        assert peak == pytest.approx(-23.0, abs=0.2)

    def test_true_peak_lies_between_the_samples(self, tmp_path):
        tone = np.sin(2 * np.pi * 12000 * np.arange(48000) / 48000 + np.pi / 4) / 2  # samples at ±0.354
        tone *= np.hanning(48000)
        _, peak = audio.loudness(write_wav(tmp_path / "a.wav", tone[None].astype(np.float32)))
        assert peak == pytest.approx(-6.0, abs=0.3)

    def test_silence_and_short_clips(self, tmp_path):
        silence = write_wav(tmp_path / "s.wav", np.zeros((2, 96000), np.float32))
        assert audio.loudness(silence) == (None, None)
        integrated, peak = audio.loudness(write_wav(tmp_path / "k.wav", noise(0.3)))
        assert integrated is None
        assert peak is not None

    def test_stream_of_a_clip(self, tmp_path):
        clip = make_clip(tmp_path / "a.mp4", seconds=1, audio="stereo")
        assert audio.loudness(clip) == audio.loudness(clip, stream=1)
        with pytest.raises(FfmpegFailed):
            audio.loudness(clip, stream=0)
