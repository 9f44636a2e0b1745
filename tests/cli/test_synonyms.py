"""What other programs call a flag or a command is answered with our name for it, not with what is spelt nearly alike."""

import re

import pytest

from wgan.cli import main as cli
from wgan.cli.epochs import steps_in
from wgan.cli.synonyms import COMMANDS
from wgan.config.synonyms import FLAGS, explained, plain_word
from wgan.recipes import configure

TRAIN = [
    ("--learning-rate 1", "--lr is the generator's learning rate, --critic-lr the critic's"),
    ("--learning-rates 1", "--critic-lr the critic's"),
    ("--learningRate=1", "--critic-lr the critic's"),
    ("--learning_rate 1", "--critic-lr the critic's"),
    ("--lr-g 1", "the generator's learning rate is --lr"),
    ("--lr-d 1", "the critic's learning rate is --critic-lr"),
    ("--iterations 5", "the length of a run is --steps"),
    ("--resume", "a run resumes by itself"),
    ("--resume runs/mnist", "a run resumes by itself"),
    ("--outdir x", "the folder of the run is --run DIR"),
    ("--out-dir x", "the folder of the run is --run DIR"),
    ("--output x", "the folder of the run is --run DIR"),
    ("-o x", "the folder of the run is --run DIR"),
    ("--gpus 2", "--processes N"),
    ("--gpu 0", "--device says where to compute"),
    ("--batch-size 8", "the batch size is --batch"),
    ("--batch_size=8", "the batch size is --batch"),
    ("-b 8", "the batch size is --batch"),
    ("--wandb", "--log-to NAME mirrors the log"),
    ("--kimg 100", "the length of a run is --steps"),
    ("--device-ids 0,1", "--device says where to compute"),
    ("--local-rank 0", "--processes N"),
    ("--project digits", "--log-to NAME mirrors the log"),
    ("--seed-all 3", "the seed is --seed"),
    ("--spectral-norm", "--critic-norm spectral"),
    ("--dropout-rate 0.3", "--dropout is the fraction"),
    ("--val-split 0.1", "some of your own data are held out anyway"),
    ("--shuffle", "epoch is shuffled"),
    ("--cache-dir x", "WGAN_CACHE names another folder"),
    ("--channels-last", "nothing to turn on: images are channels-last"),
    ("--profile", "wgan benchmark says what a step costs"),
    ("--yes", "wgan asks no questions"),
    ("--tensorboard", "log.jsonl and TensorBoard's events"),
    ("--fp16", "--precision is auto"),
    ("--amp", "--precision is auto"),
    ("--mixed-precision bf16", "--precision is auto"),
    ("--workers 4", "--threads N"),
    ("--num-workers 4", "--threads N"),
    ("--image-size 64", "--size N"),
    ("--resolution 64", "--size N"),
    ("--lambda 10", "the weight of the gradient penalty is --penalty-weight"),
    ("--gp-weight 10", "the weight of the gradient penalty is --penalty-weight"),
    ("--clip-value 0.01", "--clip C"),
    ("--n-dis 5", "--n-critic"),
    ("--critic-iters 5", "--n-critic"),
    ("--discriminator-steps 5", "--n-critic"),
    ("--z-dim 64", "--latent"),
    ("--latent-dim 64", "--latent"),
    ("--save-every 5", "--checkpoint-every"),
    ("--log-interval 5", "--log-every"),
    ("--model dcgan", "--generator and --critic"),
    ("--discriminator conv", "called critic here: --critic"),
    ("--discriminator-norm layer", "called critic here: --critic-norm"),
    ("--dataset mnist", "--data"),
    ("--random-seed 3", "the seed is --seed"),
    ("--manualSeed 3", "the seed is --seed"),
    ("--verbose", "nothing to turn on or off"),
    ("-v", "nothing to turn on or off"),
    ("--weight-decay 0.1", "there is no weight decay"),
    ("--early-stopping 3", "--patience K"),
    ("--max-time 60", "--minutes M"),
    ("--pretrained runs/mnist", "--from RUN"),
    ("--force", "a run is never overwritten"),
]
OTHERS = [
    ("sample --num 3", "-n says how many"),
    ("sample --outdir x", "the file to write is --out"),
    ("sample -o x", "the file to write is --out"),
    ("sample --class 3", "--label K asks for one class"),
    ("sample --ckpt best", "--checkpoint is last, best or a step"),
    ("sample --run runs/mnist", "the run comes right after the command"),
    ("sample --psi 0.7", "--truncation T"),
    ("sample --overwrite", "--force replaces what is there"),
    ("interpolate --class 3", "--label K holds one class"),
    ("evaluate --dataset mnist", "--data"),
    ("evaluate --metric fid", "--metrics A,B"),
    ("compare --epochs 3", "--steps, --budget or --critic-forwards"),
    ("data photos --verbose", "nothing to turn on or off"),
    ("report --output x", "the file to write is --out"),
]
VERBS = [
    ("generate", "wgan sample"),
    ("eval", "wgan evaluate"),
    ("resume", "wgan train"),
    ("plot", "wgan report"),
    ("dataset", "wgan data"),
    ("zoo", "wgan recipes"),
    ("ls", "wgan runs"),
    ("doctor", "wgan env"),
]


