"""The command line of training: `assay train …`."""

from __future__ import annotations

from pathlib import Path

import click

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
GIVEN_AWAY = 0.7  # AUC of the files alone from which the figures of the net are in doubt


@click.group()
def train() -> None:
    """Adapt what ships to your own pictures."""


@train.command()
@click.option("--real", required=True, type=FOLDER, help="Authentic pictures.")
@click.option("--fake", required=True, type=FOLDER, help="Pictures of your generator, best of the same scenes under the same names.")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="Where the adapted layer goes (.safetensors).")
@click.option("--folds", default=5, show_default=True, type=click.IntRange(2), help="Of the cross-validation.")
@click.option("--draws", default=300, show_default=True, type=click.IntRange(0), help="Of the bootstrap; 0: no intervals.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def authenticity(real: Path, fake: Path, out: Path, folds: int, draws: int, as_json: bool) -> None:
    """Adapt the detector of generated pictures to your generator, and say what it is worth on pictures it has not seen.

    Then: assay run generated-assay:head=OUT PICTURES
    """
    from rich.console import Console
    from rich.progress import Progress

    from assay import training
    from assay.bench import told
    from assay.io.find import find
    from assay.report.rows import printable

    authentic, made_up = ([Path(p) for p in find([str(f)])] for f in (real, fake))
    errors = Console(stderr=True)
    with Progress(console=errors, transient=True) as progress:
        task = progress.add_task("Looking at pictures", total=len(authentic) + len(made_up))
        seen = training.look(authentic, made_up, tick=lambda: progress.advance(task))
    made = training.adapt(seen, folds=folds, draws=draws)
    training.save(made, out)
    rows = [{"judge": n, "after": w, **figures} for n, ways in made.figures.items() for w, figures in ways.items()]
    alone = made.figures["the files alone"][training.WAYS[0]]["auc"].value
    note = (
        f"{made.real} real and {made.fake} fake pictures; of every picture, only what was learned without it (and without its namesakes)."
    )
    if alone > GIVEN_AWAY:
        note += (
            f" Beware: format, size and JPEG quality of the files alone tell the classes apart (AUC {alone:.2f}). Figures above may rest on"
            " that; save both classes alike, from sources of one kind, before you believe them."
        )
    title = "Detection, cross-validated"
    if as_json:
        click.echo(told.as_json(title, rows, note, left_out=[f.what for f in made.lost]))
    else:
        told.tell(title, rows, note, console=Console())
    for f in made.lost[:5]:
        errors.print(f"! {printable(f.what)}: {printable(f.says)}", markup=False, soft_wrap=True)
    if len(made.lost) > 5:
        errors.print(f"and {len(made.lost) - 5} more pictures that could not be used.", style="dim")
    click.echo(f"The layer is in {out}; use it with: assay run generated-assay:head={out} PICTURES", err=True)
