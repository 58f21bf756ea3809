"""AudioLDM: our sampling loop against diffusers' pipeline, same steps, same precision, random weights.

    python benchmarks/bench_synthesis.py [--small] [--steps N] [--sounds N] [--seconds S] [--json FILE]

The networks have the released sizes (UNet 185 million parameters, VAE 55, vocoder 55, CLAP's text tower 125)
unless --small. Every variant runs in a process of its own that loads the model from a folder, samples with
DDIM, eta 1, guidance 2.5, and makes the waveforms; the peak is that process's resident memory. The baseline
is `AudioLDMPipeline` in float32. In the bfloat16 row of the pipeline everything is bfloat16; ours keeps the
VAE and the vocoder in float32. The pipeline cannot do without its text tower, ours leaves it after loading.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

VARIANTS = {  # name → (loop, precision, networks given back between the stages)
    "diffusers float32": ("diffusers", torch.float32, False),
    "ours float32": ("ours", torch.float32, False),
    "diffusers bfloat16": ("diffusers", torch.bfloat16, False),
    "ours bfloat16": ("ours", torch.bfloat16, False),
    "ours bfloat16, low memory": ("ours", torch.bfloat16, True),
}
RELEASED = {
    "unet": (128, 256, 384, 640),
    "vae": (128, 256, 512),
    "vocoder": 1024,
    "text": (768, 12, 12, 3072),
}
SMALL = {"unet": (32, 64, 96, 160), "vae": (32, 64, 128), "vocoder": 64, "text": (64, 2, 1, 128)}
CLAP_DIM = 512
LATENT_RATE = 25  # frames a second


def write_model(sizes: dict[str, Any], folder: Path) -> None:
    """A pipeline's folder with random weights."""
    import diffusers
    import transformers

    torch.manual_seed(0)
    width, layers, heads, inner = sizes["text"]
    text = transformers.ClapTextConfig(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=inner,
        projection_dim=CLAP_DIM,
    )
    vocoder = transformers.SpeechT5HifiGanConfig(
        model_in_dim=64,
        upsample_initial_channel=sizes["vocoder"],
        upsample_rates=[5, 4, 2, 2, 2],
        upsample_kernel_sizes=[16, 16, 8, 4, 4],
        normalize_before=False,
    )
    parts = {
        "unet": diffusers.UNet2DConditionModel(
            sample_size=128,
            in_channels=8,
            out_channels=8,
            down_block_types=("DownBlock2D", *["CrossAttnDownBlock2D"] * 3),
            up_block_types=(*["CrossAttnUpBlock2D"] * 3, "UpBlock2D"),
            block_out_channels=sizes["unet"],
            cross_attention_dim=sizes["unet"],
            class_embed_type="simple_projection",
            projection_class_embeddings_input_dim=CLAP_DIM,
            class_embeddings_concat=True,
        ),
        "vae": diffusers.AutoencoderKL(
            in_channels=1,
            out_channels=1,
            latent_channels=8,
            block_out_channels=sizes["vae"],
            layers_per_block=2,
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
        ),
        "vocoder": transformers.SpeechT5HifiGan(vocoder),
        "text_encoder": transformers.ClapTextModelWithProjection(text),
        "scheduler": diffusers.DDIMScheduler(
            beta_start=0.0015,
            beta_end=0.0195,
            beta_schedule="scaled_linear",
            steps_offset=1,
            clip_sample=False,
            set_alpha_to_one=False,
        ),
    }
    for name, part in parts.items():
        part.save_pretrained(folder / name)
    index = {name: [type(part).__module__.split(".")[0], type(part).__name__] for name, part in parts.items()}
    index |= {"_class_name": "AudioLDMPipeline", "tokenizer": [None, None]}
    (folder / "model_index.json").write_text(json.dumps(index))


def run_pipeline(
    folder: Path, dtype: torch.dtype, options: argparse.Namespace, tick: Callable[[str], None]
) -> np.ndarray:
    import diffusers

    pipeline = diffusers.AudioLDMPipeline.from_pretrained(folder, torch_dtype=dtype, tokenizer=None)
    pipeline.set_progress_bar_config(disable=True)
    with torch.no_grad():
        nothing = pipeline.text_encoder(torch.tensor([[0, 2]])).text_embeds  # the tokens of ""
    nothing = torch.nn.functional.normalize(nothing, dim=-1)
    tick("load")
    claps = claps_of(options.sounds)
    sounds = pipeline(
        prompt_embeds=claps,
        negative_prompt_embeds=nothing.expand_as(claps),
        audio_length_in_s=options.frames / LATENT_RATE,
        num_inference_steps=options.steps,
        guidance_scale=2.5,
        eta=1.0,
        generator=[torch.Generator().manual_seed(seed) for seed in range(options.sounds)],
        callback=lambda *_: tick("step"),
    ).audios
    tick("decode")
    return np.asarray(sounds)


