"""The pruner beside what else a training loop has: checkpoints, EMA, mixed precision, processes."""

import copy

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from golden import executor
from sw.errors import UsageError
from sw.frontend.onnx import load
from sw.prune import Pruner, Schedule
from tb.lib.torch_models import Residual, inputs, plain, train

SCHEDULE = Schedule(begin=2, end=12, every=2)


def built(seed=0, **settings):
    torch.manual_seed(seed)
    model = Residual()
    return model, Pruner(model, inputs(32)[0], **{"speedup": 2.5, "schedule": SCHEDULE} | settings)


def test_resumed_training_is_the_same(tmp_path):
    """Stopped in the middle of the schedule and gone on from the file: the same in the end."""
    model, pruner = built()
    optimizer = train(model, pruner, 7)
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(),
                "pruner": pruner.state_dict()}, tmp_path / "checkpoint.pt")
    train(model, pruner, 8, optimizer, seed=7)
    other, again = built(seed=1)  # other first weights, all of them replaced
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    other.load_state_dict(state["model"])
    again.load_state_dict(state["pruner"])
    second = torch.optim.SGD(other.parameters(), 0.02, momentum=0.9)
    second.load_state_dict(state["optimizer"])
    train(other, again, 8, second, seed=7)
    assert again.final and again.excluded == pruner.excluded
    for name, mask in pruner.masks.items():
        assert torch.equal(again.masks[name], mask), name
    for name, value in model.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name


def test_checkpoints_of_something_else():
    _, pruner = built()
    state = pruner.state_dict()
    with pytest.raises(UsageError, match=r"'speedup': 2.5.*'speedup': 3.0"):
        built(speedup=3.0)[1].load_state_dict(state)
    other = Pruner(plain(), inputs(4)[0], speedup=1.1)
    state["asked"] = other.state_dict()["asked"]
    with pytest.raises(UsageError, match="layers are not this model's"):
        other.load_state_dict(state)


def test_averaged_weights(tmp_path):
    """An EMA keeps the masks exact and exports; its answers are its own."""
    model, pruner = built()
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.8), use_buffers=True)
    pruner.follow(average)
    optimizer = torch.optim.SGD(model.parameters(), 0.02, momentum=0.9)
    for step in range(14):
        train(model, pruner, 1, optimizer, seed=step)
        average.update_parameters(model)
    # The average of weights before and after they went isn't zero; the next step mends it.
    pruner.step()
    for name, mask in pruner.masks.items():
        weight = average.module.get_submodule(name).weight
        assert not weight[~mask].any() and weight[mask].any()
        assert not torch.equal(weight, model.get_submodule(name).weight)
    pruner.export(tmp_path / "average.onnx", model=average)
    graph = load(tmp_path / "average.onnx")
    data = inputs(1, seed=7)[0]
    found = executor.run(graph, {graph.inputs[0]: data.numpy()})[graph.outputs[0]]
    average.eval()
    with torch.no_grad():
        wanted = average(data).numpy()
    assert np.abs(found - wanted).max() < 0.1 * np.abs(wanted).max()
    for name, value in average.module.sentei.state_dict().items():
        assert torch.equal(value, model.sentei.state_dict()[name])


def test_masks_of_an_average_are_exact_in_the_file(tmp_path):
    """Even exported between an update of the average and the next step."""
    model, pruner = built()
    average = AveragedModel(model)
    train(model, pruner, 14)
    average.update_parameters(model)
    average.update_parameters(model)
    pruner.export(tmp_path / "m.onnx", model=average)
    graph = load(tmp_path / "m.onnx")
    for name, counts in pruner.counts.items():
        node = next(item for item in graph.nodes if item.name == pruner._network.chip[name])
        assert (pruner._network.pattern(name).counts(node.attrs.kernel) <= counts).all()


def test_following_a_model_without_quantizers():
    _, pruner = built()
    with pytest.raises(UsageError, match="no quantizers"):
        pruner.follow(Residual())


@pytest.mark.parametrize("scaled", [False, True])
def test_mixed_precision(scaled):
    """autocast, with and without a gradient scaler that overflows at first."""
    model, pruner = built()
    optimizer = torch.optim.SGD(model.parameters(), 0.02, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**126, enabled=scaled)
    losses = []
    for step in range(30):
        data, labels = inputs(seed=step % 4)
        model.train()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = model(data)
            loss = F.cross_entropy(found.float(), labels)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        pruner.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
        for name, mask in pruner.masks.items():
            weight = model.get_submodule(name).weight
            assert weight.dtype == torch.float32 and not weight[~mask].any()
            assert torch.isfinite(weight).all()
    assert pruner.final and pruner.speedup >= 2.5
    assert np.mean(losses[-4:]) < np.mean(losses[:4])


def test_compiled_copies_and_modes():
    """A deep copy taken in the middle trains on by itself without the pruner noticing."""
    model, pruner = built()
    train(model, pruner, 5)
    other = copy.deepcopy(model)
    other(inputs()[0]).sum().backward()
    assert all(parameter.grad is None or not parameter.grad.any()
               for parameter in model.parameters())


def test_frozen_ranges_stay():
    model, pruner = built()
    optimizer = train(model, pruner, 3)
    before = {name: value.clone() for name, value in model.sentei.state_dict().items()}
    pruner.freeze()
    train(model, pruner, 3, optimizer)
    for name, value in model.sentei.state_dict().items():
        assert torch.equal(value, before[name])


def one_of_two(rank, folder):
    """A process of a distributed training: its own data, and gradients that differ on purpose."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    model, pruner = built(seed=0)
    parallel = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(parallel.parameters(), 0.02, momentum=0.9)
    for step in range(14):
        data, labels = inputs(seed=2 * step + rank)
        parallel.train()
        F.cross_entropy(parallel(data), labels).backward()
        optimizer.step()
        # As if the ranks had seen different gradients: only rank 0's may count.
        model.conv1.weight.grad.mul_(torch.rand(model.conv1.weight.shape,
                                                generator=torch.Generator().manual_seed(rank)))
        pruner.step()
        optimizer.zero_grad()
    if rank == 0:  # statistics of batch normalization are each rank's own
        pruner.export(f"{folder}/m.onnx", model=parallel)
    torch.save({"masks": pruner.masks, "weight": model.conv2.weight.detach(),
                "speedup": pruner.speedup}, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_two_processes(tmp_path):
    """DistributedDataParallel: the same masks and weights on both ranks, and a file."""
    mp.spawn(one_of_two, (str(tmp_path),), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert first["speedup"] == second["speedup"] >= 2.5
    for name, mask in first["masks"].items():
        assert torch.equal(second["masks"][name], mask), name
    assert not first["masks"]["conv2"].all()
    assert torch.equal(first["weight"], second["weight"])
    assert load(tmp_path / "m.onnx").nodes


def fails_on_rank_0(rank, folder):
    """The deciding rank meets an error: both end with it."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    _, pruner = built(criterion="fisher")
    try:
        for _ in range(4):
            pruner.step()  # without gradients
    except UsageError as error:
        with open(f"{folder}/{rank}.txt", "w") as file:
            file.write(str(error))
    dist.destroy_process_group()


def test_an_error_reaches_all_processes(tmp_path):
    mp.spawn(fails_on_rank_0, (str(tmp_path),), nprocs=2)
    assert all("has no gradients" in (tmp_path / f"{rank}.txt").read_text() for rank in (0, 1))
