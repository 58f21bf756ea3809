"""Reading and writing media: ffmpeg, timelines, frames, audio."""