@pytest.mark.parametrize(("line", "words"), [(f"train {line}", words) for line, words in TRAIN] + OTHERS)
def test_a_flag_of_another_program_is_answered_by_its_meaning(here, command, line, words):
    said = command(*line.split()).sentence()
    assert words in said and "did you mean" not in said
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(("word", "words"), VERBS)
def test_a_command_of_another_program_is_answered_by_its_meaning(command, word, words):
    assert command(word).sentence().startswith(f"unknown command '{word}': {words} ")


def test_a_misspelt_flag_is_answered_by_the_nearest(command):
    assert "did you mean --n-critic" in command("train", "--n-critc", 3).sentence()
    assert "did you mean --truncation" in command("sample", "--truncaton", 3).sentence()


def tables():
    """Return command -> its flags."""
    return {name: p.flags() for name, p in cli.commands_of(cli.parser()).items()}


def test_each_synonym_answers_some_command_and_names_its_flags():
    answered = {}
    for flags in tables().values():
        for row in FLAGS:
            for spelling in row.spellings.split():
                if explained(f"--{spelling}", flags) == row.sentence:
                    answered[row.sentence] = flags
    for row in FLAGS:
        named = set(re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", row.sentence)) - {
            "--help",
            "--logdir",
            "--run",
            "--checkpoint",
        }
        assert named <= set(answered[row.sentence]), row


def test_no_command_is_called_what_another_program_calls_one():
    for row in COMMANDS:
        assert not set(row.spellings.split()) & set(tables())
        assert row.sentence.split()[1] in tables()


def test_a_spelling_has_no_second_form_that_means_the_same():
    for row in (*FLAGS, *COMMANDS):
        words = [plain_word(word) for word in row.spellings.split()]
        assert len(words) == len(set(words)), row


# --- epochs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--epochs 10", "10 epochs of these 60000 samples (batch 64) would be --steps 9375"),
        ("--epochs=1 --batch 50", "1 epoch of these 60000 samples (batch 50) would be --steps 1200"),
        (
            "--num_epochs 0.5 --data photos --size 16 --batch 9 --n-critic 2",
            "9, 2 batches in each step) would be --steps 2",
        ),
        ("--epochs 3 photos --size 16 --batch 10", "3 epochs of these 45 samples (batch 10) would be --steps 14"),
        ("--epochs", "counted in --steps, its generator updates, not in epochs"),
        ("--epochs many", "counted in --steps, its generator updates, not in epochs"),
        ("--epochs 3 --data nowhere", "counted in --steps, its generator updates, not in epochs"),
        ("--epochs 3 --lr fast", "counted in --steps, its generator updates, not in epochs"),
        ("--epochs -3", "counted in --steps, its generator updates, not in epochs"),
    ],
)
def test_epochs_are_answered_with_the_steps_that_these_data_make(photos, here, command, line, said):
    assert said in command("train", *line.split()).sentence()


def test_a_batch_that_updates_share_is_counted_once():
    fresh, shared = (
        configure("small-mlp-gp", {"batch": 64, "n_critic": 5, "real_batches": b}) for b in ("fresh", "shared")
    )
    assert steps_in(2, 60000, fresh) == 375 and steps_in(2, 60000, shared) == 1875  # 120000 / 320 and 120000 / 64
    assert steps_in(0.001, 10, fresh) == 1
