"""What other programs call a command of ours, and flags of theirs that mean something else here."""

from __future__ import annotations

from wgan.config.synonyms import Meaning

# Flags that we have too, for something else: what the value is refused with.
OTHERS = {
    "output": "--output is the last activation of the generator (auto, tanh or linear): the folder of the run is --run DIR",
}

COMMANDS = (
    Meaning(
        "fit learn run start resume continue new init go finetune",
        "wgan train trains a recipe or your data, or resumes a run",
    ),
    Meaning(
        "generate gen make create samples infer inference predict draw synthesize",
        "wgan sample makes samples with a run",
    ),
    Meaning(
        "eval test measure metrics fid kid validate check-run",
        "wgan evaluate measures a run or a file of samples",
    ),
    Meaning("anomaly anomalies detect outliers novelty", "wgan score says how unusual samples are for a run"),
    Meaning("project embed inverse latent-of gan-inversion", "wgan invert finds the latents of images"),
    Meaning("walk morph latent interp animate gif video", "wgan interpolate walks between latents"),
    Meaning(
        "plot plots show view html page dashboard summary visualize visualise curves",
        "wgan report shows runs as one page",
    ),
    Meaning(
        "dataset datasets inspect preview prepare stats describe check dataset-info",
        "wgan data shows what would be trained on",
    ),
    Meaning("models zoo recipe architectures presets", "wgan recipes lists what there is to train"),
    Meaning("ls list history experiments jobs status", "wgan runs lists the runs"),
    Meaning(
        "info doctor about diagnose environment system debug collect-env",
        "wgan env shows what is installed and detected",
    ),
    Meaning("bench speed time profile timing", "wgan benchmark measures what a step costs"),
    Meaning("versus vs ablation sweep grid-search experiment", "wgan compare measures objectives against each other"),
)
