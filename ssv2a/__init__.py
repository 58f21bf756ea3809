"""SSV2A: sound source-aware vision to audio, re-implemented (arXiv 2411.15447)."""
