"""From a scene to a waveform."""
