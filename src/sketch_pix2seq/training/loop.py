"""The training loop. It reads from top to bottom; Accelerate makes it one process or many."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from torch import Tensor, nn

from sketch_pix2seq.data.batches import Loader, Rehearsal, offset_scale, usable
from sketch_pix2seq.data.store import SketchSet
from sketch_pix2seq.errors import SettingsError, SketchError
from sketch_pix2seq.model.folder import CHECKPOINT
from sketch_pix2seq.model.losses import Losses, losses_of, objective
from sketch_pix2seq.model.network import Network, Tensors
from sketch_pix2seq.plain import from_plain
from sketch_pix2seq.sequence import SequenceSpec, uniform
from sketch_pix2seq.training.checkpoint import (
    Progress,
    check_tensors,
    load_checkpoint,
    optimiser_tensors,
    restore_optimiser,
    save_checkpoint,
)
from sketch_pix2seq.training.settings import TrainSettings
from sketch_pix2seq.training.tuning import REHEARSED, Base, draw_rehearsed, grown

_BAD_STEPS = 100
"""Steps in a row with a gradient that is not finite after which a run gives up."""


@dataclass(frozen=True)
class Line:
    """What the live line shows."""

    step: int
    steps: int
    l_r: float
    """Reconstruction loss in the published normalisation: a sketch's sum over the longest sketch's points."""
    nats: float
    """Reconstruction loss in nats a row (points and end)."""
    l_kl: float
    pixel: float
    batch: int
    """Sketches a step, all processes together."""
    rate: float
    """Sketches a second, all processes together."""
    learning_rate: float
    skipped: int
    valid: float | None
    """Last validation loss, nats a row."""

    @property
    def eta_seconds(self) -> float | None:
        """Seconds left; None before the speed is known."""
        return None if self.rate <= 0 else (self.steps - self.step) * self.batch / self.rate


Report = Callable[[Line], None]
OnValidation = Callable[[Network, Progress, int], None]
Say = Callable[[str], None]


def train(
    data: Path,
    out: Path,
    settings: TrainSettings,
    *,
    report: Report | None = None,
    on_validation: OnValidation | None = None,
    base: Base | None = None,
    say: Say | None = None,
) -> tuple[Network, Progress, bool]:
    """Train on a SketchSet, or go on with the run that ``out`` holds, to the end.

    Gives the network with its averaged weights, where the run is, and whether this is the main process.

    The same settings, data and process count reach the same weights bit for bit on a CPU in float32, however often the
    run was interrupted. A set without validation sketches is not validated. base: begin with this trained model rather
    than with nothing; what it draws for rehearsal (``settings.tune``) stays in ``out`` as a set. say: told, in the
    main process, what is out of the ordinary, a line each time.
    Raises DataError or FileError for a set that cannot be used, SettingsError where ``out`` holds another run.
    """
    precision = precision_of(settings)
    # What attends to pictures has no gradient in a step that does not.
    unused = DistributedDataParallelKwargs(find_unused_parameters=settings.model.attend > 0)
    accelerator = Accelerator(mixed_precision="no", kwargs_handlers=[unused])
    device, main = accelerator.device, accelerator.is_main_process
    sketches = SketchSet.open(data)
    unscaled = SequenceSpec(settings.model.start)
    sequence = replace(unscaled, scale=base.info.sequence.scale if base else offset_scale(sketches, unscaled))

    def loader(training: bool, rehearsal: Rehearsal | None = None) -> Loader:
        return Loader(
            sketches,
            "train" if training else "valid",
            sequence,
            settings.model.raster,
            settings.batch,
            training=training,
            seed=settings.seed,
            rank=accelerator.process_index if training else 0,
            processes=accelerator.num_processes if training else 1,
            numbers=numbers,
            rehearsal=rehearsal,
        )

    def tell(line: str) -> None:
        if say is not None and main:
            say(line)

    known = known_categories(sketches, base)
    numbers = [known.index(name) for name in sketches.categories]
    training_data = loader(True)
    validation_data = loader(False) if len(usable(sketches, "valid", settings.batch)) else None
    if validation_data is None:
        tell(f"{data} has no validation sketches: no validation; the sheets show sketches of the training split")
    checkpoint = out / CHECKPOINT
    resumed = load_checkpoint(checkpoint) if checkpoint.exists() else None
    if resumed is not None:
        _same_run(resumed[1], resumed[2], settings, base, out)
        check_set(resumed[1], sketches, out)
    started_from: dict[str, object] = {}
    if base is not None:
        rehearsal = _rehearsal(base, out, settings, accelerator, resumed is not None, tell)
        if rehearsal is not None:
            training_data = loader(True, rehearsal)
        started_from = base.record(settings, len(rehearsal.sketches) if rehearsal else 0)
    longest = training_data.longest

    torch.manual_seed(settings.seed)
    network = Network(settings.model, sequence, len(known)).to(device)
    if base is not None:
        network.load_state_dict(grown(base.weights, len(known)))
        if settings.tune.freeze_encoder:
            _freeze_encoder(network)
    names = [name for name, _ in network.named_parameters()]
    optimiser = torch.optim.Adam(network.parameters(), settings.optimiser.learning_rate, fused=True)
    average = {name: value.detach().clone() for name, value in network.state_dict().items()}
    progress = Progress()
    if resumed is not None:
        before, progress, _ = resumed
        check_tensors(checkpoint, before, network)
        network.load_state_dict(named(before, "network."))
        average = {name: value.to(device) for name, value in average_of(before).items()}
        restore_optimiser(optimiser, names, before)
    progress.scale, progress.started_from, progress.data = sequence.scale, started_from, sketches.fingerprint
    out.mkdir(parents=True, exist_ok=True)

    model, optimiser = accelerator.prepare(network, optimiser)
    writer = _event_writer(out, progress.step) if main else None
    saved, clock = time.monotonic(), time.monotonic()
    seconds_before = progress.seconds

    def save() -> None:
        nonlocal saved
        progress.seconds = seconds_before + time.monotonic() - clock
        if main:
            kept = {f"network.{k}": v for k, v in network.state_dict().items()}
            kept |= {f"average.{k}": v for k, v in average.items()}
            kept |= optimiser_tensors(optimiser, names)
            save_checkpoint(checkpoint, kept, progress, asdict(settings))
        saved = time.monotonic()

    bad = 0
    seen, lap = 0, time.monotonic()
    totals: list[tuple[Tensor, Losses]] = []
    interrupted, restore = deferred_stop()
    release = _ending_with_others(accelerator, out)
    batches = training_data.stream(progress.step, settings.steps)
    try:
        for batch in batches:
            if progress.stopped:
                break
            step = progress.step
            rate = settings.optimiser.rate(step, settings.steps)
            for group in optimiser.param_groups:
                group["lr"] = rate
            torch.manual_seed(settings.seed * 1_000_003 + step * 1009 + accelerator.process_index)
            model.train()
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
                tensors = Tensors.of(batch, device)
                losses = losses_of(model(tensors, _attends(settings, step)), tensors)
            accelerator.backward(_objective(losses, settings, step, longest))
            norm = _clip(network, settings)
            if torch.isfinite(norm):
                optimiser.step()
                average_weights(average, network, settings.optimiser.average, step)
                bad = 0
            else:
                bad += 1
                progress.skipped += 1
                if bad >= _BAD_STEPS:
                    raise SketchError(
                        f"{bad} steps in a row had a gradient that is not finite (step {step}, rate {rate:.2g}); "
                        f"lower optimiser.learning_rate and start again from the last checkpoint in {out}"
                    )
            optimiser.zero_grad(set_to_none=True)
            progress.step = step + 1
            seen += losses.sketches * accelerator.num_processes
            totals.append((norm, losses))

            if progress.step % settings.log_every == 0 or progress.step == settings.steps:
                now = time.monotonic()
                line = _line(totals, progress, settings, longest, training_data.global_size, seen / (now - lap), rate)
                totals, seen, lap = [], 0, now
                if writer is not None:
                    for key in ("l_r", "nats", "l_kl", "pixel", "rate", "learning_rate", "skipped"):
                        writer.add_scalar(f"train/{key}", getattr(line, key), progress.step)
                if report is not None and main:
                    report(line)

            if progress.step % settings.validate_every == 0 or progress.step == settings.steps:
                if validation_data is not None:
                    with swapped(network, average):
                        figures = validate(network, validation_data, settings.validate_sketches, longest, precision)
                    progress.history.append({"step": progress.step, **figures})
                    if progress.best is None or figures["nats"] < progress.best:
                        progress.best, progress.best_step = figures["nats"], progress.step
                    since = (progress.step - progress.best_step) // settings.validate_every
                    progress.stopped = 0 < settings.patience <= since
                    if writer is not None:
                        for key, value in figures.items():
                            writer.add_scalar(f"valid/{key}", value, progress.step)
                save()
                if on_validation is not None and main:
                    with swapped(network, average):
                        on_validation(network, progress, progress.step)
                lap, seen = time.monotonic(), 0
            elif time.monotonic() - saved > settings.checkpoint_minutes * 60:
                save()
                lap, seen = time.monotonic(), 0
            if interrupted:
                save()
                raise KeyboardInterrupt
    except RuntimeError as error:
        if accelerator.num_processes > 1 and _is_lost_connection(error):
            raise _others_ended(out) from None
        raise
    finally:
        release()
        restore()
        batches.close()
        if writer is not None:
            writer.close()
    accelerator.wait_for_everyone()
    network.load_state_dict(average)
    network.eval()
    return network, progress, main


@torch.no_grad()
def validate(
    network: Network, data: Loader, sketches: int, longest: int, precision: str = "float32"
) -> dict[str, float]:
    """Losses over at most ``sketches`` sketches of a loader, spread evenly over its batches.

    Gives ``l_r`` (published normalisation, `longest` points), ``nats`` a row, ``nats_point`` (without end rows' pen),
    ``l_kl``, ``pixel``, and ``nats_attended``, nats a row where the decoder attends to the pictures.
    """
    network.eval()
    device = next(network.parameters()).device
    wanted = max(1, min(data.batches_per_epoch, sketches // data.global_size))
    totals = dict.fromkeys(("offset", "pen", "kl", "pixel", "rows", "sketches"), 0.0)
    attended = 0.0
    for place in range(wanted):
        batch = Tensors.of(data.batch(place * data.batches_per_epoch // wanted), device)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            losses = losses_of(network(batch), batch)
            if network.settings.attend > 0:
                followed = losses_of(network(batch, attend=True), batch)
                attended += float(followed.offset + followed.pen)
        for key in totals:
            totals[key] += float(getattr(losses, key))
    both = totals["offset"] + totals["pen"]
    figures = {
        "l_r": both / totals["sketches"] / longest,
        "nats": both / totals["rows"],
        "nats_point": both / (totals["rows"] - totals["sketches"]),
        "l_kl": totals["kl"] / totals["sketches"],
        "pixel": totals["pixel"] / totals["sketches"],
    }
    return figures | ({"nats_attended": attended / totals["rows"]} if network.settings.attend > 0 else {})


@contextmanager
def swapped(network: nn.Module, weights: dict[str, Tensor]) -> Iterator[None]:
    """The network with other weights, for a while."""
    own = {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(weights)
    try:
        yield
    finally:
        network.load_state_dict(own)


def deferred_stop() -> tuple[list[int], Callable[[], None]]:
    """A list that Ctrl-C and SIGTERM fill, and what undoes this: a step ends before the run stops, so that what is
    saved is whole.

    A second signal stops at once, with the checkpoint before. Only a process's main thread can do this; elsewhere, and
    where a signal is ignored, it is left as it was.
    """
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        return asked, lambda: None
    found = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before = {number: handler for number, handler in found.items() if handler not in (None, signal.SIG_IGN)}

    def remember(number: int, _: object) -> None:
        asked.append(number)
        restore()

    def restore() -> None:
        for number, handler in before.items():
            if signal.getsignal(number) is remember:  # what others have set since then stays
                signal.signal(number, handler)

    for number in before:
        signal.signal(number, remember)
    return asked, restore


def _ending_with_others(accelerator: Accelerator, out: Path) -> Callable[[], None]:
    """Have a launcher's signal, which it sends when another process of the run has ended, end this one with a line.

    What is returned undoes this.
    """
    if accelerator.num_processes == 1 or threading.current_thread() is not threading.main_thread():
        return lambda: None

    def end(*_: object) -> None:
        raise _others_ended(out)

    before = signal.signal(signal.SIGTERM, end)

    def release() -> None:
        if signal.getsignal(signal.SIGTERM) is end:
            signal.signal(signal.SIGTERM, before)

    return release


def _is_lost_connection(error: RuntimeError) -> bool:
    from torch.distributed import DistError  # not in every build of PyTorch

    return isinstance(error, DistError) or "gloo" in str(error)


def _others_ended(out: Path) -> BaseException:
    """What to raise when another process of the run has ended; only one of those that are left has something to say."""
    from torch.distributed.distributed_c10d import _get_default_store

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it may come while this one is ending already
    try:
        first = _get_default_store().add("sketch_pix2seq/ended", 1) == 1
    except RuntimeError:  # the store was kept by the process that ended
        first = True
    goes_on = f"the same command goes on from {out / CHECKPOINT}"
    return SketchError(f"another process of this run ended, so all end; {goes_on}") if first else SystemExit(2)


def _attends(settings: TrainSettings, step: int) -> bool:
    """Whether the decoder attends to the pictures of a step's batch; the same in all processes."""
    counter = np.array([settings.seed * 1_000_003 + step], np.uint64)
    return bool(uniform(counter)[0] < settings.model.attend)


def _objective(losses: Losses, settings: TrainSettings, step: int, longest: int) -> Tensor:
    return objective(
        losses,
        longest,
        kl_weight=settings.loss.kl_weight,
        eta=settings.loss.eta(step),
        kl_minimum=settings.loss.kl_minimum,
        pixel_weight=settings.loss.pixel_weight if settings.model.canvas else 0.0,
    )


def _clip(network: nn.Module, settings: TrainSettings) -> Tensor:
    """Norm of the gradient before it was clipped."""
    parameters = list(network.parameters())
    if settings.optimiser.clip_norm > 0:
        norm: Tensor = nn.utils.clip_grad_norm_(parameters, settings.optimiser.clip_norm)
    else:
        norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    if settings.optimiser.clip_value > 0:
        nn.utils.clip_grad_value_(parameters, settings.optimiser.clip_value)
    return norm


@torch.no_grad()
def average_weights(average: dict[str, Tensor], network: nn.Module, decay: float, step: int) -> None:
    """Move a running average towards the network's weights, in place."""
    # The average is over the steps so far while they are few, so that it does not remember the first weights.
    weight = 1 - min(decay, (1 + step) / (10 + step)) if decay > 0 else 1.0
    state = network.state_dict()
    numbers = [k for k in average if average[k].is_floating_point()]
    torch._foreach_lerp_([average[k] for k in numbers], [state[k] for k in numbers], weight)


def _line(
    totals: list[tuple[Tensor, Losses]],
    progress: Progress,
    settings: TrainSettings,
    longest: int,
    batch: int,
    speed: float,
    rate: float,
) -> Line:
    finite = [losses for norm, losses in totals if torch.isfinite(norm)] or [totals[-1][1]]
    sketches, rows = sum(x.sketches for x in finite), sum(x.rows for x in finite)
    both = float(sum((x.offset + x.pen).detach() for x in finite))
    return Line(
        progress.step,
        settings.steps,
        both / sketches / longest,
        both / rows,
        float(sum(x.kl.detach() for x in finite)) / sketches,
        float(sum(x.pixel.detach() for x in finite)) / sketches,
        batch,
        speed,
        rate,
        progress.skipped,
        progress.history[-1]["nats"] if progress.history else None,
    )


def precision_of(settings: TrainSettings) -> str:
    """The precision that "auto" stands for on this machine."""
    return fast_precision() if settings.precision == "auto" else settings.precision


def fast_precision() -> str:
    """bfloat16 where this machine multiplies it in hardware, float32 elsewhere."""
    if torch.cuda.is_available():
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    capability = torch.backends.cpu.get_cpu_capability()
    fast = "AVX512" in capability and torch.cpu._is_avx512_bf16_supported()
    return "bfloat16" if fast or torch.cpu._is_amx_tile_supported() else "float32"


def _same_run(
    progress: Progress, before: dict[str, object], settings: TrainSettings, base: Base | None, out: Path
) -> None:
    """What shapes the weights must be as in the run that is taken up again; its length may change."""
    try:
        then = _plain(from_plain(TrainSettings, before))
    except ValueError as error:
        raise SettingsError(f"{out} holds a run of another version ({error}); give another --out") from error
    now = _plain(settings)
    free = {"steps", "validate_every", "validate_sketches", "patience", "checkpoint_minutes", "log_every"}
    changed = [k for k in now if k not in free and then[k] != now[k]]
    if changed:
        raise SettingsError(
            f"{out} holds a run with other settings ({', '.join(changed)}); give another --out, or the same settings"
        )
    if progress.started_from.get("weights") != (base.fingerprint if base else None):
        began = progress.started_from.get("model", "nothing")
        raise SettingsError(f"{out} holds a run that began with {began}, as it was then; give another --out")


def check_set(progress: Progress, sketches: SketchSet, out: Path) -> None:
    """Raise SettingsError unless a run in ``out`` was trained on this set."""
    if progress.data and progress.data != sketches.fingerprint:
        raise SettingsError(f"{out} holds a run on another set than {sketches.path}; give that set, or another --out")


def _plain(settings: TrainSettings) -> dict[str, object]:
    """Settings as they come out of a checkpoint."""
    plain: dict[str, object] = json.loads(json.dumps(asdict(settings)))
    return plain


def known_categories(sketches: SketchSet, base: Base | None) -> tuple[str, ...]:
    """The categories of a run's model: those of the model that it began with, then the new ones of its set."""
    before = base.info.categories if base else ()
    return (*before, *(name for name in sketches.categories if name not in before))


def _rehearsal(
    base: Base, out: Path, settings: TrainSettings, accelerator: Accelerator, resumed: bool, tell: Say
) -> Rehearsal | None:
    """What the base model draws of its categories, to be mixed into the batches; None where nothing is rehearsed.

    The drawings of a run that is taken up again are those that are there.
    """
    path, categories = out / REHEARSED, base.info.categories
    share = settings.tune.rehearsal
    if share == 0:
        tell(f"nothing is rehearsed (tune.rehearsal is 0): the run may forget what {base.name} knows")
        return None
    if accelerator.is_main_process and not (resumed and path.exists()):
        tell(f"drawing {settings.tune.rehearsed:,} sketches of {len(categories)} categories that {base.name} knows")
        draw_rehearsed(base, path, settings)
    accelerator.wait_for_everyone()
    drawn = SketchSet.open(path)
    return Rehearsal(drawn, share, tuple(categories.index(name) for name in drawn.categories))


def _freeze_encoder(network: Network) -> None:
    """Leave the encoder and its codes as they are."""
    for part in (network.encoder, network.to_mu, network.to_log_variance):
        if part is not None:
            part.requires_grad_(False)


def average_of(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The averaged weights in a checkpoint's tensors."""
    return named(tensors, "average.")


def named(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those tensors whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _event_writer(out: Path, step: int):  # type: ignore[no-untyped-def]
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(out / "events"), purge_step=step)