def run_ours(
    folder: Path,
    dtype: torch.dtype,
    low_memory: bool,
    options: argparse.Namespace,
    tick: Callable[[str], None],
) -> np.ndarray:
    from ssv2a.synthesis.audioldm_sampler import LatentDiffusion, Sampling

    diffusion = LatentDiffusion.open(folder, torch.device("cpu"), dtype)
    networks = (diffusion.unet, diffusion.vae, diffusion.vocoder)
    for network in networks[:1] if low_memory else networks:
        network.get()
    tick("load")
    sampling = Sampling("faithful", options.steps, 2.5, 1.0)
    seeds = list(range(options.sounds))
    latents = diffusion.denoise(
        claps_of(options.sounds), seeds, options.frames, sampling, lambda: tick("step")
    )
    if low_memory:
        diffusion.unet.release()
    mels = [diffusion.mel(latent) for latent in latents]
    if low_memory:
        diffusion.vae.release()
    sounds = np.stack([diffusion.waveform(mel).numpy() for mel in mels])
    tick("decode")
    return sounds


def claps_of(count: int) -> torch.Tensor:
    vectors = torch.randn(count, CLAP_DIM, generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.normalize(vectors, dim=-1)


def measure(variant: str, folder: Path, options: argparse.Namespace) -> None:
    """Run one variant in this process and print what it took."""
    torch.set_num_threads(options.threads)
    loop, dtype, low_memory = VARIANTS[variant]
    taken: dict[str, list[Any]] = {"load": [], "step": [], "decode": []}
    last = np.array([time.monotonic(), time.process_time()])

    def tick(stage: str) -> None:
        nonlocal last
        now = np.array([time.monotonic(), time.process_time()])
        taken[stage].append(now - last)
        last = now

    if loop == "ours":
        sounds = run_ours(folder, dtype, low_memory, options, tick)
    else:
        sounds = run_pipeline(folder, dtype, options, tick)
    np.save(folder / f"{variant}.npy", sounds[:, : options.frames * 640])
    row = {"variant": variant, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    for place, clock in enumerate(("wall", "processor")):
        row[clock] = {
            "load": sum(times[place] for times in taken["load"]),
            "step": statistics.median(times[place] for times in taken["step"]),
            "decode": sum(times[place] for times in taken["decode"]),
        }
    print(json.dumps(row))


def main() -> None:
    options = arguments()
    if options.worker:
        measure(options.worker, options.folder, options)
        return
    with TemporaryDirectory() as work:
        folder = Path(work)
        builder = [sys.executable, __file__, "--build", "--folder", work, *["--small"] * options.small]
        subprocess.run(builder, check=True, capture_output=True)
        rows = []
        for variant in VARIANTS:
            command = [sys.executable, __file__, "--worker", variant, "--folder", work]
            for name in ("steps", "sounds", "seconds", "threads"):
                command += [f"--{name}", str(getattr(options, name))]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            rows.append(json.loads(done.stdout.splitlines()[-1]))
        reference = np.load(folder / "diffusers float32.npy")
        for row in rows:
            difference = np.load(folder / f"{row['variant']}.npy") - reference
            row["difference"] = float(np.sqrt((difference**2).mean() / (reference**2).mean()))
    show(rows, options)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="small networks, for a quick trial")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--sounds", type=int, default=3, help="denoised together")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--build", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.frames = -(-round(options.seconds * LATENT_RATE) // 64) * 64
    if options.build:
        write_model(SMALL if options.small else RELEASED, options.folder)
        raise SystemExit(0)
    return options


def show(rows: list[dict[str, Any]], options: argparse.Namespace) -> None:
    seconds = options.frames / LATENT_RATE
    table = Table(
        *("variant", "load", "a step", "decode", "25 steps", "200 steps", "peak MB", "differs"),
        title=f"{options.sounds} sound(s) of {seconds:.2f} s, guided, {options.threads} thread(s)",
    )
    for row in rows:
        wall, used = row["wall"], row["processor"]
        cells = [f"{wall[stage]:.2f} ({used[stage]:.2f})" for stage in ("load", "step", "decode")]
        for steps in (25, 200):
            whole = [steps * times["step"] + times["decode"] for times in (wall, used)]
            cells.append(f"{whole[0]:.0f} ({whole[1]:.0f})")
        table.add_row(row["variant"], *cells, f"{row['peak_mb']:.0f}", f"{row['difference']:.1e}")
    console = Console()
    console.print(table)
    console.print(
        "Seconds on the clock (of the processor). a step: median; 25 and 200 steps are reckoned from it. "
        "decode: VAE and vocoder. differs: the waveforms from the first row's, relative."
    )


if __name__ == "__main__":
    main()
