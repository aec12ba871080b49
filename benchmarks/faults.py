"""Put faults into the code, one at a time, and see that a test of the room fails.

    python benchmarks/faults.py [WORD...]

With words, only the faults whose name or file has one of them. Exit status 1 where a fault is not found. It works on a
copy; half a minute a fault on a busy core.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Fault:
    """A change to the code that a test must notice."""

    what: str
    file: str
    """Below src/sketch_pix2seq."""
    text: str
    """Occurs once in the file."""
    becomes: str
    test: str
    """The test that fails."""


FAULTS = (
    Fault(
        "the KL weight ignored",
        "model/losses.py",
        "kl_weight * eta *",
        "eta *",
        "tests/model/test_paper_recipes.py::test_losses_and_gradients_are_the_references",
    ),
    Fault(
        "eta ignored",
        "model/losses.py",
        "kl_weight * eta *",
        "kl_weight *",
        "tests/model/test_paper_recipes.py::test_losses_and_gradients_are_the_references",
    ),
    Fault(
        "the KL floor inverted",
        "model/losses.py",
        "clamp(min=kl_minimum)",
        "clamp(max=kl_minimum)",
        "tests/model/test_paper_recipes.py::test_losses_and_gradients_are_the_references",
    ),
    Fault(
        "the average of the weights reversed",
        "training/loop.py",
        "weight = 1 - min(decay, (1 + step) / (10 + step))",
        "weight = min(decay, (1 + step) / (10 + step))",
        "tests/training/test_average.py::test_it_moves_towards_the_weights_by_one_minus_the_decay",
    ),
    Fault(
        "a rotation in degrees read as radians",
        "data/batches.py",
        "np.deg2rad(settings.rotation)",
        "settings.rotation",
        "tests/data/test_batches.py::test_rotation_and_shear_are_at_most_what_is_asked",
    ),
    Fault(
        '"same" padding on the left and top',
        "model/encoders.py",
        "F.pad(x, (0, 1, 0, 1))",
        "F.pad(x, (1, 0, 1, 0))",
        "tests/model/test_paper_recipes.py::test_losses_and_gradients_are_the_references",
    ),
    Fault(
        "recurrent dropout not rescaled",
        "model/decoders.py",
        " / self.keep",
        "",
        "tests/model/test_decoders.py::test_recurrent_dropout_keeps_means",
    ),
    Fault(
        "z's noise with the variance",
        "model/network.py",
        "torch.exp(0.5 * log_variance) * torch",
        "torch.exp(log_variance) * torch",
        "tests/model/test_paper_recipes.py::test_losses_and_gradients_are_the_references",
    ),
    Fault(
        "Ret@k with <=",
        "evaluation/metrics.py",
        "np.asarray(ranks) < k",
        "np.asarray(ranks) <= k",
        "tests/evaluation/test_metrics.py::test_the_k_nearest_have_ranks_below_k",
    ),
    Fault(
        "end rows' offsets counted",
        "model/losses.py",
        "(density * (batch.pen != PEN_END)).sum()",
        "density.sum()",
        "tests/model/test_paper_recipes.py::test_losses_and_gradients_are_the_references",
    ),
    Fault(
        "KL summed over the numbers of z",
        "model/losses.py",
        ".mean(dim=1).sum()",
        ".sum(dim=1).sum()",
        "tests/model/test_paper_recipes.py::test_losses_and_gradients_are_the_references",
    ),
    Fault(
        "the pixel loss averaged over sketches twice",
        "model/losses.py",
        "entropy.mean(dim=(1, 2)).sum()",
        "entropy.mean(dim=(1, 2)).mean()",
        "tests/model/test_network.py::test_the_loss_of_pixels_is_a_mean_over_pixels_and_a_sum_over_sketches",
    ),
    Fault(
        "L_R not divided by the longest sketch",
        "model/losses.py",
        "/ (losses.sketches * longest)",
        "/ losses.sketches",
        "tests/model/test_paper_recipes.py::test_losses_and_gradients_are_the_references",
    ),
    Fault(
        "the pixel weight ignored",
        "model/losses.py",
        "pixel_weight * losses.pixel /",
        "losses.pixel /",
        "tests/model/test_network.py::test_the_objective_weighs_its_terms",
    ),
    Fault(
        "the KL floor under the sum, not the mean",
        "model/losses.py",
        "(losses.kl / losses.sketches).clamp(min=kl_minimum)",
        "losses.kl.clamp(min=kl_minimum) / losses.sketches",
        "tests/model/test_paper_recipes.py::test_losses_and_gradients_are_the_references",
    ),
    Fault(
        "rho unbounded",
        "model/mixture.py",
        "torch.tanh(rho) * RHO_MAX",
        "torch.tanh(rho)",
        "tests/model/test_mixture.py::test_log_density_is_scipys",
    ),
    Fault(
        "log 2 pi halved",
        "model/mixture.py",
        "- math.log(2 * math.pi)",
        "- 0.5 * math.log(2 * math.pi)",
        "tests/model/test_mixture.py::test_log_density_is_scipys",
    ),
    Fault(
        "the determinant's sign",
        "model/mixture.py",
        "- 0.5 * torch.log(one_minus_rho2)",
        "+ 0.5 * torch.log(one_minus_rho2)",
        "tests/model/test_mixture.py::test_log_density_is_scipys",
    ),
    Fault(
        "sigma of y for x",
        "model/mixture.py",
        "mixture.mu_x, mixture.log_sigma_x)",
        "mixture.mu_x, mixture.log_sigma_y)",
        "tests/model/test_mixture.py::test_log_density_is_scipys",
    ),
    Fault(
        "rho's sign in the quadratic form",
        "model/mixture.py",
        "(dx - mixture.rho * dy)",
        "(dx + mixture.rho * dy)",
        "tests/model/test_mixture.py::test_log_density_is_scipys",
    ),
    Fault(
        "tau on the standard deviation",
        "model/sampling.py",
        "torch.sqrt(temperature)",
        "temperature",
        "tests/drawing/test_sampler.py::test_rows_follow_the_mixture_at_its_temperature",
    ),
    Fault(
        "the pen at the mixture's temperature",
        "model/sampling.py",
        "chance[:, 1:2], pen_temperature)",
        "chance[:, 1:2], temperature)",
        "tests/drawing/test_sampler.py::test_the_pen_has_its_own_temperature_and_may_be_kept_from_ending",
    ),
    Fault(
        "offsets' correlation: sqrt(1 - rho)",
        "model/sampling.py",
        "torch.sqrt(1 - rho.square())",
        "torch.sqrt(1 - rho)",
        "tests/drawing/test_sampler.py::test_rows_follow_the_mixture_at_its_temperature",
    ),
    Fault(
        "a drawing ends where it may not",
        "model/sampling.py",
        "end * (1 - may_end) * _FORBIDDEN",
        "end * may_end * 0",
        "tests/drawing/test_sampler.py::test_the_pen_has_its_own_temperature_and_may_be_kept_from_ending",
    ),
    Fault(
        "the gradient's norm not clipped",
        "training/loop.py",
        "nn.utils.clip_grad_norm_(parameters, settings.optimiser.clip_norm)",
        "nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])",
        "tests/training/test_loop.py::test_gradients_are_clipped_by_norm_or_by_value",
    ),
    Fault(
        "the gradient's values not clipped",
        "training/loop.py",
        "if settings.optimiser.clip_value > 0:",
        "if settings.optimiser.clip_value < 0:",
        "tests/training/test_loop.py::test_gradients_are_clipped_by_norm_or_by_value",
    ),
    Fault(
        "a gradient that is not finite is taken",
        "training/loop.py",
        "if torch.isfinite(norm):",
        "if True:",
        "tests/training/test_loop.py::test_a_nan_step_is_skipped_and_counted",
    ),
    Fault(
        "the last weights validated, not their average",
        "training/loop.py",
        "with swapped(network, average):\n                        figures",
        "with swapped(network, network.state_dict()):\n                        figures",
        "tests/training/test_loop.py::test_what_is_kept_and_validated_is_the_average_of_the_weights",
    ),
    Fault(
        "nats divided without end rows",
        "training/loop.py",
        '"nats": both / totals["rows"],',
        '"nats": both / (totals["rows"] - totals["sketches"]),',
        "tests/training/test_loop.py::test_published_normalisation",
    ),
    Fault(
        "the last weights kept, not their average",
        "training/loop.py",
        "    network.load_state_dict(average)\n    network.eval()",
        "    network.eval()",
        "tests/training/test_loop.py::test_what_is_kept_and_validated_is_the_average_of_the_weights",
    ),
    Fault(
        "patience one validation too long",
        "training/loop.py",
        "0 < settings.patience <= since",
        "0 < settings.patience < since",
        "tests/training/test_loop.py::test_early_stopping",
    ),
    Fault(
        "the schedule of the learning rate ignored",
        "training/loop.py",
        'group["lr"] = rate',
        'group["lr"] = settings.optimiser.learning_rate',
        "tests/training/test_loop.py::test_each_step_has_its_learning_rate",
    ),
    Fault(
        "the same dropout at every step",
        "training/loop.py",
        "settings.seed * 1_000_003 + step * 1009 + acc",
        "settings.seed * 1_000_003 + acc",
        "tests/training/test_loop.py::test_each_step_has_its_eta_and_its_own_noise",
    ),
    Fault(
        "the share of attended batches reversed",
        "training/loop.py",
        "uniform(counter)[0] < settings.model.attend",
        "uniform(counter)[0] >= settings.model.attend",
        "tests/training/test_loop.py::test_a_share_of_the_steps_attends",
    ),
    Fault(
        "eta of the first step throughout",
        "training/loop.py",
        "eta=settings.loss.eta(step)",
        "eta=settings.loss.eta(0)",
        "tests/training/test_loop.py::test_each_step_has_its_eta_and_its_own_noise",
    ),
    Fault(
        "the best validation is the worst",
        "training/loop.py",
        'figures["nats"] < progress.best',
        'figures["nats"] > progress.best',
        "tests/training/test_loop.py::test_what_is_kept_and_validated_is_the_average_of_the_weights",
    ),
    Fault(
        "top-k with <",
        "evaluation/metrics.py",
        "(not_behind <= k)",
        "(not_behind < k)",
        "tests/evaluation/test_metrics.py::test_top_k_is_scikit_learns",
    ),
    Fault(
        "FID with one cross term",
        "evaluation/metrics.py",
        "traces - 2.0 * cross",
        "traces - cross",
        "tests/evaluation/test_metrics.py::test_frechet_distance_is_that_of_the_matrix_root",
    ),
    Fault(
        "covariance with n",
        "evaluation/metrics.py",
        "centred / (len(x) - 1)",
        "centred / len(x)",
        "tests/evaluation/test_metrics.py::test_frechet_distance_is_that_of_the_matrix_root",
    ),
    Fault(
        "precision with the nearest neighbour, not the k-th",
        "evaluation/metrics.py",
        "squared, names[rows], axis=1).max(axis=1)",
        "squared, names[rows], axis=1).min(axis=1)",
        "tests/evaluation/test_metrics.py::test_precision_and_recall_by_brute_force",
    ),
    Fault(
        "precision and recall exchanged",
        "evaluation/metrics.py",
        "return precise, recalled",
        "return recalled, precise",
        "tests/evaluation/test_metrics.py::test_precision_and_recall_by_brute_force",
    ),
    Fault(
        "people's mean distance with a sketch to itself",
        "evaluation/metrics.py",
        "return float(distances.mean())",
        "return float(distances.mean() * (1 - 1 / len(features)))",
        "tests/evaluation/test_metrics.py::test_variety_is_in_units_of_people_of_the_same_category",
    ),
    Fault(
        "variety by the most different pair, not the mean",
        "evaluation/metrics.py",
        "pdist(of_input).mean()",
        "pdist(of_input).max()",
        "tests/evaluation/test_metrics.py::test_variety_is_in_units_of_people_of_the_same_category",
    ),
    Fault(
        "F1 as the arithmetic mean",
        "evaluation/metrics.py",
        "2 * precision * recall / max(precision + recall, 1e-12)",
        "(precision + recall) / 2",
        "tests/evaluation/test_metrics.py::test_f1_by_hand",
    ),
    Fault(
        "twins of any category",
        "evaluation/metrics.py",
        "known = training[np.asarray(training_labels) == label]",
        "known = training",
        "tests/evaluation/test_metrics.py::test_twins_are_measured_in_units_of_people",
    ),
    Fault(
        "purity counts the code itself",
        "evaluation/metrics.py",
        "squared[np.arange(len(squared)), np.arange(n)[rows]] = np.inf",
        "pass",
        "tests/evaluation/test_metrics.py::test_neighbour_purity_is_that_of_scikit_learns_neighbours",
    ),
    Fault(
        "a drawing without a point",
        "drawing/sampler.py",
        "control[:, 2] = at > 0",
        "control[:, 2] = at >= 0",
        "tests/drawing/test_sampler.py::test_drawings_end_or_are_cut_off",
    ),
    Fault(
        "all ink counted as wasted",
        "drawing/sampler.py",
        "WASTE * (laid - gain)",
        "WASTE * laid",
        "tests/drawing/test_sampler.py::test_a_proposal_is_weighed_by_the_ink_that_it_wastes",
    ),
    Fault(
        "the Gumbel noise's sign",
        "drawing/sampler.py",
        "weights - np.log(-np.log(",
        "weights + np.log(-np.log(",
        "tests/drawing/test_sampler.py::test_proposals_are_resampled_in_proportion_to_their_weights",
    ),
    Fault(
        "proposals not resampled: the likeliest taken",
        "drawing/sampler.py",
        "int((weights - np.log(-np.log(np.maximum(chance, 1e-12)))).argmax())",
        "int(weights.argmax())",
        "tests/drawing/test_sampler.py::test_proposals_are_resampled_in_proportion_to_their_weights",
    ),
    Fault(
        "no warmer in further rounds",
        "drawing/sampler.py",
        "settings.temperature + WARMER * turns",
        "settings.temperature + 0 * turns",
        "tests/drawing/test_sampler.py::test_of_several_rounds_the_best_is_kept_each_warmer_than_the_one_before",
    ),
    Fault(
        "ending costs nothing",
        "drawing/sampler.py",
        "np.where(ended, -BETA * float(self.missing[drawing]), weights)",
        "np.where(ended, 0.0, weights)",
        "tests/drawing/test_sampler.py::test_a_proposal_is_weighed_by_the_ink_that_it_wastes",
    ),
    Fault(
        "missing ink without tolerance",
        "drawing/sampler.py",
        "picture - cv2.dilate(paper, np.ones((3, 3), np.uint8))",
        "picture - paper",
        "tests/drawing/test_sampler.py::test_ink_and_what_is_missing",
    ),
    Fault(
        "long proposals never cut off",
        "drawing/sampler.py",
        ">= LONG if",
        "< 0 if",
        "tests/drawing/test_sampler.py::test_a_proposal_that_does_not_lift_the_pen_is_cut_off",
    ),
    Fault(
        "the last round's proposal taken, not the best",
        "drawing/sampler.py",
        "if weights[chosen] > self.weight[drawing]:",
        "if True:",
        "tests/drawing/test_sampler.py::test_of_several_rounds_the_best_is_kept_each_warmer_than_the_one_before",
    ),
    Fault(
        "an end where ink is missing, in a further round",
        "drawing/sampler.py",
        "control[:, 2] *= (turns == 0) | (self.missing[drawing] <= USEFUL)",
        "pass",
        "tests/drawing/test_sampler.py::test_a_drawing_may_not_end_in_a_further_round_while_ink_is_missing",
    ),
    Fault(
        "useless strokes not punished",
        "drawing/sampler.py",
        "np.where(gain < USEFUL, USELESS, 0.0)",
        "0.0",
        "tests/drawing/test_sampler.py::test_a_proposal_is_weighed_by_the_ink_that_it_wastes",
    ),
    Fault(
        "log densities of padding rows counted",
        "drawing/sampler.py",
        "densities *= (np.arange(time) < np.asarray(lengths)[:, None])[..., None]",
        "pass",
        "tests/drawing/test_sampler.py::test_rows_beyond_a_drawings_length_have_no_density",
    ),
    Fault(
        "whether it ended, reversed",
        "drawing/sampler.py",
        'metadata={"ended": ended}',
        'metadata={"ended": not ended}',
        "tests/drawing/test_sampler.py::test_drawings_end_or_are_cut_off",
    ),
    Fault(
        "proposals share their random numbers",
        "drawing/sampler.py",
        "(self.stroke[drawing] * 64 + self.round[drawing]) * 64 + proposal\n",
        "(self.stroke[drawing] * 64 + self.round[drawing]) * 64 + 0 * proposal\n",
        "tests/drawing/test_sampler.py::test_of_several_rounds_the_best_is_kept_each_warmer_than_the_one_before",
    ),
)


def main() -> None:
    words = sys.argv[1:]
    chosen = [fault for fault in FAULTS if not words or any(word in f"{fault.what} {fault.file}" for word in words)]
    missed = [fault for fault in chosen if not noticed(fault)]
    print(f"{len(chosen) - len(missed)} of {len(chosen)} faults are found")
    raise SystemExit(1 if missed else 0)


def noticed(fault: Fault) -> bool:
    """Whether the fault's test fails with it, and passes without."""
    with TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("src", "tests"):
            shutil.copytree(REPOSITORY / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "page"))
        shutil.copy(REPOSITORY / "pyproject.toml", copy)
        sound = passes(fault.test, copy)
        file = copy / "src" / "sketch_pix2seq" / fault.file
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace(fault.text, fault.becomes), encoding="utf-8")
        found = sound and text.count(fault.text) == 1 and not passes(fault.test, copy)
    print(f"{'found' if found else 'NOT FOUND'}: {fault.what} ({fault.file}): {fault.test}", flush=True)
    return found


def passes(test: str, folder: Path) -> bool:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test]
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=600).returncode == 0


if __name__ == "__main__":
    main()
